// The kit for adapters in Node: serve({ manifest, bootAgent, joinDevice }) speaks contract number 1 of
// hitl-harness over standard input and output, and an adapter is two classes of ordinary code.
//
// Owns lines, ids and the order in which answers are written. What console.log writes goes to standard error, so
// that only the contract is on standard output. Fields keep the contract's names (snake_case). Types: kit.d.ts.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Bell } from "./bell.mjs";

const CONTRACT = 1;
const RESPOND_MS = 45_000; // the harness waits for 60 s
const UNAUTHORIZED = 401;

/** The application's own tool failed while it carried out the side effect. */
export class ToolFailed extends Error {}

const wire = globalThis.hitlWire ?? standardStreams();

/** Serve the harness until it says close or its end of the pipe is closed. */
export function serve(adapter) {
  console.log = console.info = console.debug = console.error;
  const served = new Served(adapter);
  wire.listen((line) => served.line(line), () => process.exit(0));
}

function standardStreams() {
  return {
    write(line) {
      let bytes = Buffer.from(line);
      while (bytes.length > 0) {
        try {
          bytes = bytes.subarray(writeSync(1, bytes));
        } catch (error) {
          if (error.code !== "EAGAIN") throw error;
        }
      }
    },
    listen(onLine, onEnd) {
      const rest = [];
      process.stdin.on("data", (data) => {
        let from = 0;
        for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, from)) {
          rest.push(data.subarray(from, at));
          onLine(Buffer.concat(rest.splice(0)).toString());
          from = at + 1;
        }
        if (from < data.length) rest.push(data.subarray(from));
      });
      process.stdin.on("end", onEnd);
      process.stdin.on("error", onEnd);
    },
  };
}

const send = (record) => wire.write(`${JSON.stringify(record)}\n`);

/** What a process knows of the host that it is, and what it may ask and report there. */
class Host {
  #served;

  constructor(served, boot) {
    this.#served = served;
    this.name = boot.host;
    this.incarnation = boot.incarnation;
    this.directory = boot.directory;
    this.shared = boot.shared;
    this.services = boot.services;
    this.agentToken = boot.agent_token;
    this.person = boot.person;
    this.token = boot.token;
    this.options = served.options;
    this.started = { now_ns: boot.now_ns, at: performance.now() };
    this.observe = {
      requestPublished: (request, call, args) =>
        send({ observed: "request_published", request, call, arguments: args }),
      decisionTaken: (request, choice, more = {}) =>
        send({ observed: "decision_taken", request, choice, ...more }),
      requestExpired: (request, call = null) => send({ observed: "request_expired", request, call }),
      screenChanged: () => send({ observed: "screen_changed" }),
    };
  }

  /** What an agent kept under a key, in earlier lives and on other hosts too; null for nothing. */
  kept(key) {
    const place = this.#placeOf(key);
    return existsSync(place) ? JSON.parse(readFileSync(place, "utf8")) : null;
  }

  /**
   * Keep a value under a key for all agents, unless one kept something; returns whether it was this one. It is on
   * disk when this returns. Of several at once one succeeds.
   */
  keepOnce(key, value) {
    const fresh = this.#placeOf(`${key} ${this.name}`);
    writeDurably(fresh, JSON.stringify(value));
    try {
      linkSync(fresh, this.#placeOf(key));
      return true;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      return false;
    } finally {
      unlinkSync(fresh);
    }
  }

  #placeOf(key) {
    return join(this.shared, encodeURIComponent(`${key}.json`));
  }

  /** The channel of the session in which a call is made. */
  channel(call) {
    return new Channel(this, call.tenant, call.session);
  }

  /**
   * Call saw(channel, name, record) for every message of this device's sessions, in order. After each the screen
   * is said to have changed.
   */
  watch(saw) {
    for (const session of this.person.sessions) {
      const channel = new Channel(this, this.person.tenant, session);
      this.#watch(channel, saw).catch((error) => console.error(error));
    }
  }

  async #watch(channel, saw) {
    for await (const [name, record] of channel.follow()) {
      saw(channel, name, record);
      this.observe.screenChanged();
    }
  }

  /** This host's wall clock in nanoseconds since the start of the run. */
  nowNs() {
    return this.started.now_ns + Math.round((performance.now() - this.started.at) * 1e6);
  }

  /** Whom a token speaks for; rejects with the reason where it speaks for nobody. */
  verify(token) {
    return this.#served.ask("verify", { token });
  }

  /** Whom a token speaks for, null where it speaks for nobody. */
  identity(token) {
    return this.verify(token).catch(() => null);
  }

  /** The directory's present record of a person, or null. */
  standing(person) {
    return this.#served.ask("standing", { person });
  }

  /** A fresh token of the identity provider: the person's on a device, the agent's on an agent. */
  freshToken() {
    return this.#served.ask("token", {});
  }

  /** The application's own code of a call, which a worker may carry out though another process was asked for it. */
  application(call) {
    return this.#served.application(call);
  }

  /** Exchange a token of the identity provider for an Ably JWT: { text, client_id }. */
  ablyToken(token) {
    return this.#served.ask("ably_token", { token });
  }
}

/**
 * One session's channel on the run's Ably service. A request is repeated until it is answered; it rejects where
 * the answer is no. Tokens that ran out are renewed.
 */
export class Channel {
  #host;
  #name;
  #token;

