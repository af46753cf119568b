// One invocation of the agent, as Ably's documentation writes its handler: hydrate, start or resume the run, let
// the model stream into it, then suspend or end it.
//
// Owns nothing between two invocations. Every invocation has a connection of its own, as on a platform that runs
// each in a fresh process: the documented handler detaches the channel when it is done, and a connection that two
// invocations share would cut the other one off.
import { Invocation } from "@ably/ai-transport";
import { createAgentSession, vercelRunOutcome } from "@ably/ai-transport/vercel";
import { convertToModelMessages, isStepCount, streamText } from "ai";

import { connect } from "./realtime.mjs";
import { ScriptedModel, orderIn } from "./script.mjs";

const STEPS_MAX = 4;

/**
 * Run one invocation. `hooks` are the application's own code: `prepared(order, conversation)` runs above the gate and
 * may return another conversation, `execute(order, input)` is the tool, `suspended(order)` and `ended(order)` are
 * told how it ended.
 */
export async function runTurn(host, form, wake, hooks) {
  const realtime = connect(host);
  try {
    const invocation = Invocation.fromJSON(wake);
    const session = createAgentSession({ client: realtime, channelName: invocation.sessionName });
    session.on("error", (error) => console.error(`agent session: ${error.message}`));
    await session.connect();
    const run = session.createRun(invocation, undefined, {
      onError: (error) => console.error(`run ${run.runId}: ${error.message}`),
    });
    while (run.view.hasOlder()) await run.view.loadOlder();
    await run.start();
    const seen = run.view.getMessages().map(({ message }) => message);
    const order = orderIn(seen);
    const conversation = (await hooks.prepared(order, seen)) ?? seen;

    const result = streamText({
      model: new ScriptedModel(order, form),
      messages: await convertToModelMessages(conversation),
      tools: form.tools(order, (input) => hooks.execute(order, input)),
      stopWhen: isStepCount(STEPS_MAX),
      abortSignal: run.abortSignal,
      onError: ({ error }) => console.error(`model: ${error?.message ?? error}`),
    });
    const piped = await run.pipe(result.toUIMessageStream());
    const outcome = await vercelRunOutcome(piped, result.finishReason);
    if (outcome.reason === "suspend") {
      await run.suspend();
      await hooks.suspended(order);
    } else {
      await run.end(outcome);
    }
    await session.end();
  } finally {
    realtime.close();
  }
}
