// What SQLite says when it fails, in words that name the store and the remedy.
// Invariant: pure; every text says what happened and what to do.

import { HoldfastError } from '../protocol/errors.ts';

/** Primary result codes: https://www.sqlite.org/rescode.html */
const PERM = 3;
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
/** Extended ones: IOERR_FSYNC and IOERR_DIR_FSYNC. */
const FLUSH_FAILURES = [1_034, 1_290];

const remedies = new Map([
  [PERM, 'give this process the right to read and write there'],
  [
    BUSY,
    'another store has it open: close that one, ask it through its etcd API (etcd://HOST:PORT), or choose another directory',
  ],
  [READONLY, 'give this process the right to write there'],
  [IOERR, 'see that the disk works and has room'],
  [CORRUPT, 'keep a copy, and restore a backup'],
  [FULL, 'make room, and write again'],
  [CANTOPEN, 'give this process the right to write there'],
  [NOTADB, 'choose another directory'],
]);

/** SQLite's extended result code; undefined for what is not an error of SQLite. */
function resultCode(cause: unknown): number | undefined {
  return cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number'
    ? cause.errcode
    : undefined;
}

function text(directory: string, cause: unknown): string {
  const said = cause instanceof Error ? cause.message : String(cause);
  const code = resultCode(cause);
  if (code === undefined) return `store ${directory}: ${said}`;
  const remedy = remedies.get(code & 0xff);
  return `${said} in ${directory}${remedy === undefined ? '' : `: ${remedy}`}`;
}

/**
 * The error for what SQLite threw: `database or disk is full in /data/fleet: make room, and write again`.
 *
 * A transaction whose commit failed may come to life when the file is opened again: all of it may have been written, and
 * only not flushed. One that found no room was not written to its end.
 */
export function storeFailure(directory: string, cause: unknown): HoldfastError {
  const started = FLUSH_FAILURES.includes(resultCode(cause) ?? 0) ? 'unknown' : 'notStarted';
  return new HoldfastError(text(directory, cause), { code: 'store_failed', started, cause });
}
