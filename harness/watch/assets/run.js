// The page of a run: figures, what was found, and where it is.
import { diagram, el, fill, follow, plural, put } from "./link.js";

const TITLES = {
  starting: "Waiting for the run",
  running: "The run goes on",
  interrupted: "The run was interrupted",
  gone: "The run ended without a result",
};
let phase = "starting";

function violation(it) {
  const title = el("h3", {}, el("span", { class: "id" }, it.property), ` ${it.guarantee} of ${it.adapter}`);
  const box = el("article", { class: "violation", id: it.id }, title, el("p", {}, it.sentence));
  box.append(el("p", { class: "soft" }, `Promise: ${it.statement}`), el("p", { class: "soft" }, `Plan: ${it.plan}`));
  if (it.known) box.append(el("p", { class: "soft" }, `Known: ${it.known}`));
  if (it.picture) {
    const open = el("details", {}, el("summary", {}, "Space-time picture"));
    open.addEventListener("toggle", () => {
      if (open.open && open.children.length === 1) {
        open.append(...diagram(it.picture, `${it.property} of ${it.adapter}: ${it.sentence}`, it.steps));
      }
    });
    box.append(open);
  }
  return box;
}

function row(it) {
  const cells = [[it.scenario, ""], [it.runs.toLocaleString("en"), "number"], [it.violations.toLocaleString("en"), "number"], [it.now, ""]];
  const made = cells.map(([text, kind]) => el("td", kind ? { class: kind } : {}, text));
  return el("tr", {}, el("th", { scope: "row" }, it.adapter), ...made);
}

function title(view) {
  const ending = view.ending;
  const text = view.phase === "done" ? ending.words : TITLES[view.phase];
  const place = document.getElementById("title");
  put("title", text);
  place.className = view.phase === "done" ? ending.tone : view.phase === "running" || view.phase === "starting" ? "" : "bad";
  document.title = `${text} · hitl watch`;
}

function show(view) {
  phase = view.phase;
  title(view);
  const rows = view.rows;
  const adapters = view.adapters ?? [];
  const apart = view.apart ?? [];
  const about = adapters.length ? [`${adapters.join(", ")}: ${plural(view.scenarios, "scenario")}, ${plural(view.examples, "plan")} each.`] : [];
  if (apart.length && !view.ending) about.push(`In a process of its own, with its figures at the end: ${apart.join(", ")}.`);
  if (view.ending) about.push(`Results are in ${view.ending.folder}.`);
  put("about", about.join(" "));
  put("runs", view.runs.toLocaleString("en"));
  put("rate", view.rate === null ? "–" : view.rate.toLocaleString("en"));
  put("elapsed", `${view.elapsed_s.toLocaleString("en")} s`);
  put("fired", view.faults.reduce((sum, [, count]) => sum + count, 0).toLocaleString("en"));
  put("found", view.violations.length.toLocaleString("en"));
  const all = (adapters.length - apart.length) * (view.scenarios ?? 0);
  const done = rows.reduce((sum, it) => sum + (it.now === "done" ? 1 : Math.min(it.runs / it.of, 1) * 0.95), 0);
  const share = phase === "done" ? 1 : all ? done / all : 0;
  document.getElementById("bar").value = share;
  document.getElementById("none").hidden = view.violations.length > 0;
  put("none", view.ending ? "None." : "None so far.");
  append("violations", view.violations, violation);
  fill("faults", view.faults, ([name, count]) => el("li", {}, `${name} ${count.toLocaleString("en")}`));
  fill("rows", rows.toReversed(), row);
  const last = view.violations.at(-1);
  const news = last && phase === "running" ? `${plural(view.violations.length, "violation")}, the last: ${last.property} of ${last.adapter}. ` : "";
  put("news", phase === "running" ? news : document.title);
}

/** Add what is new and keep what a person may have opened. */
function append(id, data, make) {
  const place = document.getElementById(id);
  for (const [number, it] of data.entries()) {
    const key = JSON.stringify(it);
    const old = place.children[number];
    if (old?.dataset.key === key) continue;
    const made = make(it);
    made.dataset.key = key;
    old ? old.replaceWith(made) : place.append(made);
  }
  while (place.children.length > data.length) place.lastChild.remove();
}

follow("run", show, (stands) => {
  const over = phase !== "starting" && phase !== "running";
  put("link", stands ? "connected" : over ? "the server has ended; this is the last it said" : "connection lost, trying again");
  document.getElementById("link").className = stands || over ? "" : "link-lost";
});
