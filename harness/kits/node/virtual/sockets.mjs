// Owns the tunnel: every connection of this process is carried as lines over the contract into the simulated
// network. Invariant: `net.Socket` stays the class that it is, so that whatever is built on it (http, ws,
// undici, got) does not notice; only what would reach the machine's network is replaced, on its prototype.
//
// Bytes written are taken at once: there is no back-pressure in the tunnel. Unix sockets are refused.

import { AsyncResource } from 'node:async_hooks';
import net from 'node:net';
import os from 'node:os';

import { writeLine } from './lines.mjs';
import { hostOf, peerOf } from './names.mjs';
import { refuse } from './refusals.mjs';
import { virtual } from './timers.mjs';

const TUNNEL = Symbol('tunnel');
const IDLE = Symbol('idle timer');
const tunnels = new Map();
const native = {};
let numbers = 0;

class Tunnel {
  #scope = new AsyncResource('TCPWRAP');

  constructor(socket, host, port) {
    this.number = ++numbers;
    this.socket = socket;
    this.host = host;
    this.port = port;
    this.received = 0;
    this.sent = 0;
    this.gone = false;
    tunnels.set(this.number, this);
    Object.defineProperties(socket, {
      bytesRead: { get: () => this.received, configurable: true },
      _bytesDispatched: { get: () => this.sent, configurable: true },
    });
    writeLine({ socket: this.number, open: { host, port } });
  }

  say(record) {
    if (!this.gone) writeLine({ socket: this.number, ...record });
  }

  send(bytes) {
    this.sent += bytes.length;
    this.say({ data: bytes.toString('base64') });
  }

  hear(record) {
    this.#scope.runInAsyncScope(() => this.#hear(record));
  }

  #hear(record) {
    if (record.opened) this.#opened();
    if (typeof record.data === 'string') this.#received(Buffer.from(record.data, 'base64'));
    if (record.end) this.#ended();
    if (typeof record.error === 'string') this.#failed(record.error);
  }

  #opened() {
    const { socket } = this;
    socket.connecting = false;
    socket._peername = peerOf(this.host, this.port);
    socket._sockname = { address: '198.18.0.1', port: 49_151 + (this.number % 16_384), family: 'IPv4' };
    socket.emit('connect');
    socket.emit('ready');
    if (!socket.isPaused()) socket.read(0);
  }

  #received(bytes) {
    this.received += bytes.length;
    this.socket._unrefTimer();
    this.socket.push(bytes);
  }

  #ended() {
    this.socket.push(null);
    this.socket.read(0);
  }

  #failed(code) {
    this.forget();
    const { socket } = this;
    const call = socket.connecting ? 'connect' : 'read';
    const where = socket.connecting ? ` ${this.host}:${this.port}` : '';
    const errno = -(os.constants.errno[code] ?? os.constants.errno.EIO);
    const error = Object.assign(new Error(`${call} ${code}${where}`), { errno, code, syscall: call });
    if (socket.connecting) Object.assign(error, { address: peerOf(this.host, 0).address, port: this.port });
    socket.destroy(error);
  }

  forget() {
    this.gone = true;
    tunnels.delete(this.number);
  }

  destroy() {
    this.say({ destroy: true });
    this.forget();
  }
}

/** Hand a line of the harness to the socket that it is about; one that is gone has nothing more to hear. */
export function hearSocket(record) {
  tunnels.get(record.socket)?.hear(record);
}

function connect(...given) {
  const [options, listener] = Array.isArray(given[0]) ? given[0] : net._normalizeArgs(given);
  if (options.path) refuse('net.connect to a Unix socket', 'connect to a host and a port, which are simulated');
  const host = hostOf(options.host || 'localhost');
  if (this.destroyed) this._undestroy();
  this.connecting = true;
  if (typeof listener === 'function') this.once('connect', listener);
  this._unrefTimer();
  this[TUNNEL] = new Tunnel(this, host, Number(options.port));
  return this;
}

function writeGeneric(isMany, data, encoding, done) {
  if (this[TUNNEL] === undefined) {
    native._writeGeneric.call(this, isMany, data, encoding, done);
    return;
  }
  if (this.connecting) {
    writeOnceConnected(this, isMany, data, encoding, done);
    return;
  }
  const parts = isMany ? data.map((part) => Buffer.from(part.chunk, part.encoding)) : [Buffer.from(data, encoding)];
  const bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  this._unrefTimer();
  this[TUNNEL].send(bytes);
  done();
}

function writeOnceConnected(socket, ...write) {
  const done = write.at(-1);
  const onClose = () => {
    const error = new Error('Socket closed before the connection was established');
    done(Object.assign(error, { code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' }));
  };
  socket.once('close', onClose);
  socket.once('connect', () => {
    socket.off('close', onClose);
    socket._writeGeneric(...write);
  });
}

function final(done) {
  if (this[TUNNEL] === undefined) {
    native._final.call(this, done);
    return;
  }
  if (this.connecting) {
    this.once('connect', () => this._final(done));
    return;
  }
  this[TUNNEL].say({ end: true });
  done();
}

function destroySocket(error, done) {
  virtual.clearTimeout(this[IDLE]);
  if (this[TUNNEL] === undefined) {
    native._destroy.call(this, error, done);
    return;
  }
  this.connecting = false;
  this[TUNNEL].destroy();
  done(error);
  process.nextTick(() => this.emit('close', Boolean(error)));
}

function read(size) {
  if (this[TUNNEL] === undefined) native._read.call(this, size);
}

function setSocketTimeout(wanted, listener) {
  if (this.destroyed) return this;
  this.timeout = wanted;
  virtual.clearTimeout(this[IDLE]);
  this[IDLE] = undefined;
  if (wanted > 0) this[IDLE] = virtual.setTimeout(() => this.emit('timeout'), wanted);
  if (typeof listener !== 'function') return this;
  if (wanted > 0) this.once('timeout', listener);
  else this.off('timeout', listener);
  return this;
}

/** Replace what of `net.Socket` reaches the machine's network, and its idle timer. */
export function installSockets() {
  const kind = net.Socket.prototype;
  for (const name of ['_writeGeneric', '_final', '_destroy', '_read']) native[name] = kind[name];
  Object.assign(kind, { connect, _writeGeneric: writeGeneric, _final: final, _destroy: destroySocket, _read: read });
  kind.setTimeout = setSocketTimeout;
  kind._unrefTimer = function refreshIdleTimer() {
    for (let socket = this; socket; socket = socket._parent) socket[IDLE]?.refresh();
  };
  kind.resetAndDestroy = function resetAndDestroy() {
    return this.destroy();
  };
  for (const name of ['ref', 'unref']) {
    kind[name] = function stay() {
      return this;
    };
  }
}
