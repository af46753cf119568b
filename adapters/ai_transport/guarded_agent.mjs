// The agent's host with the guard that the documentation asks of applications: the first valid answer is written once
// into a durable store, by the id of its tool call, and everything follows from that record.
//
// Owns who may decide, what a decision sets in motion, and what is announced. Invocations only hurry it along: the
// answers are read from the session itself, so that a lost, doubled or late wake-up changes nothing.
//
// Invariant: a decision is durable before it is reported, announced or acted upon, and the tool runs only after a
// durable claim.
import { join } from "node:path";

import { Calls, Rooms, hasAsked, order } from "./agent.mjs";
import { takeInvocations } from "./ingress.mjs";
import { Ledger, hasEnded } from "./ledger.mjs";
import { DECIDED, REFUSED, answerIn, fromAgent, noticeOf } from "./notices.mjs";
import { channelOf } from "./realtime.mjs";
import { runTurn } from "./turn.mjs";

const AGAIN_MS = 5_000;
/** The states in which the handler has something to do, and whether the tool is approved in them. */
const DECIDED_IN = { pending: false, approved: true, rejected: false };
const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN_MS));

export class GuardedAgent {
  #host;
  #form;
  #ToolFailed;
  #calls = new Calls();
  #ledger;
  #rooms;
  #inboxes = new Map();
  #waiting = new Set();

