// Owns the list of what has no place in virtual time, and the error that says so. Invariant: what is on the
// list fails in the call itself, before anything real happens. The documentation prints the list.

import childProcess from 'node:child_process';
import cluster from 'node:cluster';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';
import workers from 'node:worker_threads';

const LISTEN = 'nothing can connect to an adapter; connect to a service of the run instead';
const PROCESS = 'another process has a clock of its own; do the work in this one';
const THREAD = 'another thread runs whenever it likes; do the work in this one';
const KEYS = 'the bytes come from OpenSSL, whose randomness cannot be seeded; use a key that is given';
const WATCH = 'changes of files come at no virtual instant; read the file when it matters';
const BLOCK = 'nothing else can run while this blocks; use setTimeout';

/** What is refused: the object that holds it, how its calls are written, their names, what to do instead. */
export const REFUSED = [
  [tls, 'tls', ['connect'], 'no TLS is spoken inside a simulation; the endpoint of the run says tls: false'],
  [net.Server.prototype, 'net.Server', ['listen'], LISTEN],
  [dgram, 'dgram', ['createSocket'], 'only TCP streams are simulated'],
  [childProcess, 'child_process', ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'], PROCESS],
  [cluster, 'cluster', ['fork'], PROCESS],
  [workers, 'worker_threads', ['Worker', 'MessageChannel', 'BroadcastChannel'], THREAD],
  [globalThis, 'globalThis', ['MessageChannel', 'BroadcastChannel'], THREAD],
  [crypto, 'crypto', ['generateKey', 'generateKeySync', 'generateKeyPair', 'generateKeyPairSync'], KEYS],
  [crypto, 'crypto', ['generatePrime', 'generatePrimeSync'], KEYS],
  [crypto.webcrypto.subtle.constructor.prototype, 'subtle', ['generateKey'], KEYS],
  [fs, 'fs', ['watch', 'watchFile'], WATCH],
  [fsPromises, 'fs.promises', ['watch'], WATCH],
  [process, 'process', ['kill', 'abort'], 'the harness decides when a process dies'],
  [Atomics, 'Atomics', ['wait', 'waitAsync'], BLOCK],
];

/** Raise the error that names the call and what to do instead. */
export function refuse(call, instead) {
  const error = new Error(`${call} has no place in virtual time: ${instead}`);
  throw Object.assign(error, { code: 'ERR_HITL_VIRTUAL_TIME' });
}

/** Refuse everything on the list. */
export function installRefusals() {
  for (const [holder, prefix, calls, instead] of REFUSED) {
    for (const name of calls) {
      const call = `${prefix}.${name}`;
      const refusing = function refused() {
        refuse(call, instead);
      };
      Object.defineProperty(holder, name, { value: refusing, writable: true, configurable: true });
    }
  }
}
