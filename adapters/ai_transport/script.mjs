// The scripted model: it reads the conversation and answers as a model with tools would, without a network.
//
// Owns what the model says. A user's message holds the tool call that the model is to make; all else follows from
// the last thing in the prompt, so that every process gives the same answer.
const USAGE = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };

export const APPROVAL_TOOL = "requestApproval";
export const executionOf = (toolCallId) => `${toolCallId}-execution`;

/** The text of the user's message that makes the model call a tool. */
export const orderText = (order) => JSON.stringify(order);

/** The order in a conversation of UI messages: { call, host, tool, arguments }. */
export function orderIn(conversation) {
  const asked = conversation.findLast(({ role }) => role === "user");
  return asked && JSON.parse(asked.parts.find(({ type }) => type === "text").text);
}

export class ScriptedModel {
  specificationVersion = "v4";
  provider = "scripted";
  modelId = "scripted";
  supportedUrls = {};
  #order;
  #asksFirst;

  /** `asksFirst` says that the model asks for approval by a tool of its own before it calls the ordered one. */
  constructor(order, { asksFirst }) {
    this.#order = order;
    this.#asksFirst = asksFirst;
  }

  async doStream({ prompt }) {
    const chunks = [{ type: "stream-start", warnings: [] }, ...this.#answer(prompt.at(-1))];
    return { stream: ReadableStream.from(chunks) };
  }

  #answer(last) {
    const { call, tool, arguments: args } = this.#order;
    if (last.role === "user") {
      return this.#asksFirst
        ? toolCall(call, APPROVAL_TOOL, { action: tool, details: args })
        : toolCall(call, tool, args);
    }
    const approved = last.content?.some?.((part) => part.toolName === APPROVAL_TOOL && part.output?.value?.approved === true);
    return approved ? toolCall(executionOf(call), tool, args) : text("So be it.");
  }
}

function toolCall(id, toolName, input) {
  const json = JSON.stringify(input);
  return [
    { type: "tool-input-start", id, toolName },
    { type: "tool-input-delta", id, delta: json },
    { type: "tool-input-end", id },
    { type: "tool-call", toolCallId: id, toolName, input: json },
    { type: "finish", finishReason: { unified: "tool-calls", raw: undefined }, usage: USAGE },
  ];
}

function text(said) {
  return [
    { type: "text-start", id: "said" },
    { type: "text-delta", id: "said", delta: said },
    { type: "text-end", id: "said" },
    { type: "finish", finishReason: { unified: "stop", raw: undefined }, usage: USAGE },
  ];
}