  constructor(host, form, ToolFailed) {
    this.#host = host;
    this.#form = form;
    this.#ToolFailed = ToolFailed;
    this.#ledger = new Ledger(join(host.shared, "approvals"), `${host.name}-${host.incarnation}`);
    this.#rooms = new Rooms(host, { arrived: (message, room) => this.#arrived(message, room) });
    for (const record of this.#ledger.all()) this.#recover(record);
    takeInvocations(host, ({ sessionName }) => this.#room(sessionName));
  }

  async callTool(call) {
    this.#calls.add(call);
    const { id, tool, arguments: args, policy, tenant, session } = call;
    const channel = channelOf(tenant, session);
    const record = { id, channel, tool, arguments: args, policy, tenant, asker: this.#host.name };
    const known = this.#ledger.open(record) ?? this.#ledger.read(id);
    const room = this.#room(channel);
    if (known.asker === this.#host.name) this.#ask(room, call);
    return new Promise((resolve) => {
      const look = () => {
        const now = this.#ledger.read(id);
        if (!hasEnded(now)) return;
        this.#waiting.delete(look);
        resolve(outcomeOf(now));
      };
      this.#waiting.add(look);
      look();
    });
  }

  cancel() {
    return false;
  }

  // -- the application's own code in the handler

  async prepared({ call: id }, conversation) {
    const call = await this.#calls.get(id);
    const { state } = this.#ledger.read(id);
    if (!(state in DECIDED_IN)) throw new Error(`${id} is ${state} already`);
    await call.beforeGate(call.arguments, DECIDED_IN[state]);
    return conversation.map((message) => ({ ...message, parts: message.parts.map((part) => this.#ruled(part)) }));
  }

  /** What the store says of a tool call, whatever answers the package folded into it. */
  #ruled(part) {
    const record = part.toolCallId && this.#ledger.read(part.toolCallId);
    return record ? this.#form.ruled(part, record) : part;
  }

  async execute({ call: id }) {
    const call = await this.#calls.get(id);
    const approved = this.#ledger.read(id);
    const claimed = approved.state === "approved" && this.#advance(approved, "claimed", { worker: this.#host.name });
    if (!claimed) throw new Error(`${id} is ${approved.state}: it is not this process's to run`);
    try {
      const result = await call.effect(claimed.arguments);
      this.#advance(claimed, "executed", { result });
      return result;
    } catch (error) {
      if (error instanceof this.#ToolFailed) this.#advance(claimed, "failed", { reason: error.message });
      throw error;
    }
  }

  async suspended({ call: id }) {
    const call = await this.#calls.get(id);
    this.#host.observe.requestPublished(id, id, call.arguments);
  }

  // -- asking and going on

  async #ask(room, call) {
    for (;;) {
      const wake = await order(this.#host, this.#form, room, call).catch((error) =>
        console.error(`order: ${error.message}`),
      );
      if (hasAsked(this.#form, room, call.id) || this.#ledger.read(call.id).state !== "pending") return;
      if (wake && (await this.#turned(wake))) return;
      await pause();
    }
  }

  async #goOn(record) {
    const wake = { inputEventId: record.answer, sessionName: record.channel };
    while (!(await this.#turned(wake))) {
      if (this.#ledger.read(record.id).state !== "approved") return;
      await pause();
    }
  }

  async #turned(wake) {
    try {
      await runTurn(this.#host, this.#form, wake, this);
      return true;
    } catch (error) {
      console.error(`handler: ${error.message}`);
      return false;
    }
  }

  // -- deciding

  #room(channelName) {
    const room = this.#rooms.of(channelName);
    if (!this.#inboxes.has(room)) {
      this.#inboxes.set(room, { answers: new Map(), told: new Set(), notices: new Map(), work: room.loaded });
      room.loaded.then(() => this.#announceAgain(room));
    }
    return room;
  }

  #inbox(room) {
    this.#room(room.channelName);
    return this.#inboxes.get(room);
  }

  #arrived(message, room) {
    const inbox = this.#inbox(room);
    if (fromAgent(message) && message.name === REFUSED) inbox.told.add(message.data.answer);
    if (fromAgent(message) && message.name === DECIDED) {
      inbox.notices.set(message.data.toolCallId, message.data.state);
      this.#wake();
    }
    const answer = answerIn(message);
    if (!answer || inbox.answers.has(answer.id)) return;
    inbox.answers.set(answer.id, answer);
    inbox.work = inbox.work.then(() => this.#consider(room, inbox)).catch((error) => console.error(error));
  }

  async #consider(room, inbox) {
    await room.until(() => room.complete || undefined);
    const due = [...inbox.answers.values()].filter((it) => !it.considered).sort((a, b) => (a.serial < b.serial ? -1 : 1));
    for (const answer of due) {
      answer.considered = true;
      await this.#decide(room, inbox, answer);
    }
  }

  async #decide(room, inbox, answer) {
    const record = this.#ledger.read(answer.toolCallId);
    if (!record || record.channel !== room.channelName) return this.#refuse(room, inbox, answer, "unknown-request");
    if (!(await this.#mayDecide(record, answer))) return this.#refuse(room, inbox, answer, "unauthorised");
    if (record.state !== "pending" || record.asker !== this.#host.name) return undefined;
    const { person: approver, role, choice, reason, id } = answer;
    const decided = this.#advance(record, choice, { approver, role, choice, reason, answer: id, decider: this.#host.name });
    if (decided) this.#goOn(decided);
    return undefined;
  }

  async #mayDecide({ policy, tenant }, { person, role }) {
    const standing = person && (await this.#host.standing(person));
    if (!standing?.active || standing.tenant !== tenant) return false;
    const admits = (it) => {
      if (policy.minimum_role === null) return true;
      const [due, had] = [policy.minimum_role, it].map((name) => policy.hierarchy.indexOf(name));
      return due >= 0 && had >= due;
    };
    const genuine = role === standing.role || policy.hierarchy.includes(role);
    return genuine && admits(role) && admits(standing.role);
  }

  /** Take a step durably, then report, announce and wake; undefined where another process was first. */
  #advance(before, state, changes) {
    const after = this.#ledger.advance(before, state, changes);
    if (!after) return undefined;
    if (before.state === "pending") {
      const { id, choice, approver: person, role, arguments: args } = after;
      this.#host.observe.decisionTaken(id, choice, { person, role, arguments: args, call: id });
    }
    if (state !== "claimed") this.#tell(this.#room(after.channel), DECIDED, noticeOf(after));
    this.#wake();
    return after;
  }

  #refuse(room, inbox, { id, toolCallId }, status) {
    if (inbox.told.has(id)) return;
    inbox.told.add(id);
    this.#tell(room, REFUSED, { answer: id, toolCallId, status });
  }

  async #tell(room, name, data) {
    for (;;) {
      try {
        return await room.publish(name, data);
      } catch (error) {
        console.error(`${name}: ${error.message}`);
        await pause();
      }
    }
  }

  #wake() {
    for (const look of [...this.#waiting]) look();
  }

  // -- after a restart

  #recover(record) {
    this.#room(record.channel);
    if (record.state === "claimed" && record.worker === this.#host.name) {
      this.#advance(record, "unknown", { reason: `${record.worker} stopped while the tool was running` });
    }
    if (record.state === "approved" && record.decider === this.#host.name) this.#goOn(record);
  }

  #announceAgain(room) {
    const { notices } = this.#inboxes.get(room);
    for (const record of this.#ledger.all()) {
      const stale = record.channel === room.channelName && record.state !== "pending" && record.state !== "claimed";
      if (stale && notices.get(record.id) !== record.state) this.#tell(room, DECIDED, noticeOf(record));
    }
  }
}

function outcomeOf({ state, choice = null, approver = null, role = null, result = null, reason = "" }) {
  return { status: state, choice, decided_by: approver, role, result, reason };
}
