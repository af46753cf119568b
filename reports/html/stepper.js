"use strict";
// Steps through a violation: which row is chosen, and what stood on every screen at that instant.
// Text of a run reaches the page through textContent only.
(() => {
  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  };

  const factOf = ([kind, head, text]) => {
    const fact = element("div", `fact ${kind}`);
    fact.append(element("b", "", head));
    if (text) fact.append(" ", element("span", "", text));
    if (kind === "card") {
      const buttons = element("div", "buttons");
      buttons.append(element("span", "yes", "Approve"), element("span", "no", "Reject"));
      fact.append(buttons);
    }
    return fact;
  };

  const faceOf = (face, changed) => {
    const made = element("section", `face ${face.kind}${face.up ? "" : " down"}${changed ? " changed" : ""}`);
    const head = element("h4", "", face.host);
    if (face.title && face.title !== face.host) head.append(" ", element("small", "", face.title));
    made.append(head);
    if (!face.up) made.append(element("p", "nothing power", "no power"));
    made.append(...face.facts.map(factOf));
    if (face.up && !face.facts.length) made.append(element("p", "nothing", face.kind === "device" ? "asks about nothing" : "nothing yet"));
    return made;
  };

  const start = (stepper) => {
    const { faces, steps } = JSON.parse(stepper.querySelector("script").textContent);
    const list = stepper.querySelector(".rows");
    const rows = [...list.children];
    const stage = stepper.querySelector(".stage");
    const [back, on, jump] = ["back", "on", "jump"].map((name) => stage.querySelector(`.${name}`));
    const marked = rows.flatMap((row, place) => (row.classList.contains("marked") ? [place] : []));
    let at = -1;

    const show = (place, follow) => {
      const next = Math.min(Math.max(place, 0), rows.length - 1);
      if (next === at) return;
      if (at >= 0) rows[at].setAttribute("aria-selected", "false");
      const before = new Set(at >= 0 ? steps[at] : steps[next]);
      at = next;
      const row = rows[at];
      row.setAttribute("aria-selected", "true");
      list.setAttribute("aria-activedescendant", row.id);
      stage.querySelector("output").textContent = `${at + 1} / ${rows.length}`;
      stage.querySelector(".now").replaceChildren(...[...row.childNodes].map((it) => it.cloneNode(true)).flatMap((it) => [it, " "]));
      const shown = stage.querySelector(".faces");
      shown.replaceChildren(...steps[at].map((number) => faceOf(faces[number], !before.has(number))));
      const changed = shown.querySelector(".changed");
      if (changed) shown.scrollLeft = changed.offsetLeft - shown.offsetLeft;
      // A disabled button would lose the focus in the middle of stepping.
      back.setAttribute("aria-disabled", String(at === 0));
      on.setAttribute("aria-disabled", String(at === rows.length - 1));
      if (follow) row.scrollIntoView({ block: "nearest" });
    };

    const moves = {
      ArrowDown: () => at + 1,
      ArrowRight: () => at + 1,
      ArrowUp: () => at - 1,
      ArrowLeft: () => at - 1,
      PageDown: () => at + 10,
      PageUp: () => at - 10,
      Home: () => 0,
      End: () => rows.length - 1,
    };
    const nextMarked = () => marked.find((place) => place > at) ?? marked[0] ?? 0;
    stepper.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(move(), true);
    });
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) show(rows.indexOf(row), false);
    });
    back.addEventListener("click", () => show(at - 1, true));
    on.addEventListener("click", () => show(at + 1, true));
    jump.addEventListener("click", () => show(nextMarked(), true));
    jump.hidden = !marked.length;
    stage.hidden = false;
    show(Number(stepper.dataset.first), false);
  };

  const started = new WeakSet();
  const startWithin = (details) => {
    const stepper = details.querySelector(".stepper");
    if (!details.open || !stepper || started.has(stepper)) return;
    started.add(stepper);
    start(stepper);
  };
  const violations = [...document.querySelectorAll("details.violation")];
  for (const details of violations) {
    details.addEventListener("toggle", () => startWithin(details));
    startWithin(details);
  }

  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.matches("details.violation")) return;
    target.open = true;
    startWithin(target);
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  const all = document.getElementById("all");
  if (all && violations.length > 1) {
    all.hidden = false;
    all.addEventListener("click", () => {
      const open = violations.some((details) => !details.open);
      for (const details of violations) details.open = open;
      all.textContent = open ? "Close all" : "Open all";
    });
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
    });
  }

  const theme = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  let chosen = 0;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    theme.textContent = `Theme: ${themes[chosen]}`;
    document.documentElement.dataset.theme = themes[chosen];
  });
})();
