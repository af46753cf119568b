// Loaded before an adapter's script (node --import resolve.mjs script.mjs), wherever that script lies.
//
// Owns two rules of resolution: "hitl-adapter-kit" is the kit beside this file, and a bare package name that the
// script's own folders do not have is looked for in the folder that HITL_NODE_MODULES names. Needs Node 22.15.
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const KIT = new URL("kit.mjs", import.meta.url).href;
const FOLDER = process.env.HITL_NODE_MODULES;
const ELSEWHERE = FOLDER ? pathToFileURL(join(FOLDER, "resolved-from-here.mjs")).href : undefined;

const isBare = (specifier) => !/^(\.{0,2}\/|[a-z][a-z0-9+.-]*:|#)/i.test(specifier);

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "hitl-adapter-kit") return { url: KIT, format: "module", shortCircuit: true };
    try {
      return next(specifier, context);
    } catch (error) {
      const missing = error?.code === "ERR_MODULE_NOT_FOUND" || error?.code === "MODULE_NOT_FOUND";
      if (!missing || !ELSEWHERE || !isBare(specifier)) throw error;
      return next(specifier, { ...context, parentURL: ELSEWHERE });
    }
  },
});
