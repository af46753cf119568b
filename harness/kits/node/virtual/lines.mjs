// Owns the two ends of the pipe to the harness. Invariant: reading blocks the whole process, so that nothing can
// happen in it between saying that it is idle and the next line; writing returns when the bytes are in the pipe.

import fs from 'node:fs';

const CHUNK = Buffer.allocUnsafe(1 << 16);
const NEWLINE = 10;
const { readSync, writeSync } = fs;
let parts = [];
const lines = [];

/** Return the next line without its end, waiting for it; null when the harness has gone. */
export function readLine() {
  while (lines.length === 0) {
    const size = readSync(0, CHUNK, 0, CHUNK.length, null);
    if (size === 0) return null;
    split(CHUNK.subarray(0, size));
  }
  return lines.shift();
}

function split(bytes) {
  let from = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
    parts.push(Buffer.from(bytes.subarray(from, end)));
    lines.push(Buffer.concat(parts).toString());
    parts = [];
    from = end + 1;
  }
  if (from < bytes.length) parts.push(Buffer.from(bytes.subarray(from)));
}

/** Write bytes or text as they are. */
export function writeOut(chunk) {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

/** Write one record as a line. */
export const writeLine = (record) => writeOut(`${JSON.stringify(record)}\n`);
