// A bell that rings when a channel of the Ably service may hold something new, so that nobody has to look again
// and again: a quiet day costs nothing.
//
// Owns one connection of the Ably protocol for each bell, and its coming back. What is in a channel is read
// elsewhere; a ring promises nothing, and none is missed between one wait and the next.
const ATTACH = 10;
const CONNECTED = 4;
const ATTACHED = 11;
const MESSAGE = 15;
const GRACE_MS = 10_000; // over the longest silence that the service announces
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

export class Bell {
  #channel;
  #address;
  #ring = () => {};
  #rung;
  #pauseMs = FIRST_PAUSE_MS;

  /** `address` returns a promise of where to connect, with a token that is still good. */
  constructor(channel, address) {
    this.#channel = channel;
    this.#address = address;
    this.#mute();
    this.#connect();
  }

  /** Wait for a ring since the last wait. */
  async wait() {
    await this.#rung;
    this.#mute();
  }

  #mute() {
    this.#rung = new Promise((resolve) => (this.#ring = resolve));
  }

  async #connect() {
    let socket;
    try {
      socket = new WebSocket(await this.#address());
    } catch {
      return this.#again(); // no token now: the one who reads the channel is told
    }
    let silence;
    let allowedMs = GRACE_MS;
    const listen = () => {
      clearTimeout(silence);
      if (allowedMs > 0) silence = setTimeout(() => socket.close(), allowedMs);
    };
    listen();
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.action === CONNECTED) {
        const longestMs = frame.connectionDetails?.maxIdleInterval ?? 0;
        allowedMs = longestMs > 0 ? longestMs + GRACE_MS : 0;
        socket.send(JSON.stringify({ action: ATTACH, channel: this.#channel }));
      }
      if (frame.action === ATTACHED) this.#pauseMs = FIRST_PAUSE_MS;
      if (frame.action === ATTACHED || frame.action === MESSAGE) this.#ring();
      listen();
    };
    socket.onerror = () => {};
    socket.onclose = () => {
      clearTimeout(silence);
      this.#again();
    };
  }

  #again() {
    this.#ring();
    setTimeout(() => this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }
}