  constructor(host, tenant, session) {
    this.#host = host;
    this.#name = `approvals:${tenant}:${session}`;
    this.#token = host.services.ably.token;
  }

  /** Publish a record under a name; of several with the same `once` the channel keeps the first. */
  publish(name, record, once) {
    const id = once === undefined ? {} : { id: `${once}:${name}` };
    return this.#request("POST", "", JSON.stringify({ name, data: JSON.stringify(record), ...id }));
  }

  /** Every message in order as [name, record], old ones first, for ever. */
  async *follow() {
    const bell = new Bell(this.#name, () => this.#realtime());
    for (let seen = 0; ; await bell.wait()) {
      const found = await this.#request("GET", "?direction=forwards&limit=1000");
      for (const message of found.slice(seen)) {
        const record = parsed(message.data);
        if (record !== null && typeof record === "object") yield [message.name ?? "", record];
      }
      seen = Math.max(seen, found.length);
    }
  }

  #place(scheme, vendor) {
    const { host, port, tls } = this.#host.services.ably;
    return `${scheme}${tls ? "s" : ""}://${host || vendor}:${port}`;
  }

  async #realtime() {
    const query = new URLSearchParams({ v: "2", format: "json", accessToken: this.#token });
    return `${this.#place("ws", "realtime.ably.io")}/?${query}`;
  }

  async #request(method, query, body) {
    const url = `${this.#place("http", "rest.ably.io")}/channels/${this.#name}/messages${query}`;
    for (let renewed = false; ; ) {
      const headers = { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" };
      let reply, answer;
      try {
        const signal = AbortSignal.timeout(2000);
        reply = await fetch(url, { method, headers, body, signal });
        answer = await reply.json();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      if (reply.ok) return answer;
      if (reply.status !== UNAUTHORIZED || renewed) throw new Error(`${method} ${url}: ${JSON.stringify(answer)}`);
      renewed = true;
      this.#token = (await this.#host.ablyToken(await this.#host.freshToken())).text;
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // not one of ours
  }
}

/** Replace a file in one step that a crash cannot tear. */
export function writeDurably(path, text) {
  const file = openSync(`${path}.new`, "w");
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
}

/** Whether a role reaches the minimum of a policy; unknown roles never do. */
export function admits(policy, role) {
  const least = policy.minimum_role;
  if (least === null) return true;
  const order = policy.hierarchy;
  return order.includes(least) && order.indexOf(role) >= order.indexOf(least);
}

/** What a device was told; one that waits for longer than a person would says unknown. */
async function promptly(told) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, RESPOND_MS, { status: "unknown" })));
  try {
    return await Promise.race([told, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failedTool(error) {
  if (error instanceof ToolFailed) return "failed";
  throw error;
}

class Served {
  options = {};
  #adapter;
  #host;
  #life; // the agent or the device
  #asked = new Map();
  #asks = 0;

  constructor(adapter) {
    this.#adapter = adapter;
  }

  line(text) {
    const record = JSON.parse(text);
    if ("answer" in record) return this.#answered(record);
    Promise.resolve()
      .then(() => this.#carryOut(record))
      .then(
        (ok) => this.#done(record, { id: record.id, ok: ok ?? null }),
        (error) => {
          console.error(error);
          send({ id: record.id, error: `${error?.name ?? "Error"}: ${error?.message ?? error}` });
        },
      );
  }

  ask(name, fields) {
    const id = `a${++this.#asks}`;
    const answered = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    send({ ask: name, id, ...fields });
    return answered;
  }

  #answered({ answer, ok, error, tool_failed }) {
    const waiting = this.#asked.get(answer);
    this.#asked.delete(answer);
    if (error === undefined) waiting?.resolve(ok);
    else waiting?.reject(tool_failed ? new ToolFailed(error) : new Error(error));
  }

  #done(record, answer) {
    send(answer);
    if (record.do === "close") process.exit(0);
  }

  async #carryOut(record) {
    switch (record.do) {
      case "hello":
        this.options = record.options ?? {};
        return { contract: CONTRACT, manifest: await this.#manifest() };
      case "boot":
        this.#host = new Host(this, record);
        this.#life = await this.#adapter.bootAgent(this.#host);
        return null;
      case "join":
        this.#host = new Host(this, record);
        this.#life = await this.#adapter.joinDevice(this.#host, record.person);
        return null;
      case "call":
        return this.#life.callTool({ ...record.call, ...this.application(record.call.id) });
      case "cancel":
        return (await this.#life.cancel?.(record.call)) ?? false;
      case "pending":
        return this.#life.pending();
      case "respond":
        return promptly(this.#life.respond(record.request, record.decision));
      case "settled":
        return this.#life.settled(record.request);
      case "forge":
        await this.#life.forge(record.forgery);
        return null;
      case "close":
        await this.#life?.close?.();
        return null;
      default:
        throw new Error(`the kit does not know the command ${JSON.stringify(record.do)}`);
    }
  }

  #manifest() {
    const { manifest } = this.#adapter;
    return typeof manifest === "function" ? manifest(this.options) : manifest;
  }

  /** The application's own code of a call as functions. */
  application(call) {
    const effect = (args) => this.ask("effect", { call, arguments: args });
    return {
      beforeGate: (args, approved) => this.ask("before_gate", { call, arguments: args, approved }),
      effect,
      carryOut: (args) => effect(args).then(() => "executed", failedTool),
    };
  }
}
