// What the guard adds to the session: the application's own messages that say where a request stands, and which
// answers did not count.
//
// Owns their names and fields, and the reading of answers. Who sent a message, and in which role, is read from what
// the service stamped on it.
export const DECIDED = "approval-decided";
export const REFUSED = "approval-refused";
const AGENT = "agent";
const ANSWERS = ["tool-approval-response", "tool-result"];

export const noticeOf = ({ id, state, choice = null, approver = null, answer = null }) => ({
  toolCallId: id,
  state,
  choice,
  approver,
  answer,
});

/** Whether the service stamped a message as the agent side's. */
export const fromAgent = ({ clientId }) => clientId === AGENT;

/** The answer in a client's message, undefined where it is none. */
export function answerIn(message) {
  const { transport, codec } = message.extras?.ai ?? {};
  if (message.name !== "ai-input" || fromAgent(message) || !ANSWERS.includes(codec?.kind)) return undefined;
  const output = codec.kind === "tool-result" ? message.data?.output : undefined;
  const approved = codec.kind === "tool-result" ? output?.approved === true : codec.approved === "true";
  return {
    id: transport["event-id"],
    toolCallId: codec.toolCallId,
    choice: approved ? "approved" : "rejected",
    reason: codec.reason ?? output?.reason ?? "",
    person: message.clientId ?? null,
    role: message.extras.userClaim ?? null,
    serial: message.serial,
  };
}
