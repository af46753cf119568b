// First response wins: of the answers in a channel's history, the first valid one decides.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Channel, ToolFailed, admits, serve, writeDurably } from "hitl-adapter-kit";

const sentence = "Of the answers in the history the first valid one decides, once, over crashes.";
const offered = ["single-winner", "no-execution-without-grant", "at-most-one-execution", "authority", "durability"];
const offers = Object.fromEntries(offered.map((guarantee) => [guarantee, { sentence }]));
const manifest = { name: "node-example", version: "1", summary: "The example of the Node kit.", offers };

class Agent {
  constructor(host) {
    this.host = host;
    this.file = join(host.directory, "calls.json");
    this.kept = existsSync(this.file) ? JSON.parse(readFileSync(this.file, "utf8")) : {};
  }

  keep(call, what) {
    this.kept[call.id] = { ...this.kept[call.id], ...what };
    writeDurably(this.file, JSON.stringify(this.kept));
  }

  async callTool(call) {
    const channel = new Channel(this.host, call.tenant, call.session);
    await call.beforeGate(call.arguments, call.id in this.kept);
    if (!(call.id in this.kept)) {
      const card = { request: call.id, tool: call.tool, arguments: call.arguments, call: call.id };
      await channel.publish("request", card, call.id);
      this.host.observe.requestPublished(call.id, call.id, call.arguments);
      const winner = await this.firstValid(channel, call);
      this.keep(call, { winner });
      this.host.observe.decisionTaken(call.id, winner.choice, { person: winner.decided_by });
    }
    const { winner } = this.kept[call.id];
    await channel.publish("verdict", { request: call.id, ...winner }, call.id);
    return { status: await this.carryOut(call, winner.choice), ...winner };
  }

  async firstValid(channel, call) {
    for await (const [name, answer] of channel.follow()) {
      if (name !== "answer" || answer.request !== call.id) continue;
      const who = await this.host.identity(answer.token);
      if (who?.tenant === call.tenant && admits(call.policy, who.role))
        return { choice: answer.choice, decided_by: who.person };
    }
  }

  async carryOut(call, choice) {
    if (choice === "rejected") return "rejected";
    if (this.kept[call.id].begun) return this.kept[call.id].ended ?? "unknown";
    this.keep(call, { begun: true });
    try {
      await call.effect(call.arguments);
      this.keep(call, { ended: "executed" });
    } catch (error) {
      if (!(error instanceof ToolFailed)) throw error;
      this.keep(call, { ended: "failed" });
    }
    return this.kept[call.id].ended;
  }
}

class Device {
  constructor(host, person) {
    Object.assign(this, { host, cards: new Map(), verdicts: new Map() });
    for (const session of person.sessions)
      this.watch(new Channel(host, person.tenant, session)).catch((error) => console.error(error.message));
  }

  async watch(channel) {
    for await (const [name, record] of channel.follow()) {
      if (name === "request") this.cards.set(record.request, { channel, card: record });
      if (name === "verdict") this.verdicts.set(record.request, record);
      this.host.observe.screenChanged();
    }
  }

  pending() {
    return [...this.cards.values()].map((it) => it.card).filter((card) => !this.verdicts.has(card.request));
  }

  async respond(request, { choice }) {
    if (!this.cards.has(request)) return { status: "unknown-request" };
    const token = await this.host.freshToken();
    await this.cards.get(request).channel.publish("answer", { request, choice, token });
    return { status: "sent" };
  }

  settled(request) {
    const { choice, decided_by } = this.verdicts.get(request) ?? {};
    return choice ? { status: choice === "approved" ? "executed" : "rejected", choice, decided_by } : null;
  }
}

serve({ manifest, bootAgent: (host) => new Agent(host), joinDevice: (host, person) => new Device(host, person) });
