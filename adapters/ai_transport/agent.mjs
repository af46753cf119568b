// The agent's host as documented: a handler that is woken by invocations, and the caller who waits for an outcome.
//
// Owns the caller's side (it asks in the session and watches its run) and where the application's own code stands in
// the handler. What was decided is read from the conversation, as the package folds it.
import { connect, channelOf } from "./realtime.mjs";
import { createUIMessageCodec } from "@ably/ai-transport/vercel";

import { takeInvocations } from "./ingress.mjs";
import { Room } from "./room.mjs";
import { orderText } from "./script.mjs";
import { runTurn } from "./turn.mjs";

const codec = createUIMessageCodec();
const TERMINAL = ["complete", "cancelled", "error"];
const orderId = (call) => `order-${call}`;

/** The calls that the harness made of this process, for handlers that are woken before or after. */
export class Calls {
  #known = new Map();
  #waiting = new Map();

  add(call) {
    this.#known.set(call.id, call);
    this.#waiting.get(call.id)?.forEach((resolve) => resolve(call));
    this.#waiting.delete(call.id);
  }

  get(id) {
    const known = this.#known.get(id);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]));
  }
}

/** The sessions of one host, one room each. */
export class Rooms {
  #rooms = new Map();

  constructor(host, listeners = {}) {
    this.realtime = connect(host);
    this.listeners = listeners;
  }

  of(channelName) {
    if (!this.#rooms.has(channelName)) {
      this.#rooms.set(channelName, new Room(this.realtime, channelName, this.listeners));
    }
    return this.#rooms.get(channelName);
  }
}

/**
 * Put the call's order into its session, once; returns the invocation that is due, undefined where a run has asked
 * already. A caller that was interrupted before that wakes the agent again.
 */
export async function order(host, form, room, call) {
  await room.loaded;
  const said = room.message(orderId(call.id));
  if (said) {
    const inputEventId = room.eventIds.get(said.codecMessageId);
    return hasAsked(form, room, call.id) ? undefined : { inputEventId, sessionName: room.channelName };
  }
  const text = orderText({ call: call.id, host: host.name, tool: call.tool, arguments: call.arguments });
  const message = { id: orderId(call.id), role: "user", parts: [{ type: "text", text }] };
  const run = await room.send(codec.createUserMessage(message));
  return run.toInvocation().toJSON();
}

/** Whether a run has asked for approval of a call, whatever became of it since. */
export function hasAsked(form, room, id) {
  const part = room.toolPart(id)?.part;
  return part !== undefined && (part.state === form.pendingState || form.decided(part) !== undefined);
}

export class DocumentedAgent {
  #host;
  #form;
  #calls = new Calls();
  #rooms;
  #reported = new Map();

  constructor(host, form) {
    this.#host = host;
    this.#form = form;
    this.#rooms = new Rooms(host);
    takeInvocations(host, (wake) => this.#handle(wake));
  }

  async callTool(call) {
    this.#calls.add(call);
    const room = this.#rooms.of(channelOf(call.tenant, call.session));
    const wake = await order(this.#host, this.#form, room, call);
    if (wake) this.#handle(wake);
    return room.until(() => this.#outcome(room, call));
  }

  cancel() {
    return false;
  }

  #handle(wake) {
    runTurn(this.#host, this.#form, wake, this).catch((error) => console.error(`handler: ${error.message}`));
  }

  async prepared({ call: id }, conversation) {
    const call = await this.#calls.get(id);
    const decided = this.#decided(conversation, id);
    if (decided === false) this.#report(call, "rejected");
    await call.beforeGate(call.arguments, decided === true);
  }

  async execute({ call: id }, input) {
    const call = await this.#calls.get(id);
    this.#report(call, "approved", input);
    return call.effect(input);
  }

  async suspended({ call: id }) {
    const call = await this.#calls.get(id);
    this.#host.observe.requestPublished(id, id, call.arguments);
  }

  #decided(conversation, id) {
    const part = conversation.flatMap(({ parts }) => parts).findLast((it) => it.toolCallId === id);
    return part && this.#form.decided(part);
  }

  #report(call, choice, args = null) {
    if (this.#reported.get(call.id) === choice) return;
    this.#reported.set(call.id, choice);
    this.#host.observe.decisionTaken(call.id, choice, { call: call.id, arguments: args });
  }

  #outcome(room, { id }) {
    const gate = room.toolPart(id);
    if (!TERMINAL.includes(gate?.run?.status)) return undefined;
    const decided = this.#form.decided(gate.part);
    if (decided === false) return { status: "rejected", choice: "rejected" };
    const done = this.#form.executed([...room.toolParts()], gate);
    if (done?.state === "output-available") return { status: "executed", choice: "approved", result: done.output };
    if (done?.state === "output-error") return { status: "failed", choice: "approved", reason: done.errorText };
    return { status: "unknown", reason: `the run is ${gate.run.status}, its tool call ${done?.state ?? "unknown"}` };
  }
}
