// Compiled by a test and never run: the kit's types let a correct adapter through and refuse wrong ones.
import { type Agent, type Call, type Card, type Decision, type Device, type Outcome, serve } from "hitl-adapter-kit";

class TypedAgent implements Agent {
  async callTool(call: Call): Promise<Outcome> {
    await call.beforeGate(call.arguments, false);
    return { status: "executed", result: await call.effect(call.arguments), choice: "approved" };
  }
}

class TypedDevice implements Device {
  pending(): Card[] {
    return [];
  }
  async respond(_request: string, decision: Decision) {
    return { status: "sent" as const, choice: decision.choice };
  }
  settled() {
    return null;
  }
}

const manifest = { name: "typed", version: "1", summary: "types only", offers: {} };
serve({ manifest, bootAgent: () => new TypedAgent(), joinDevice: (host) => (host.freshToken(), new TypedDevice()) });

serve({
  manifest,
  bootAgent: async (host) => (await host.application("c1").effect({}), new TypedAgent()),
  joinDevice: () => new TypedDevice(),
});

// @ts-expect-error no such guarantee
serve({ manifest: { ...manifest, offers: { "single-winer": { sentence: "" } } }, bootAgent: () => new TypedAgent(), joinDevice: () => new TypedDevice() });

// @ts-expect-error no such status
const wrong: Outcome = { status: "done" };
