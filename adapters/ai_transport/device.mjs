// A person's device as documented: it shows what is pending in the person's sessions, publishes an answer to the
// message that asks, and wakes the agent.
//
// Owns the screen. What it shows is the session's view, as the package folds it.
import { connect, channelOf } from "./realtime.mjs";
import { postInvocation } from "./ingress.mjs";
import { Room } from "./room.mjs";
import { orderIn } from "./script.mjs";

const PATIENCE_MS = 20_000;

/** What `work` gives, or `late` where it takes too long. */
export function within(work, late) {
  let timer;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE_MS, late)));
  return Promise.race([work, patience]).finally(() => clearTimeout(timer));
}

export class DocumentedDevice {
  constructor(host, person, form, arrived) {
    this.host = host;
    this.form = form;
    this.realtime = connect(host);
    this.rooms = person.sessions.map(
      (session) =>
        new Room(this.realtime, channelOf(person.tenant, session), {
          changed: () => host.observe.screenChanged(),
          arrived,
        }),
    );
  }

  pending() {
    return [...this.gates()].filter(({ part }) => part.state === this.form.pendingState).map((gate) => this.card(gate));
  }

  /** Edits of the arguments have no place in an answer of this package; they are left out. */
  async respond(request, { choice, reason }) {
    const gate = await this.found(request);
    if (!gate) return this.unknown();
    return within(this.publish(gate, choice, reason), { status: "unknown", note: "no acknowledgement came" });
  }

  settled(request) {
    const gate = this.gate(request);
    const decided = gate && this.form.decided(gate.part);
    if (decided === undefined) return null;
    if (!decided) return { status: "rejected", choice: "rejected" };
    const done = this.form.executed([...gate.room.toolParts()], gate);
    const status = { "output-available": "executed", "output-error": "failed" }[done?.state] ?? "unknown";
    return { status, choice: "approved" };
  }

  *gates() {
    for (const room of this.rooms) {
      for (const tool of room.toolParts()) if (this.form.gates(tool)) yield { ...tool, room };
    }
  }

  gate(request) {
    return [...this.gates()].findLast(({ part }) => part.toolCallId === request);
  }

  card(gate) {
    const { toolCallId } = gate.part;
    return { request: toolCallId, call: toolCallId, ...this.form.shown(gate) };
  }

  async found(request) {
    const loaded = Promise.all(this.rooms.map((room) => room.loaded));
    await within(loaded);
    return this.gate(request);
  }

  unknown() {
    const { state, errorReason } = this.realtime.connection;
    if (state === "failed") return { status: "unauthorised", note: `the service refuses: ${errorReason?.message}` };
    if (state !== "connected") return { status: "unknown", note: `not connected: ${state}` };
    return { status: "unknown-request", note: "no such request in this person's sessions" };
  }

  /**
   * Publish the answer as documented and wake the agent. Nobody answers an answer: what a person is told is what the
   * screen shows when the service has acknowledged it, a pending request that bears this person's choice now.
   */
  async publish(gate, choice, reason) {
    const wasPending = gate.part.state === this.form.pendingState;
    try {
      const run = await this.send(gate, choice, reason);
      const shown = this.form.decided(this.gate(gate.part.toolCallId).part);
      await this.wake(gate, run);
      return wasPending && shown === (choice === "approved") ? { status: "decided", choice } : { status: "sent" };
    } catch (error) {
      return { status: "unknown", note: error.message };
    }
  }

  send({ room, entry, part, run }, choice, reason) {
    const answer = this.form.answer(entry.codecMessageId, part.toolCallId, choice === "approved", reason);
    return room.send(answer, { runId: run.runId });
  }

  wake({ room, part }, run) {
    const messages = room.session.view.getMessages().map(({ message }) => message);
    const { host } = orderIn(messages.filter(({ id }) => id === `order-${part.toolCallId}`));
    return postInvocation(this.host, host, run.toInvocation().toJSON());
  }
}
