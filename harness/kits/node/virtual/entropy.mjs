// Owns every random number of this process: one generator, seeded by the run, the host and its incarnation.
// Invariant: equal seeds give equal numbers in the order of the questions. What draws from OpenSSL's own
// generator (new keys, ECDSA signatures) is not here; `refusals.mjs` refuses the making of keys.

import crypto from 'node:crypto';

const MASK = 0xffff_ffff;
const state = new Uint32Array(4);
const Crypto = globalThis.crypto.constructor;

/** Seed from any text. Two rounds of FNV spread it over the state; the first numbers are thrown away. */
export function seed(text) {
  for (let lane = 0; lane < 4; lane += 1) {
    let hash = 0x811c9dc5 ^ lane;
    for (const byte of Buffer.from(`${lane}:${text}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    state[lane] = hash || 1;
  }
  for (let skipped = 0; skipped < 16; skipped += 1) next32();
}

/** Return 32 random bits: xoshiro128**. */
function next32() {
  const [a, b, c, d] = state;
  const times5 = Math.imul(b, 5) >>> 0;
  const result = Math.imul(((times5 << 7) | (times5 >>> 25)) >>> 0, 9) >>> 0;
  const shifted = (b << 9) & MASK;
  state[2] = c ^ a;
  state[3] = d ^ b;
  state[1] = b ^ state[2];
  state[0] = a ^ state[3];
  state[2] ^= shifted;
  state[3] = (state[3] << 11) | (state[3] >>> 21);
  return result;
}

const random = () => ((next32() >>> 5) * 0x4000000 + (next32() >>> 6)) / 0x20_0000_0000_0000;

function fill(bytes) {
  for (let at = 0; at < bytes.length; at += 4) {
    const word = next32();
    for (let more = 0; more < 4 && at + more < bytes.length; more += 1) bytes[at + more] = word >>> (8 * more);
  }
}

const bytesOf = (view, offset = 0, size = undefined) => {
  const unit = view.BYTES_PER_ELEMENT ?? 1;
  const all = ArrayBuffer.isView(view) ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
  const from = offset * unit;
  return all.subarray(from, size === undefined ? undefined : from + size * unit);
};

function randomBytes(size, callback) {
  const bytes = Buffer.alloc(size);
  fill(bytes);
  if (callback === undefined) return bytes;
  process.nextTick(callback, null, bytes);
  return undefined;
}

function randomFillSync(view, offset, size) {
  fill(bytesOf(view, offset, size));
  return view;
}

function randomFill(view, ...rest) {
  const callback = rest.pop();
  randomFillSync(view, ...rest);
  process.nextTick(callback, null, view);
}

function randomInt(...parts) {
  const callback = typeof parts.at(-1) === 'function' ? parts.pop() : undefined;
  const [low, high] = parts.length > 1 ? parts : [0, parts[0]];
  const drawn = low + Math.floor(random() * (high - low));
  if (callback === undefined) return drawn;
  process.nextTick(callback, null, drawn);
  return undefined;
}

function randomUUID() {
  const bytes = randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function getRandomValues(view) {
  fill(bytesOf(view));
  return view;
}

/** Replace the sources of randomness of the platform. */
export function installEntropy() {
  seed('before the run');
  Math.random = random;
  const pseudo = { pseudoRandomBytes: randomBytes, prng: randomBytes, rng: randomBytes };
  const drawing = { randomBytes, randomFillSync, randomFill, randomInt, randomUUID, ...pseudo };
  for (const [name, value] of Object.entries(drawing)) {
    Object.defineProperty(crypto, name, { value, writable: true, configurable: true, enumerable: true });
  }
  Object.assign(Crypto.prototype, { getRandomValues, randomUUID });
}
