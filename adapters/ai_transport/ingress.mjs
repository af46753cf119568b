// The application's endpoint that wakes agents: clients POST invocations, the agent's host fetches its own.
//
// Owns both ends' use of it. The endpoint keeps an invocation until the agent has taken it and delivers it again
// where that remained unsaid, as queues in front of agents do; a client posts once, as documented.
import { request } from "node:http";

const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 60_000;

function exchange({ host, port }, method, path, body = "") {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asked = request({ host, port, method, path, headers, agent: false }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const said = Buffer.concat(chunks).toString();
        if (answer.statusCode < 300) resolve(said && JSON.parse(said));
        else reject(new Error(`the endpoint answered ${answer.statusCode}: ${said}`));
      });
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const place = (agent) => `/agents/${encodeURIComponent(agent)}/invocations`;

/** Wake the agent of a host; rejects where the endpoint cannot be reached. */
export const postInvocation = (host, agent, invocation) =>
  exchange(host.services.ingress, "POST", place(agent), JSON.stringify(invocation));

/** Hand every invocation of this host's agent to `invoked`; each is taken before it is worked on. */
export async function takeInvocations(host, invoked) {
  let done = 0;
  let again = AGAIN_MS;
  for (;;) {
    try {
      const next = await exchange(host.services.ingress, "GET", `${place(host.name)}?done=${done}`);
      again = AGAIN_MS;
      done = next.number;
      invoked(next.invocation);
    } catch (error) {
      console.error(`invocations: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, again));
      again = Math.min(2 * again, AGAIN_MS_MAX);
    }
  }
}
