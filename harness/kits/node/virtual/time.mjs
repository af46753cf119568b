// Owns virtual time as this process sees it: the instant that the harness said last, and every clock of the
// platform, which read it. Invariant: time moves only when `advance` is called, between two instants of the
// world; within one, every reading is the same.
//
// Times are BigInt nanoseconds: a Number holds them exactly for 104 days only.

import { performance } from 'node:perf_hooks';

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const EPOCH_NS = 1_767_225_600_000_000_000n; // 2026-01-01T00:00:00Z, where every run begins
const RealDate = Date;

const instant = { nowNs: 0n, wallNs: EPOCH_NS };

export const NS_PER_MILLISECOND = NS_PER_MS;

/** Nanoseconds since the start of the run, on the clock that is never skewed. */
export const nowNs = () => instant.nowNs;

/** Move to an instant; `skewNs` is how far this host's wall clock is ahead. */
export function advance(toNs, skewNs) {
  instant.nowNs = toNs;
  instant.wallNs = EPOCH_NS + toNs + skewNs;
}

const wallMs = () => Number(instant.wallNs / NS_PER_MS);
const elapsedMs = () => Number(instant.nowNs) / 1e6;

function VirtualDate(...parts) {
  if (!new.target) return new RealDate(wallMs()).toString();
  const kind = new.target === VirtualDate ? RealDate : new.target;
  return Reflect.construct(RealDate, parts.length > 0 ? parts : [wallMs()], kind);
}

function installDate() {
  Object.defineProperties(VirtualDate, {
    name: { value: 'Date', configurable: true },
    length: { value: RealDate.length, configurable: true },
    prototype: { value: RealDate.prototype, writable: false },
    now: { value: wallMs, writable: true, configurable: true },
    parse: { value: RealDate.parse, writable: true, configurable: true },
    UTC: { value: RealDate.UTC, writable: true, configurable: true },
  });
  RealDate.prototype.constructor = VirtualDate;
  globalThis.Date = VirtualDate;
}

/** Give formatters, which read the machine's clock where they are given nothing, the virtual one. */
function installFormatters() {
  const kind = Intl.DateTimeFormat.prototype;
  const getter = Object.getOwnPropertyDescriptor(kind, 'format').get;
  Object.defineProperty(kind, 'format', {
    configurable: true,
    get() {
      const format = getter.call(this);
      return (date = wallMs()) => format(date);
    },
  });
  const toParts = kind.formatToParts;
  kind.formatToParts = function formatToParts(date = wallMs()) {
    return toParts.call(this, date);
  };
}

function installMonotonicClocks() {
  const read = {
    now: { value: elapsedMs, writable: true, configurable: true },
    timeOrigin: { get: () => Number(EPOCH_NS / NS_PER_MS), configurable: true },
  };
  Object.defineProperties(performance, read);
  const hrtime = (before) => {
    const seconds = Number(instant.nowNs / NS_PER_S);
    const rest = Number(instant.nowNs % NS_PER_S);
    if (before === undefined) return [seconds, rest];
    const borrow = rest < before[1] ? 1 : 0;
    return [seconds - before[0] - borrow, rest - before[1] + borrow * 1e9];
  };
  hrtime.bigint = () => instant.nowNs;
  process.hrtime = hrtime;
  process.uptime = () => Number(instant.nowNs) / 1e9;
}

/** Replace the clocks of the platform. */
export function installClocks() {
  process.env.TZ = 'UTC';
  installDate();
  installFormatters();
  installMonotonicClocks();
}
