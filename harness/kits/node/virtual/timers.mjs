// Owns everything that a program can ask to happen later: timers, intervals, immediates, and their promise and
// AbortSignal forms. Invariant: nothing fires by itself. `due` hands out what is ready, one callback at a time;
// timers come in the order of their deadlines, equal ones in the order in which they were set.

import { AsyncResource } from 'node:async_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { promisify } from 'node:util';

import { Heap } from './heap.mjs';
import { NS_PER_MILLISECOND, nowNs } from './time.mjs';

const LONGEST_MS = 2 ** 31 - 1;
const waiting = new Heap((one, other) => one.dueNs < other.dueNs || (one.dueNs === other.dueNs && one.turn < other.turn));
const active = new Map();
let immediates = [];
let batch = [];
let turns = 0;
let ids = 0;

function delayMs(wanted) {
  const whole = Math.trunc(Number(wanted));
  return whole >= 1 && whole <= LONGEST_MS ? whole : 1;
}

function requireFunction(callback) {
  if (typeof callback === 'function') return callback;
  const error = new TypeError(`The "callback" argument must be of type function. Received ${typeof callback}`);
  error.code = 'ERR_INVALID_ARG_TYPE';
  throw error;
}

class Timeout {
  #callback;
  #parameters;
  #repeats;
  #scope = new AsyncResource('Timeout');
  #ref = true;
  #entry = null;
  #cleared = false;

  constructor(callback, wanted, parameters, repeats) {
    this.#callback = requireFunction(callback);
    this.#parameters = parameters;
    this.#repeats = repeats;
    this._idleTimeout = delayMs(wanted);
    this.id = ++ids;
    this.#arm();
  }

  #arm() {
    this.#entry = { timer: this, turn: ++turns, dueNs: nowNs() + BigInt(this._idleTimeout) * NS_PER_MILLISECOND };
    waiting.push(this.#entry);
    active.set(this.id, this);
  }

  isArmedBy(entry) {
    return this.#entry === entry;
  }

  fire() {
    this.#entry = null;
    active.delete(this.id);
    try {
      this.#scope.runInAsyncScope(this.#callback, this, ...this.#parameters);
    } finally {
      if (this.#repeats && !this.#cleared && this.#entry === null) this.#arm();
    }
  }

  refresh() {
    if (!this.#cleared) this.#arm();
    return this;
  }

  close() {
    this.#cleared = true;
    this.#entry = null;
    active.delete(this.id);
    return this;
  }

  ref() {
    this.#ref = true;
    return this;
  }

  unref() {
    this.#ref = false;
    return this;
  }

  hasRef() {
    return this.#ref;
  }

  [Symbol.toPrimitive]() {
    return this.id;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

class Immediate {
  #callback;
  #parameters;
  #scope = new AsyncResource('Immediate');
  #ref = true;

  constructor(callback, parameters) {
    this.#callback = requireFunction(callback);
    this.#parameters = parameters;
    immediates.push(this);
  }

  fire() {
    const callback = this.#callback;
    this.#callback = null;
    if (callback !== null) this.#scope.runInAsyncScope(callback, this, ...this.#parameters);
  }

  close() {
    this.#callback = null;
  }

  ref() {
    this.#ref = true;
    return this;
  }

  unref() {
    this.#ref = false;
    return this;
  }

  hasRef() {
    return this.#ref;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

const setTimeout = (callback, wanted, ...parameters) => new Timeout(callback, wanted, parameters, false);
const setInterval = (callback, wanted, ...parameters) => new Timeout(callback, wanted, parameters, true);
const setImmediate = (callback, ...parameters) => new Immediate(callback, parameters);

function clearTimeout(timer) {
  const found = timer instanceof Timeout ? timer : active.get(Number(timer));
  found?.close();
}

function clearImmediate(immediate) {
  if (immediate instanceof Immediate) immediate.close();
}

function aborted(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

/** Return a promise of what `start` arranges to be settled; a signal that aborts first rejects it. */
function later(start, stop, value, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted(signal));
      return;
    }
    const cancel = () => {
      stop(handle);
      reject(aborted(signal));
    };
    const handle = start(() => {
      signal?.removeEventListener('abort', cancel);
      resolve(value);
    });
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

const sleep = (wanted, value, { signal } = {}) => later((done) => setTimeout(done, wanted), clearTimeout, value, signal);
const afterThis = (value, { signal } = {}) => later((done) => setImmediate(done), clearImmediate, value, signal);

async function* every(wanted, value, { signal } = {}) {
  while (true) yield await sleep(wanted, value, { signal });
}

function abortAfter(wanted) {
  const controller = new AbortController();
  const reason = () => new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  setTimeout(() => controller.abort(reason()), wanted);
  return controller.signal;
}

/** The timers of the platform, in virtual time. */
export const virtual = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate };

/** Take the callback that is to run next at this instant, or return null. */
export function takeDue(takeInbound) {
  if (batch.length > 0) return batch.shift();
  const timer = takeTimer();
  if (timer !== null) return timer;
  const inbound = takeInbound();
  if (inbound !== null) return inbound;
  [batch, immediates] = [immediates, batch];
  return batch.shift() ?? null;
}

function takeTimer() {
  dropCancelled();
  if (waiting.size === 0 || waiting.first.dueNs > nowNs()) return null;
  return waiting.pop().timer;
}

function dropCancelled() {
  while (waiting.size > 0 && !waiting.first.timer.isArmedBy(waiting.first)) waiting.pop();
}

/** Return when the next timer is due, or null. */
export function nextDueNs() {
  dropCancelled();
  return waiting.size === 0 ? null : waiting.first.dueNs;
}

/** Replace the timers of the platform. */
export function installTimers() {
  Object.defineProperty(setTimeout, promisify.custom, { value: sleep });
  Object.defineProperty(setImmediate, promisify.custom, { value: afterThis });
  Object.assign(globalThis, virtual);
  Object.assign(timers, virtual);
  Object.assign(timersPromises, { setTimeout: sleep, setImmediate: afterThis, setInterval: every });
  Object.assign(timersPromises.scheduler, { wait: (wanted, options) => sleep(wanted, undefined, options), yield: afterThis });
  AbortSignal.timeout = abortAfter;
}
