// First response wins: of the answers in a channel's history, the first valid one decides.
import { admits, serve } from "hitl-adapter-kit";

const sentence = "Of the answers in the history the first valid one decides, once, over crashes.";
const offered = ["single-winner", "no-execution-without-grant", "at-most-one-execution", "authority", "durability"];
const offers = Object.fromEntries(offered.map((guarantee) => [guarantee, { sentence }]));
const about = { name: "node-example", version: "1", summary: "The example of the Node kit." };
const manifest = { ...about, offers, clocks: ["virtual", "real"] };

async function callTool(host, call) {
  const channel = host.channel(call);
  const decided = `${call.id} decided`;
  await call.beforeGate(call.arguments, host.kept(decided) !== null);
  if (host.kept(decided) === null) {
    const card = { request: call.id, tool: call.tool, arguments: call.arguments, call: call.id };
    await channel.publish("request", card, call.id);
    host.observe.requestPublished(call.id, call.id, call.arguments);
    const winner = await firstValid(host, channel, call);
    if (host.keepOnce(decided, winner))
      host.observe.decisionTaken(call.id, winner.choice, { person: winner.decided_by });
  }
  const winner = host.kept(decided);
  const outcome = { status: await carryOut(host, call, winner.choice), ...winner };
  if (outcome.status !== "unknown") await channel.publish("outcome", { request: call.id, outcome }, call.id);
  return outcome;
}

async function firstValid(host, channel, call) {
  for await (const [name, answer] of channel.follow()) {
    if (name !== "answer" || answer.request !== call.id) continue;
    const who = await host.identity(answer.token);
    if (who?.tenant === call.tenant && admits(call.policy, who.role))
      return { choice: answer.choice, decided_by: who.person };
  }
}

async function carryOut(host, call, choice) {
  if (choice === "rejected") return "rejected";
  if (host.keepOnce(`${call.id} begun`, true))
    host.keepOnce(`${call.id} ended`, await call.carryOut(call.arguments));
  return host.kept(`${call.id} ended`) ?? "unknown";
}

function joinDevice(host) {
  const cards = new Map();
  const outcomes = new Map();
  host.watch((channel, name, record) => {
    if (name === "request") cards.set(record.request, { channel, card: record });
    if (name === "outcome") outcomes.set(record.request, record.outcome);
  });
  const respond = async (request, { choice }) => {
    if (!cards.has(request)) return { status: "unknown-request" };
    const token = await host.freshToken();
    await cards.get(request).channel.publish("answer", { request, choice, token });
    return { status: "sent" };
  };
  const pending = () => [...cards.values()].map((it) => it.card).filter((card) => !outcomes.has(card.request));
  return { pending, respond, settled: (request) => outcomes.get(request) ?? null };
}

serve({ manifest, bootAgent: (host) => ({ callTool: (call) => callTool(host, call) }), joinDevice });
