// The durable store of the application-level guard: one record for each tool call, changed by compare-and-set.
//
// Owns the files. A version of a record is a file whose name ends in its number; it comes into being by a hard link,
// which fails where another process was first.
//
// Invariant: a version that exists is whole, on disk, and never changes.
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Where a record may go from each state. */
const TRANSITIONS = {
  pending: ["approved", "rejected"],
  approved: ["claimed"],
  claimed: ["executed", "failed", "unknown"],
  rejected: [],
  executed: [],
  failed: [],
  unknown: [],
};

export const hasEnded = ({ state }) => TRANSITIONS[state].length === 0;

export class Ledger {
  #folder;
  #writer;
  #drafts = 0;

  /** `writer` names the process; no two that write at once may have one name. */
  constructor(folder, writer) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#writer = writer;
  }

  /** The newest version of a record, undefined where there is none. */
  read(id) {
    const numbers = this.#versions().filter((it) => it.id === id).map((it) => it.number);
    return numbers.length === 0 ? undefined : this.#version(id, Math.max(...numbers));
  }

  all() {
    return [...new Set(this.#versions().map(({ id }) => id))].sort().map((id) => this.read(id));
  }

  /** Write the first version of a record; returns it, undefined where there is one. */
  open(record) {
    return this.#write({ ...record, state: "pending", version: 0 });
  }

  /** Write what follows `before`; returns it, undefined where `before` is not the newest any more. */
  advance(before, state, changes = {}) {
    if (!TRANSITIONS[before.state].includes(state)) throw new Error(`${before.id} is ${before.state}, it cannot become ${state}`);
    return this.#write({ ...before, ...changes, state, version: before.version + 1 });
  }

  #write(record) {
    const draft = join(this.#folder, `draft-${this.#writer}-${++this.#drafts}`);
    const file = openSync(draft, "w");
    writeSync(file, JSON.stringify(record));
    fsyncSync(file);
    closeSync(file);
    try {
      linkSync(draft, this.#path(record.id, record.version));
    } catch (error) {
      if (error.code === "EEXIST") return undefined;
      throw error;
    } finally {
      unlinkSync(draft);
    }
    this.#syncFolder();
    return record;
  }

  #syncFolder() {
    const folder = openSync(this.#folder, "r");
    fsyncSync(folder);
    closeSync(folder);
  }

  #versions() {
    return readdirSync(this.#folder).flatMap((name) => {
      const [, id, number] = name.match(/^record-(.+)\.(\d+)$/) ?? [];
      return id ? [{ id: decodeURIComponent(id), number: Number(number) }] : [];
    });
  }

  #version(id, number) {
    return JSON.parse(readFileSync(this.#path(id, number), "utf8"));
  }

  #path(id, number) {
    return join(this.#folder, `record-${encodeURIComponent(id)}.${number}`);
  }
}
