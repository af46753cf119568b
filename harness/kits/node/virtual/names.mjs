// Owns host names. Invariant: an address given out stands for one name for the life of the process, so that who
// looks a name up first and connects to the address afterwards reaches the same host of the simulated network.
// Nothing is asked of a resolver; every name has an address, and whether a host answers there the network says.

import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { isIP } from 'node:net';

const addresses = new Map();
const names = new Map();

function addressOf(name) {
  if (isIP(name) !== 0) return name;
  if (name === 'localhost') return '127.0.0.1';
  if (!addresses.has(name)) {
    const number = addresses.size + 1;
    const address = `198.18.${number >> 8}.${number & 255}`; // a block that is set apart for testing networks
    addresses.set(name, address);
    names.set(address, name);
  }
  return addresses.get(name);
}

/** Return the name that an address was given out for, or the host as it stands. */
export const hostOf = (host) => names.get(host) ?? host;

/** Return what a socket says of where it is connected to. */
export function peerOf(host, port) {
  const address = addressOf(host);
  return { address, port, family: isIP(address) === 6 ? 'IPv6' : 'IPv4' };
}

function looked(name, options) {
  const address = addressOf(String(name ?? 'localhost'));
  const found = { address, family: isIP(address) };
  return typeof options === 'object' && options?.all ? [found] : found;
}

function lookup(name, ...rest) {
  const callback = rest.pop();
  const found = looked(name, rest[0]);
  if (Array.isArray(found)) process.nextTick(callback, null, found);
  else process.nextTick(callback, null, found.address, found.family);
}

function unknown(call, name) {
  const error = new Error(`${call} ENOTFOUND ${name}: under virtual time only addresses are answered`);
  return Object.assign(error, { code: 'ENOTFOUND', syscall: call, hostname: name });
}

function resolving(call) {
  return async (name) => {
    if (call === 'resolve4' || call === 'resolve') return [addressOf(name)];
    throw unknown(call, name);
  };
}

function withCallback(resolve) {
  return (name, ...rest) => {
    const callback = rest.pop();
    resolve(name).then((found) => process.nextTick(callback, null, found), (error) => process.nextTick(callback, error));
  };
}

/** Replace the resolvers of the platform. */
export function installNames() {
  dns.lookup = lookup;
  dnsPromises.lookup = async (name, options) => looked(name, options);
  const calls = Object.keys(dns).filter((name) => name.startsWith('resolve') || name === 'reverse' || name === 'lookupService');
  for (const call of calls) {
    dnsPromises[call] = resolving(call);
    dns[call] = withCallback(dnsPromises[call]);
    for (const kind of [dns.Resolver, dnsPromises.Resolver]) {
      if (!(call in kind.prototype)) continue;
      kind.prototype[call] = kind === dns.Resolver ? dns[call] : dnsPromises[call];
    }
  }
}
