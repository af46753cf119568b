// One conversation as one participant sees it: the real client session, its whole history, and what it shows.
//
// Owns the loading of history and the new beginning after the service said that messages may have been missed.
// Everything that is asked of a room is answered from the session's own view.
import { createClientSession } from "@ably/ai-transport/vercel";
import { getToolName, isToolUIPart } from "ai";

const CONTINUITY_LOST = 104006;
const PAGE = 100;
const AGAIN_MS = 5_000;

export class Room {
  #realtime;
  #changed;
  #listeners = new Set();
  #arrived;
  #opening = 0;

  constructor(realtime, channelName, { changed = () => {}, arrived } = {}) {
    this.#realtime = realtime;
    this.#changed = changed;
    this.#arrived = arrived;
    this.channelName = channelName;
    this.eventIds = new Map(); // what was said under which codec-message-id first
    this.complete = false; // whether all of the history is known
    this.loaded = new Promise((resolve) => (this.#markLoaded = resolve));
    this.#open();
  }

  #markLoaded;

  /** Every tool call in view: { entry, part, run }. */
  *toolParts() {
    const { view } = this.session;
    for (const entry of view.getMessages()) {
      for (const part of entry.message.parts) {
        if (isToolUIPart(part)) yield { entry, part, name: getToolName(part), run: view.runOf(entry.codecMessageId) };
      }
    }
  }

  toolPart(toolCallId) {
    return [...this.toolParts()].findLast(({ part }) => part.toolCallId === toolCallId);
  }

  message(id) {
    return this.session.view.getMessages().find(({ message }) => message.id === id);
  }

  send(input, options) {
    return this.session.view.send(input, options);
  }

  /** Publish a message of the application's own on the session's channel. */
  publish(name, data) {
    return this.#realtime.channels.get(this.channelName).publish(name, data);
  }

  /** Resolve with the first answer of `look` that is not undefined, asked now and after every change. */
  until(look) {
    return new Promise((resolve) => {
      const again = () => {
        const seen = look();
        if (seen === undefined) return;
        this.#listeners.delete(again);
        resolve(seen);
      };
      this.#listeners.add(again);
      again();
    });
  }

  /** Ask everybody who waits to look again. */
  change() {
    for (const listener of [...this.#listeners]) listener();
    this.#changed();
  }

  async #open() {
    const opening = ++this.#opening;
    this.complete = false;
    const before = this.session;
    const session = createClientSession({ client: this.#realtime, channelName: this.channelName });
    const current = () => opening === this.#opening;
    session.on("error", (error) => {
      console.error(`${this.channelName}: ${error.message}`);
      if (error.code === CONTINUITY_LOST && current()) this.#open();
    });
    session.tree.on("ably-message", (message) => {
      this.#note(message);
      if (current()) this.#arrived?.(message, this);
    });
    const changed = () => {
      if (this.session === session) this.change();
    };
    session.view.on("update", changed);
    session.view.on("run", changed);
    this.session ??= session;
    try {
      await before?.close();
      await session.connect();
      while (current() && session.view.hasOlder()) await session.view.loadOlder(PAGE);
    } catch (error) {
      console.error(`${this.channelName}: ${error.message}`);
      if (current() && this.#realtime.connection.state !== "failed") setTimeout(() => this.#open(), AGAIN_MS);
      return;
    }
    if (!current()) return;
    this.session = session;
    this.complete = true;
    this.#markLoaded();
    this.change();
  }

  #note(message) {
    const said = message.extras?.ai?.transport;
    if (said?.["event-id"] && !this.eventIds.has(said["codec-message-id"])) {
      this.eventIds.set(said["codec-message-id"], said["event-id"]);
    }
  }
}
