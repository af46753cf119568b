// The page's link to its server: views come in, what the person did goes out. A lost link is made anew.

/** Follow a topic; `show` gets every view, `linked` learns whether the link stands. Returns how to speak. */
export function follow(topic, show, linked) {
  let socket = null;
  let pause = 250;
  const connect = () => {
    socket = new WebSocket(new URL(`feed/${topic}`, location.href).href.replace(/^http/, "ws"));
    socket.onopen = () => { pause = 250; linked(true); };
    socket.onmessage = (message) => show(JSON.parse(message.data));
    socket.onclose = () => {
      linked(false);
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, 4000);
    };
  };
  connect();
  return (record) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(record));
  };
}

/** Make an element; what comes from a run is only ever text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((it) => (typeof it === "object" ? it : String(it))));
  return made;
}

/** Put text into an element where it differs, so that nothing is read aloud twice. */
export function put(id, text) {
  const place = document.getElementById(id);
  if (place.textContent !== text) place.textContent = text;
}

/** Replace what a list holds where the data behind it changed. */
export function fill(id, data, make) {
  const place = document.getElementById(id);
  const key = JSON.stringify(data);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...data.map(make));
}

/** A space-time diagram with the same in words below it. */
export function diagram(picture, alt, steps) {
  const rows = steps.map((it) => {
    const when = [it.clock, it.host].filter(Boolean).join(" · ");
    const row = el("li", it.marked ? { class: "bad" } : {}, when ? `${when}: ${it.words}` : it.words);
    if (it.marked) row.append(el("span", { class: "sr" }, " (this shows the violation)"));
    return row;
  });
  const image = el("img", { src: picture, alt });
  return [
    el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": `Picture: ${alt}` }, image),
    el("p", {}, el("a", { href: picture, target: "_blank", rel: "noopener" }, "Open the picture by itself")),
    el("details", {}, el("summary", {}, "The same in words"), el("ol", { class: "steps" }, ...rows)),
  ];
}

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
