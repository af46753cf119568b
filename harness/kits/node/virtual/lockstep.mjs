// Owns the lockstep with the harness: when this process is idle, and what it does next when it is not.
//
// Invariant: one thing at a time. A line of the harness, a timer or an immediate is begun only when the
// platform's own event loop is empty: no callback, no promise, no file operation, no work on another thread is
// left of what came before. The platform says so itself, by the event `beforeExit`, which it emits only when
// libuv and V8 have nothing left that could ever run code. Its listeners are not called here.

import { Readable, Writable } from 'node:stream';
import { flushCompileCache } from 'node:module';

import { seed } from './entropy.mjs';
import { readLine, writeLine, writeOut } from './lines.mjs';
import { hearSocket } from './sockets.mjs';
import { advance, nowNs } from './time.mjs';
import { nextDueNs, takeDue } from './timers.mjs';

const TURNS_MAX = 200_000;
const LONG_MS = 5_000;
const native = { setImmediate, setInterval, now: performance.now.bind(performance) };
const inbound = [];
const input = new Readable({ read() {} });
let running = false;
let turns = 0;
let beganMs = 0;
let runSeed = 0;
let isLoaded = false;

const output = new Writable({
  decodeStrings: false,
  write(chunk, encoding, done) {
    writeOut(chunk);
    done();
  },
});

/** Do the next thing of this instant, or say that there is none and wait for the harness. */
function proceed() {
  if (running) {
    const due = takeDue(takeInbound);
    if (due !== null) {
      begin(due);
      return;
    }
    running = false;
    const next = nextDueNs();
    writeOut(`{"idle":true,"next_ns":${next === null ? 'null' : next}}\n`);
  }
  await_();
}

function begin(due) {
  turns += 1;
  if (turns > TURNS_MAX) giveUp();
  native.setImmediate(() => due.fire());
}

function giveUp() {
  process.stderr.write(
    `virtual time: ${TURNS_MAX} immediates and timers ran within one instant (${nowNs()} ns) and there is still more to ` +
      'do; something sets an immediate again and again instead of waiting\n',
  );
  process.exit(70);
}

function takeInbound() {
  return inbound.shift() ?? null;
}

/** Take lines until the one that lets time go on. */
function await_() {
  if (!isLoaded) flushCompileCache();
  isLoaded = true;
  while (!running) {
    const line = readLine();
    if (line === null) process.exit(0);
    take(line);
  }
  beganMs = native.now();
  turns = 0;
  native.setImmediate(() => {});
}

function take(line) {
  const record = parsed(line);
  if (record?.do === 'run') {
    advance(exact(line, 'now_ns') ?? nowNs(), exact(line, 'skew_ns') ?? 0n);
    running = true;
  } else if (record !== null && 'socket' in record) {
    inbound.push({ fire: () => hearSocket(record) });
  } else {
    reseed(record);
    inbound.push({ fire: () => input.push(`${line}\n`) });
  }
}

function parsed(line) {
  try {
    const record = JSON.parse(line);
    return typeof record === 'object' ? record : null;
  } catch {
    return null;
  }
}

/** Return a field of a line as it stands there; a Number would lose nanoseconds after 104 days. */
function exact(line, name) {
  const found = new RegExp(`"${name}"\\s*:\\s*(-?\\d+)`).exec(line);
  return found === null ? null : BigInt(found[1]);
}

function reseed(record) {
  if (record?.do === 'hello') {
    runSeed = record.seed ?? 0;
    seed(`${runSeed}`);
  } else if (record?.do === 'boot' || record?.do === 'join') {
    seed(`${runSeed} ${record.host} ${record.incarnation}`);
  }
}

/** Say on standard error what keeps this process from being idle, once it does so for seconds of real time. */
function watchOverLongTurns() {
  const look = () => {
    if (!running || native.now() - beganMs < LONG_MS) return;
    beganMs = native.now();
    const held = process.getActiveResourcesInfo().join(', ') || 'nothing that is known';
    process.stderr.write(`virtual time: not idle after ${LONG_MS / 1000} s of real time; still active: ${held}\n`);
  };
  native.setInterval(look, LONG_MS / 2).unref();
}

/** Replace standard input and output, and take over what happens when nothing is left to do. */
export function installLockstep() {
  const ends = { stdin: Object.assign(input, { fd: 0 }), stdout: Object.assign(output, { fd: 1 }) };
  for (const [name, value] of Object.entries(ends)) {
    Object.defineProperty(process, name, { value, configurable: true, enumerable: true });
  }
  const emit = process.emit;
  process.emit = function emitOrProceed(name, ...rest) {
    if (name !== 'beforeExit') return emit.call(this, name, ...rest);
    proceed();
    return true;
  };
  watchOverLongTurns();
}
