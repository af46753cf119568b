// The two documented forms of the pattern: approval of a tool that has an `execute`, and a tool without one whose
// result any client submits.
//
// Owns, for each, the tools that the agent defines, how a client answers, and how a tool part is read.
import { jsonSchema, tool } from "ai";

import { APPROVAL_TOOL, executionOf } from "./script.mjs";

const ANYTHING = jsonSchema({ type: "object" });

/** Whether the conversation holds an approval of this very tool call; as Ably's documentation writes it. */
function isApprovedToolCall(toolCallId, messages) {
  const parts = (role) =>
    messages.filter((it) => it.role === role && typeof it.content !== "string").flatMap((it) => it.content);
  const asked = new Map(
    parts("assistant")
      .filter(({ type }) => type === "tool-approval-request")
      .map((it) => [it.approvalId, it.toolCallId]),
  );
  return parts("tool").some(
    (it) => it.type === "tool-approval-response" && it.approved && asked.get(it.approvalId) === toolCallId,
  );
}

/** A tool part without what became of it. */
const bare = ({ type, toolName, toolCallId, input }) => ({ type, ...(toolName ? { toolName } : {}), toolCallId, input });

const submission = (approved, reason) =>
  approved ? { approved } : { approved, reason: reason || "User declined" };

const NEEDS_APPROVAL = {
  asksFirst: false,
  pendingState: "approval-requested",

  tools: (order, execute) => ({
    [order.tool]: tool({
      inputSchema: ANYTHING,
      needsApproval: (_input, { toolCallId, messages }) => !isApprovedToolCall(toolCallId, messages),
      execute,
    }),
  }),

  gates: () => true,
  shown: ({ part, name }) => ({ tool: name, arguments: part.input }),

  answer: (codecMessageId, toolCallId, approved, reason) => ({
    kind: "tool-approval-response",
    codecMessageId,
    payload: { toolCallId, approved, ...(reason ? { reason } : {}) },
  }),

  /** What was decided by the state of the part: true, false, or undefined while it is pending. */
  decided: ({ state }) => {
    if (state === "output-denied") return false;
    return ["approval-responded", "output-available", "output-error"].includes(state) ? true : undefined;
  },

  executed: (_parts, gate) => gate.part,

  /** The tool part as a durable record of its call has it. */
  ruled: (part, { state, reason, result }) => {
    const same = bare(part);
    const id = part.approval?.id || part.toolCallId;
    if (state === "pending") return { ...same, state: "approval-requested", approval: { id } };
    if (state === "rejected") {
      return { ...same, state: "output-denied", approval: { id, approved: false, ...(reason ? { reason } : {}) } };
    }
    const approved = { ...same, approval: { id, approved: true } };
    if (state === "executed") return { ...approved, state: "output-available", output: result };
    if (state === "approved") return { ...approved, state: "approval-responded" };
    return { ...approved, state: "output-error", errorText: reason || state };
  },
};

const CLIENT_TOOL = {
  asksFirst: true,
  pendingState: "input-available",

  tools: (order, execute) => ({
    [APPROVAL_TOOL]: tool({ inputSchema: ANYTHING }),
    [order.tool]: tool({ inputSchema: ANYTHING, execute }),
  }),

  gates: ({ name }) => name === APPROVAL_TOOL,
  shown: ({ part }) => ({ tool: part.input.action, arguments: part.input.details }),

  answer: (codecMessageId, toolCallId, approved, reason) => ({
    kind: "tool-result",
    codecMessageId,
    payload: { toolCallId, output: submission(approved, reason) },
  }),

  decided: ({ state, output }) => (state === "output-available" ? output?.approved === true : undefined),

  executed: (parts, gate) => parts.find(({ part }) => part.toolCallId === executionOf(gate.part.toolCallId))?.part,

  ruled: (part, { state, reason }) => {
    const same = bare(part);
    if (state === "pending") return { ...same, state: "input-available" };
    return { ...same, state: "output-available", output: submission(state !== "rejected", reason) };
  },
};

export const FORMS = { "needs-approval": NEEDS_APPROVAL, "client-tool": CLIENT_TOOL };
