// What programs do to the platform, one experiment a tool: the tests of virtual time look at what comes out.
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import dns from 'node:dns/promises';
import fs from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep, setInterval as every } from 'node:timers/promises';
import tls from 'node:tls';
import { promisify } from 'node:util';
import workers from 'node:worker_threads';
import zlib from 'node:zlib';

import { serve } from 'hitl-adapter-kit';

const HOUR_MS = 3_600_000;
const once = (target, name) => new Promise((resolve) => target.once(name, (...values) => resolve(values)));

const said = (work) => {
  try {
    work();
    return 'nothing was said';
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
};

const experiments = {
  async nothing() {},

  async clocks() {
    const read = () => [new Date().toISOString(), Date.now(), performance.now(), Number(process.hrtime.bigint()), process.uptime()];
    const before = read();
    await sleep(HOUR_MS);
    return { before, after: read(), text: Date().slice(0, 24), own: new Date(0).toISOString(), is: new Date() instanceof Date };
  },

  async order() {
    const seen = [];
    const note = (name) => seen.push(name);
    setTimeout(note, 20, 'timer 20');
    setTimeout(note, 10, 'timer 10');
    setTimeout(note, 10, 'timer 10, set later');
    setImmediate(note, 'immediate');
    queueMicrotask(() => note('microtask'));
    process.nextTick(note, 'tick');
    clearTimeout(setTimeout(note, 15, 'cleared'));
    const ticking = setInterval(() => note(`interval at ${performance.now()}`), 8);
    await sleep(25);
    clearInterval(ticking);
    await sleep(100);
    return seen;
  },

  async promises() {
    const seen = [];
    for await (const value of every(1000, 'tick')) {
      seen.push([value, performance.now()]);
      if (seen.length === 3) break;
    }
    const late = AbortSignal.timeout(500);
    await sleep(1000, null, { signal: late }).catch((error) => seen.push([error.name, performance.now()]));
    seen.push([late.reason.name, await promisify(setTimeout)(1, 'promisified')]);
    return seen;
  },

  async randomness() {
    const view = crypto.getRandomValues(new Uint16Array(3));
    const later = await promisify(crypto.randomBytes)(4);
    return [Math.random(), crypto.randomUUID(), globalThis.crypto.randomUUID(), [...view], later.toString('hex'), crypto.randomInt(1000)];
  },

  /** Work that the platform does on other threads, begun together: in which order does it end? */
  async threads(host) {
    const ended = [];
    const key = (name, rounds) => promisify(crypto.pbkdf2)('secret', 'salt', rounds, 8, 'sha256').then(() => ended.push(name));
    const file = path.join(host.directory, 'note');
    const work = [
      key('long', 200_000),
      key('short', 1),
      fs.writeFile(file, 'x'.repeat(100_000)).then(() => ended.push('written')),
      promisify(zlib.gzip)('y'.repeat(100_000)).then(() => ended.push('packed')),
      globalThis.crypto.subtle.digest('SHA-256', new Uint8Array(8)).then(() => ended.push('digest')),
      promisify(setImmediate)().then(() => ended.push('immediate')),
      WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => ended.push('compiled')),
    ];
    await Promise.all(work);
    await fs.rm(file);
    return [ended, performance.now()];
  },

  async echo(host, { port }) {
    const socket = net.connect(port, 'service');
    const chunks = [];
    socket.on('data', (data) => chunks.push(String(data)));
    socket.end('hello');
    const [hadError] = await once(socket, 'close');
    return { text: chunks.join(''), hadError, read: socket.bytesRead, written: socket.bytesWritten, at: performance.now() };
  },

  async refused(host, { port }) {
    const [error] = await once(net.connect(port, 'service'), 'error');
    return [error.code, error.syscall, error.message];
  },

  async broken(host, { port }) {
    const socket = net.connect(port, 'service');
    socket.write('hello');
    const [error] = await once(socket, 'error');
    return [error.code, error.syscall];
  },

  async idle(host, { port }) {
    const socket = net.connect(port, 'service');
    socket.setTimeout(30_000);
    await once(socket, 'timeout');
    socket.destroy();
    return performance.now();
  },

  async http(host, { port }) {
    const agent = new http.Agent({ keepAlive: true });
    const get = async () => {
      const [response] = await once(http.get({ host: 'service', port, agent, path: '/x' }), 'response');
      return (await response.toArray()).join('');
    };
    const texts = [await get(), await get()];
    agent.destroy();
    return texts;
  },

  async fetch(host, { port }) {
    const { address } = await dns.lookup('service');
    const reply = await fetch(`http://${address}:${port}/y`, { method: 'POST', body: 'z' });
    return [reply.status, await reply.text()];
  },

  async forbidden() {
    return [
      said(() => tls.connect(443, 'service')),
      said(() => net.createServer().listen(0)),
      said(() => childProcess.spawn('true')),
      said(() => new workers.Worker('x', { eval: true })),
      said(() => crypto.generateKeyPairSync('ed25519')),
      said(() => process.kill(1)),
      said(() => net.connect('/tmp/socket')),
    ];
  },

  async spin() {
    for (;;);
  },

  async immediates() {
    await new Promise(() => {
      const again = () => setImmediate(again);
      again();
    });
  },

  async exit() {
    console.error('these are my last words');
    process.exit(3);
  },

  async crash(host) {
    await fs.writeFile(path.join(host.directory, 'kept'), 'kept');
    await sleep(HOUR_MS);
    await fs.writeFile(path.join(host.directory, 'never'), 'never');
  },
};

serve({
  manifest: { name: 'platform', version: '1', summary: 'Experiments', offers: {}, clocks: ['real', 'virtual'] },
  bootAgent: (host) => ({
    async callTool(call) {
      return { status: 'executed', result: (await experiments[call.tool](host, call.arguments)) ?? null };
    },
  }),
});
