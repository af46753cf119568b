// A person's device with the guard: what is decided is what the agent side announced, and an answer's receipt says what
// became of it.
//
// Owns the reading of announcements. The package's own view still shows requests; it is not asked how they ended.
import { DocumentedDevice, within } from "./device.mjs";
import { DECIDED, REFUSED, fromAgent } from "./notices.mjs";

const ENDS = ["executed", "rejected", "failed", "unknown"];

export class GuardedDevice extends DocumentedDevice {
  #notices;
  #refusals;

  constructor(host, person, form) {
    const notices = new Map();
    const refusals = new Map();
    super(host, person, form, (message, room) => {
      if (!fromAgent(message)) return;
      if (message.name === REFUSED) refusals.set(message.data.answer, message.data.status);
      if (message.name === DECIDED) keepLater(notices, message.data);
      if ([REFUSED, DECIDED].includes(message.name)) room.change();
    });
    this.#notices = notices;
    this.#refusals = refusals;
  }

  pending() {
    const open = [...this.gates()].filter(({ part }) => this.#asks(part) && !this.#notices.has(part.toolCallId));
    return [...new Map(open.map((gate) => [gate.part.toolCallId, this.card(gate)])).values()];
  }

  settled(request) {
    const notice = this.#notices.get(request);
    if (!notice) return null;
    const status = ENDS.includes(notice.state) ? notice.state : "unknown";
    return { status, choice: notice.choice, decided_by: notice.approver };
  }

  async publish(gate, choice, reason) {
    const { toolCallId } = gate.part;
    if (this.#notices.has(toolCallId)) return this.#receipt(toolCallId);
    try {
      const run = await this.send(gate, choice, reason);
      this.wake(gate, run).catch((error) => console.error(`wake: ${error.message}`));
      return await within(gate.room.until(() => this.#receipt(toolCallId, run.inputEventId)), {
        status: "unknown",
        note: "no word from the agent",
      });
    } catch (error) {
      return { status: "unknown", note: error.message };
    }
  }

  /** Whether a tool part asks or once asked, however the package folded answers into it since. */
  #asks(part) {
    return part.state === this.form.pendingState || this.form.decided(part) !== undefined;
  }

  #receipt(toolCallId, answer) {
    const refused = this.#refusals.get(answer);
    if (refused) return { status: refused };
    const notice = this.#notices.get(toolCallId);
    if (!notice) return undefined;
    const status = notice.answer === answer ? "decided" : "already-decided";
    return { status, winner: notice.approver, choice: notice.choice };
  }
}

/** Keep a notice unless one that ends its request is kept already. */
function keepLater(notices, notice) {
  const known = notices.get(notice.toolCallId);
  if (!known || !ENDS.includes(known.state)) notices.set(notice.toolCallId, notice);
}
