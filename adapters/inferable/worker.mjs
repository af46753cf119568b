// One agent process: the real worker of the npm package "inferable", and the backend that starts runs with it.
//
// Owns two sides that a user of the package writes: functions that return approvalRequest() until they are
// approved, and the code that starts a run and waits for its end. Everything between them, polling, results and
// the second call of the function, is the package's. With "claims" it has what the hardened form has: the
// side effect starts only after a claim in a folder that all workers share, and a repetition returns its result.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { serve, ToolFailed } from "hitl-adapter-kit";
import sdk from "inferable";

const { Inferable, approvalRequest, createApiClient } = sdk;
const CANCELLED = "This call was cancelled by the user.";
const DENIED = "This call was denied by the user.";
const NOTICE_RETRIES = 5; // being told twice does no harm
const SLOWEST = 86_400; // the longest pause between two looks at a run, in shortest ones
const EXPIRED = "This call was not answered before its deadline.";

/** Let HTTP requests wait without a limit, and keep no idle connection: a deployment's choice of timeouts. */
function waitPatiently() {
  void globalThis.Response; // has Node load its HTTP client
  const dispatcher = Symbol.for("undici.globalDispatcher.1");
  const Agent = globalThis[dispatcher].constructor;
  globalThis[dispatcher] = new Agent({ headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 1 });
}

/** A repetition cannot tell whether the side effect happened. */
class OutcomeUnknown extends Error {
  name = "OutcomeUnknown";
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const functionName = (tool) => tool.replaceAll(/[^a-zA-Z0-9]/g, "");

/** Small files that are there as a whole or not at all, and survive a kill. */
class Folder {
  constructor(...path) {
    this.path = join(...path);
    mkdirSync(this.path, { recursive: true });
  }

  read(name) {
    const file = join(this.path, name);
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  }

  write(name, value) {
    const file = join(this.path, name);
    this.#put(`${file}.new`, "w", value);
    renameSync(`${file}.new`, file);
  }

  /** Write what is not there yet; returns whether it was this call that did. */
  create(name, value) {
    try {
      this.#put(join(this.path, name), "wx", value);
    } catch (error) {
      if (error.code === "EEXIST") return false;
      throw error;
    }
    return true;
  }

  #put(file, flags, value) {
    const descriptor = openSync(file, flags);
    writeSync(descriptor, JSON.stringify(value));
    fsyncSync(descriptor);
    closeSync(descriptor);
  }
}

class Worker {
  #host;
  #endpoint;
  #pace; // milliseconds
  #services = new Map(); // a promise of the client by cluster and tool, once its worker polls
  #runs = new Map(); // a promise of the run's id by call
  #waiting = new Map(); // wakes who waits for the end of a run, by its id
  #known;
  #claims;
  #results;

  constructor(host) {
    const { host: name, port, pace_ms, patient } = host.services.inferable;
    this.#host = host;
    this.#endpoint = `http://${name}:${port}`;
    this.#pace = pace_ms;
    if (patient) waitPatiently();
    this.#known = new Folder(host.directory, "runs");
    if (host.services.inferable.claims) {
      this.#claims = new Folder(host.shared, "claims");
      this.#results = new Folder(host.shared, "results");
    }
  }

  // -- the worker

