// Owns what of the platform depends on the machine, on garbage collection or on other threads, and is neither a
// clock nor randomness. Invariant: the number of threads that do work for this process is one, so that work is
// done in the order in which it was asked for.

import os from 'node:os';

import { refuse } from './refusals.mjs';

const PID = 4242;

/** Objects are never found dead: when memory is reclaimed depends on the machine. */
class KeptWeakRef {
  #target;

  constructor(target) {
    this.#target = target;
  }

  deref() {
    return this.#target;
  }
}

class IdleFinalizationRegistry {
  register() {}

  unregister() {
    return false;
  }
}

/** WebAssembly is compiled on this thread; `compile` and `instantiate` answer at once. */
function installWebAssembly() {
  const { Module, Instance } = WebAssembly;
  WebAssembly.compile = async (source) => new Module(source);
  WebAssembly.instantiate = async (source, imports) => {
    if (source instanceof Module) return new Instance(source, imports);
    const module = new Module(source);
    return { module, instance: new Instance(module, imports) };
  };
}

function requireOneThread() {
  if (process.env.UV_THREADPOOL_SIZE === '1') return;
  refuse('a thread pool', 'start Node with UV_THREADPOOL_SIZE=1 in its environment, as the harness does');
}

/** Replace what differs from machine to machine. */
export function installPlatform() {
  requireOneThread();
  globalThis.WeakRef = KeptWeakRef;
  globalThis.FinalizationRegistry = IdleFinalizationRegistry;
  installWebAssembly();
  Object.defineProperty(process, 'pid', { value: PID, configurable: true, enumerable: true });
  Object.defineProperty(process, 'ppid', { value: 1, configurable: true, enumerable: true });
  os.hostname = () => 'simulated';
}
