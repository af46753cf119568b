// The page of the table: who is there, the next round, and what became of the last one.
import { diagram, el, fill, follow, plural, put } from "./link.js";

const STATUS = {
  idle: "",
  "setting up": "Agent and devices are connecting…",
  playing: "Asked. Press in both tabs.",
  judging: "The round is over. Late messages arrive, then it is judged…",
  over: "",
};
const going = (phase) => phase !== "idle" && phase !== "over";
let phase = "idle";

function device(it) {
  const link = el("a", { class: "button", href: it.id, target: "_blank", rel: "noopener" }, `Open ${it.name}'s phone`);
  return el("li", {}, el("h3", {}, it.name), el("p", {}, it.open ? "A page is open." : "No page is open yet."), link);
}

function choice(it, number) {
  const input = el("input", { type: "radio", name: "adapter", value: it.name });
  input.checked = number === 0;
  return el("label", {}, input, " ", el("b", {}, it.name), ` – ${it.summary}`);
}

function onlooker(it) {
  const words = it.told || (it.waiting ? "Pressed; no receipt yet." : it.shows ? "Shows the card." : "Shows nothing.");
  return el("li", {}, el("h3", {}, it.name), el("p", {}, words));
}

function told(it) {
  return el("li", {}, el("h3", {}, it.name), el("p", {}, it.pressed ? `Pressed: ${it.pressed}.` : "Did not press."), ...(it.pressed ? [el("p", { class: "told" }, it.told)] : []));
}

function broken(it) {
  const title = el("h3", {}, "Broken: ", el("span", { class: "id" }, it.property), ` ${it.guarantee}`);
  return el("article", { class: "violation" }, title, el("p", {}, it.sentence));
}

function result(last) {
  document.getElementById("result").hidden = !last;
  if (!last) return;
  put("headline", last.headline);
  document.getElementById("headline").className = last.good ? "good" : "bad";
  const outcome = last.outcome ? `The agent was told: ${last.outcome}.` : "The agent was told nothing.";
  const times = `The tool was executed ${last.executions === 1 ? "once" : plural(last.executions, "time")}.`;
  put("facts", `${last.adapter}. ${times} ${outcome} ${last.failures.join(" ")}`);
  fill("told", last.told, told);
  fill("broken", last.broken, broken);
  fill("picture", [last], () => el("div", {}, ...diagram(last.picture, `The round just played: ${last.headline}`, last.steps)));
}

function enable(id, on) {
  document.getElementById(id).setAttribute("aria-disabled", String(!on));
}

function show(view) {
  phase = view.phase;
  fill("devices", view.devices, device);
  fill("choices", view.choices, choice);
  fill("progress", view.progress, onlooker);
  enable("start", !going(phase));
  enable("end", phase === "playing");
  document.getElementById("start").textContent = view.round ? "Play again" : "Ask for approval";
  put("status", view.last ? view.last.headline : STATUS[phase]);
  document.getElementById("status").className = view.last ? "sr" : "told";
  result(view.last);
}

const say = follow("table", show, (stands) => {
  put("link", stands ? "connected" : "connection lost, trying again");
  document.getElementById("link").className = stands ? "" : "link-lost";
});

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = new FormData(event.target);
  if (!going(phase)) say({ do: "start", adapter: chosen.get("adapter"), network: chosen.get("network") });
});
document.getElementById("end").addEventListener("click", () => {
  if (phase === "playing") say({ do: "end" });
});