  /** The client of a cluster once the services of this process that a tool needs are registered and poll. */
  async #service(cluster, tool) {
    const { retries, timeout_s } = this.#host.services.inferable;
    const config = { retryCountOnStall: retries, timeoutSeconds: timeout_s };
    const told = { ...config, retryCountOnStall: NOTICE_RETRIES };
    const notices = this.#noticesName();
    await this.#started(cluster, notices, told, ({ runId }) => this.#nudge(runId));
    return this.#started(cluster, functionName(tool), config, (input, context) => this.#called(input, context));
  }

  #started(cluster, name, config, func) {
    const key = JSON.stringify([cluster, name]);
    if (!this.#services.has(key)) this.#services.set(key, this.#start(cluster, name, config, func));
    return this.#services.get(key);
  }

  /** The service by which this process, and no other, is told that a run is done. */
  #noticesName() {
    return functionName(`notices ${this.#host.name}`);
  }

  async #start(cluster, name, config, func) {
    for (;;) {
      const client = new Inferable({
        apiSecret: this.#keyOf(cluster),
        endpoint: this.#endpoint,
        machineId: this.#host.name,
      });
      const service = client.service({ name });
      service.register({ name, config, func });
      try {
        await service.start();
        return client;
      } catch {
        await sleep(this.#pace);
      }
    }
  }

  #keyOf(cluster) {
    return this.#host.services.inferable.key_prefix + cluster;
  }

  /** The registered function, as the package's documentation writes one. */
  async #called(input, context) {
    const { call } = context.runContext;
    const application = this.#host.application(call);
    await application.beforeGate(input, context.approved);
    if (!context.approved) {
      return approvalRequest();
    }
    return this.#claims ? this.#once(call, () => application.effect(input)) : application.effect(input);
  }

  async #once(call, effect) {
    if (!this.#claims.create(call, this.#host.name)) {
      const before = this.#results.read(call);
      if (before === undefined) throw new OutcomeUnknown("another worker began this and left no result");
      if (before.failed !== undefined) throw new ToolFailed(before.failed);
      return before.ok;
    }
    try {
      const ok = await effect();
      this.#results.write(call, { ok });
      return ok;
    } catch (error) {
      if (error instanceof ToolFailed) this.#results.write(call, { failed: error.message });
      throw error;
    }
  }

  // -- the backend

  async callTool(call) {
    if (!this.#runs.has(call.id)) this.#runs.set(call.id, this.#runOf(call));
    const id = await this.#runs.get(call.id);
    const client = await this.#service(call.tenant, call.tool);
    const run = await this.#persistently(() => client.run({ id }));
    return outcome(await this.#end(run));
  }

  async cancel(id) {
    await this.#runs.get(id);
    const known = this.#known.read(id);
    if (known === undefined) return false;
    return this.#persistently(() => this.#cancelCall(known.cluster, known.run));
  }

  /** The run of a call: as it is remembered, as the control plane lists it, or a new one. */
  async #runOf(call) {
    const known = this.#known.read(call.id);
    if (known !== undefined) return known.run;
    const client = await this.#service(call.tenant, call.tool);
    return this.#persistently(() => this.#findOrStart(call, client));
  }

  async #findOrStart(call, client) {
    const api = this.#api(call.tenant);
    const query = { metadata: `call:${call.id}` };
    const listed = await api.listRuns({ params: { clusterId: call.tenant }, query });
    if (listed.status !== 200) throw new Error(`runs cannot be listed: ${listed.status}`);
    const found = listed.body[0]?.id ?? (await this.#startRun(call, client));
    this.#known.write(call.id, { run: found, cluster: call.tenant });
    return found;
  }

  async #startRun(call, client) {
    const { id, tool, session, tenant, requester, deadline_ns, policy } = call;
    const name = functionName(tool);
    const run = await client.run({
      initialPrompt: `Call ${tool}`,
      attachedFunctions: [{ service: name, function: name }],
      input: call.arguments,
      context: { call: id, tool, session, tenant, requester, deadline_ns, policy },
      metadata: { call: id },
      onStatusChange: { function: { service: this.#noticesName(), function: this.#noticesName() } },
    });
    return run.id;
  }

  /** Wait for the end of a run: asking less and less often, and at once when a notice says that it is there. */
  async #end(run) {
    for (let pause = this.#pace; ; pause = Math.min(2 * pause, SLOWEST * this.#pace)) {
      const nudged = new Promise((resolve) => this.#waiting.set(run.id, () => resolve(true)));
      const ended = await run.poll({ maxWaitTime: 1, interval: 1 }).catch(() => undefined);
      if (ended !== undefined) return ended;
      if (await Promise.race([nudged, sleep(pause)])) pause = this.#pace / 2;
    }
  }

  #nudge(run) {
    this.#waiting.get(run)?.();
    return "told";
  }

  /** Cancel the one call of a run; returns whether the call now says so. */
  async #cancelCall(clusterId, runId) {
    const api = this.#api(clusterId);
    const timeline = await api.getRunTimeline({ params: { clusterId, runId }, query: {} });
    if (timeline.status !== 200) throw new Error(`the run cannot be read: ${timeline.status}`);
    const { id } = timeline.body.jobs[0];
    const url = `${this.#endpoint}/clusters/${clusterId}/calls/${id}/cancel`;
    const answer = await fetch(url, { method: "POST", headers: { authorization: this.#keyOf(clusterId) } });
    if (answer.status === 200) return (await answer.json()).cancelled;
    const read = await api.getCall({ params: { clusterId, callId: id } });
    if (read.status !== 200) throw new Error(`the call cannot be read: ${read.status}`);
    return read.body.result?.message === CANCELLED;
  }

  #api(clusterId) {
    return createApiClient({
      baseUrl: this.#endpoint,
      machineId: this.#host.name,
      apiSecret: this.#keyOf(clusterId),
    });
  }

  /** Try until it works: the package itself does not repeat what a network lost. */
  async #persistently(attempt) {
    for (let pause = this.#pace; ; pause = Math.min(2 * pause, 20 * this.#pace)) {
      try {
        return await attempt();
      } catch (error) {
        console.error(`trying again: ${error.message}`);
        await sleep(pause);
      }
    }
  }
}

/** What the caller is told of a run that is done. */
function outcome({ result: call }) {
  const decision = call.decision ?? {};
  const who = { choice: decision.choice, decided_by: decision.person, role: decision.role };
  if (call.status === "failure") {
    return { ...who, status: "unknown", reason: "the call stalled more often than it may be tried" };
  }
  if (call.resultType === "resolution") {
    return { ...who, status: "executed", result: call.result, choice: "approved" };
  }
  const { name, message } = call.result ?? {};
  const reason = decision.reason || message;
  if (message === DENIED) return { ...who, status: "rejected", choice: "rejected", reason };
  if (message === CANCELLED) return { status: "cancelled", reason: message };
  if (message === EXPIRED) return { status: "expired", reason: message };
  if (name === "OutcomeUnknown") return { ...who, status: "unknown", reason: message };
  return { ...who, status: "failed", choice: "approved", reason: message };
}

serve({
  manifest: {
    name: "inferable",
    version: Inferable.getVersion(),
    summary: "the worker of the npm package inferable",
    homepage: "https://docs.inferable.ai",
    style: "re-invoking",
    clocks: ["real", "virtual"],
    offers: {},
  },
  bootAgent: async (host) => new Worker(host),
  joinDevice: async () => {
    throw new Error("devices answer by the API of the control plane; they are no processes of this script");
  },
});
