// The page of one device: its cards, its buttons, and what it was told.
import { el, fill, follow, put } from "./link.js";

const own = decodeURIComponent(location.pathname.split("/").at(-1));
let view = null;

function card(it) {
  const facts = el("dl", {}, ...it.arguments.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  const approve = el("button", { class: "main", type: "button" }, "Approve");
  const reject = el("button", { type: "button" }, "Reject");
  approve.addEventListener("click", () => press("approve", it.request));
  reject.addEventListener("click", () => press("reject", it.request));
  const title = el("h2", {}, `May the agent run ${it.tool}?`);
  return el("article", { class: "request" }, title, facts, el("div", { class: "row" }, approve, reject));
}

function press(button, request) {
  if (view && !view.waiting) say({ do: button, request });
}

function state() {
  if (view.last) return "The round is over.";
  if (view.cards.length) return view.waiting ? "Sent. Waiting to be told…" : "The agent asks for your approval.";
  if (view.phase === "idle") return "No round yet: start one on the table's page.";
  if (view.phase === "over") return "The round is over.";
  return view.waiting ? "Sent. Waiting to be told…" : view.pressed ? "Nothing is left to press here." : "Nothing is pending here.";
}

function show(next) {
  view = next;
  put("name", `${view.name}'s phone`);
  document.title = `${view.name}'s phone · hitl watch`;
  put("state", state());
  fill("cards", view.last || view.phase === "judging" ? [] : view.cards, card);
  for (const it of document.querySelectorAll("#cards button")) it.setAttribute("aria-disabled", String(view.waiting));
  const pressed = view.pressed ? `You pressed: ${view.pressed}. ` : "";
  put("told", `${pressed}${view.told}`);
  document.getElementById("result").hidden = !view.last;
  if (!view.last) return;
  put("headline", view.last.headline);
  document.getElementById("headline").className = view.last.good ? "good" : "bad";
  const count = view.last.executions;
  put("facts", `That is what really happened, whatever you were told. The tool was executed ${count === 1 ? "once" : `${count} times`}.`);
}

const say = follow(own, show, (stands) => {
  put("link", stands ? "connected" : "connection lost, trying again");
  document.getElementById("link").className = stands ? "" : "link-lost";
});
