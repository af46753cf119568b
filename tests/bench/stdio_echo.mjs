// A device of the Node kit that answers at once.
import { serve } from "hitl-adapter-kit";

const manifest = { name: "echo", version: "1", summary: "s", offers: {} };
serve({ manifest, joinDevice: () => ({ settled: () => null }) });
