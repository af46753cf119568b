// The process of one host: an agent's or a device's, in the form and the variant that hello names.
import { ToolFailed, serve } from "hitl-adapter-kit";

import { DocumentedAgent } from "./agent.mjs";
import { DocumentedDevice } from "./device.mjs";
import { FORMS } from "./forms.mjs";
import { GuardedAgent } from "./guarded_agent.mjs";
import { GuardedDevice } from "./guarded_device.mjs";

const guarded = ({ options }) => options.guard === "store";

serve({
  manifest: { name: "ai-transport", version: "0.8.0", summary: "@ably/ai-transport", offers: {} },

  bootAgent(host) {
    const form = FORMS[host.options.form];
    return guarded(host) ? new GuardedAgent(host, form, ToolFailed) : new DocumentedAgent(host, form);
  },

  joinDevice(host, person) {
    const form = FORMS[host.options.form];
    return guarded(host) ? new GuardedDevice(host, person, form) : new DocumentedDevice(host, person, form);
  },
});
