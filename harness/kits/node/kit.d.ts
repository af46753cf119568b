// Types of hitl-adapter-kit; records have the contract's field names, "hitl schema stdio" prints them all.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Arguments = { [key: string]: Json };
export type Choice = "approved" | "rejected";
export type Guarantee =
  | "single-winner" | "first-valid-wins" | "no-execution-without-grant" | "at-most-one-execution" | "finality"
  | "argument-binding" | "id-binding" | "provenance" | "authority" | "separation-of-duty" | "deadline"
  | "cancel-is-final" | "durability" | "no-orphan" | "truthful-receipt" | "view-convergence" | "discoverability"
  | "only-deliberate" | "batch-isolation" | "re-invocation" | "early-response" | "single-use" | "fail-closed"
  | "audit-truth" | "progress" | "pause-is-free" | "isolation";

export interface Manifest {
  name: string;
  version: string;
  summary: string;
  homepage?: string;
  offers: { [guarantee in Guarantee]?: { sentence: string; link?: string } };
  style?: "inline" | "re-invoking";
  on_unauthorised?: "ignore" | "reject";
  clocks?: ("real" | "virtual")[];
  forges?: boolean;
  /** The options that a user may set, by name, with what each means. */
  takes?: { [name: string]: string };
}

export interface Policy {
  minimum_role: string | null;
  hierarchy: string[];
  quorum: number;
  requester_may_decide: boolean;
  edits_allowed: boolean;
}

export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly arguments: Arguments;
  readonly policy: Policy;
  readonly session: string;
  readonly tenant: string;
  readonly requester: string | null;
  /** Nanoseconds since the start of the run, null for no deadline. */
  readonly deadline_ns: number | null;
  readonly batch: string | null;
  /** Run the application's code above the gate; every time the gated function is entered. */
  beforeGate(args: Arguments, approved: boolean): Promise<null>;
  /** Carry out the side effect; rejects with ToolFailed where the tool itself fails. */
  effect(args: Arguments): Promise<Json>;
  /** Carry out the side effect; resolves to the status of the outcome. */
  carryOut(args: Arguments): Promise<"executed" | "failed">;
}

export interface Outcome {
  status: "executed" | "rejected" | "unauthorised" | "expired" | "cancelled" | "failed" | "unknown";
  result?: Json;
  choice?: Choice | null;
  decided_by?: string | null;
  role?: string | null;
  reason?: string;
}

export interface Card {
  request: string;
  tool: string;
  arguments: Arguments;
  call?: string | null;
}

export interface Decision {
  choice: Choice;
  arguments: Arguments | null;
  reason: string;
}

export interface Receipt {
  status:
    | "decided" | "counted" | "already-decided" | "unauthorised" | "expired" | "cancelled" | "unknown-request"
    | "invalid" | "sent" | "unknown";
  winner?: string | null;
  choice?: Choice | null;
  note?: string;
}

export interface Settled {
  status: Outcome["status"];
  choice?: Choice | null;
  decided_by?: string | null;
}

export interface Forgery {
  kind: "request" | "approval" | "decision" | "replay";
  request: string;
  call: string;
  tool: string;
  arguments: Arguments;
  claimed_person: string;
  claimed_role: string | null;
}

export interface Person {
  id: string;
  tenant: string;
  sessions: string[];
}

export interface Identity {
  person: string;
  tenant: string;
  role: string | null;
  sessions: string[];
  expires_s: number;
}

export interface Standing {
  person: string;
  tenant: string;
  role: string | null;
  active: boolean;
}

export interface AblyService {
  /** Empty for the vendor's own. */
  host: string;
  port: number;
  tls: boolean;
  /** Null where the holder is refused one. */
  token: string | null;
  client_id: string | null;
}

export interface Observe {
  requestPublished(request: string, call: string, args: Arguments): void;
  decisionTaken(
    request: string,
    choice: Choice,
    more?: { person?: string | null; role?: string | null; arguments?: Arguments | null; call?: string | null },
  ): void;
  requestExpired(request: string, call?: string | null): void;
  screenChanged(): void;
}

export interface Host {
  readonly name: string;
  readonly incarnation: number;
  /** The durable folder of this host. */
  readonly directory: string;
  readonly services: { ably: AblyService; [name: string]: Json | AblyService };
  readonly options: { [name: string]: string };
  readonly observe: Observe;
  /** The channel of the session in which a call is made. */
  channel(call: Call): Channel;
  nowNs(): number;
  verify(token: string): Promise<Identity>;
  identity(token: string): Promise<Identity | null>;
  standing(person: string): Promise<Standing | null>;
  freshToken(): Promise<string>;
  ablyToken(token: string): Promise<{ text: string; client_id: string }>;
}

export interface AgentHost extends Host {
  /** The durable folder of all agents, as a database would be. */
  readonly shared: string;
  readonly agentToken: string;
  /** What an agent kept under a key, in earlier lives and on other hosts too; null for nothing. */
  kept(key: string): any;
  /** Keep a value under a key for all agents, unless one kept something; returns whether it was this one. */
  keepOnce(key: string, value: Json): boolean;
  /** The application's own code of a call, for a worker that carries out what another process was asked for. */
  application(call: string): Pick<Call, "beforeGate" | "effect">;
}

export interface DeviceHost extends Host {
  readonly person: Person;
  readonly token: string;
  /** Follow the channels of this device's sessions; after each message the screen is said to have changed. */
  watch(saw: (channel: Channel, name: string, record: any) => void): void;
}

type Answer<T> = T | Promise<T>;

export interface Agent {
  callTool(call: Call): Answer<Outcome>;
  cancel?(call: string): Answer<boolean>;
  close?(): Answer<void>;
}

export interface Device {
  pending(): Answer<Card[]>;
  respond(request: string, decision: Decision): Answer<Receipt>;
  settled(request: string): Answer<Settled | null>;
  forge?(forgery: Forgery): Answer<void>;
  close?(): Answer<void>;
}

export interface Adapter {
  manifest: Manifest | ((options: { [name: string]: string }) => Answer<Manifest>);
  bootAgent(host: AgentHost): Answer<Agent>;
  joinDevice(host: DeviceHost, person: Person): Answer<Device>;
}

/** Serve the harness until it says close or its end of the pipe is closed. */
export function serve(adapter: Adapter): void;

/** The application's own tool failed while it carried out the side effect. */
export class ToolFailed extends Error {}

/** One session's channel on the run's Ably service, which it reads again whenever it may have changed. */
export class Channel {
  constructor(host: Host, tenant: string, session: string);
  publish(name: string, record: Json | object, once?: string): Promise<unknown>;
  follow(): AsyncGenerator<[name: string, record: any], never>;
}

/** Replace a file in one step that a crash cannot tear. */
export function writeDurably(path: string, text: string): void;

/** Whether a role reaches the minimum of a policy; unknown roles never do. */
export function admits(policy: Policy, role: string | null): boolean;
