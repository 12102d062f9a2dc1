// The binary payloads of control frames: CREDIT, ACK, QUERY and FATE.
// Invariant: a payload is a whole number of entries, or a ProtocolViolation.
import { ProtocolViolation } from './errors.ts';
import { CloseCode, Fate } from './frames.ts';
import { limits } from './limits.ts';
import { readU32 } from './read.ts';

const ID_BYTES = 4;
const QUERY_BYTES = 12;
const FATE_BYTES = 5;

/** How many entries one frame takes; more go into further frames. */
export const maxEntries = {
  ids: Math.floor(limits.maxControlBytes / ID_BYTES),
  queries: Math.floor(limits.maxControlBytes / QUERY_BYTES),
  fates: Math.floor(limits.maxControlBytes / FATE_BYTES),
} as const;

/** ACK: attempt numbers. */
export function writeIds(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * ID_BYTES);
  const view = new DataView(bytes.buffer);
  ids.forEach((id, index) => view.setUint32(index * ID_BYTES, id, true));
  return bytes;
}

export function readIds(bytes: Uint8Array, start: number, end: number, each: (id: number) => void): void {
  expectWhole('ACK', end - start, ID_BYTES);
  for (let at = start; at < end; at += ID_BYTES) each(readU32(bytes, at));
}

/** QUERY: attempt numbers, each with the count of items that the client has received, and the bytes that it takes before it gives credit again. */
export function writeQueries(
  queries: readonly (readonly [attempt: number, received: number, windowBytes: number])[],
): Uint8Array {
  const bytes = new Uint8Array(queries.length * QUERY_BYTES);
  const view = new DataView(bytes.buffer);
  queries.forEach(([attempt, received, windowBytes], index) => {
    view.setUint32(index * QUERY_BYTES, attempt, true);
    view.setUint32(index * QUERY_BYTES + 4, received, true);
    view.setUint32(index * QUERY_BYTES + 8, windowBytes, true);
  });
  return bytes;
}

export function readQueries(
  bytes: Uint8Array,
  start: number,
  end: number,
  each: (attempt: number, received: number, windowBytes: number) => void,
): void {
  expectWhole('QUERY', end - start, QUERY_BYTES);
  for (let at = start; at < end; at += QUERY_BYTES)
    each(readU32(bytes, at), readU32(bytes, at + 4), readU32(bytes, at + 8));
}

/** FATE: attempt numbers, each with what became of it. */
export function writeFates(fates: readonly (readonly [attempt: number, fate: Fate])[]): Uint8Array {
  const bytes = new Uint8Array(fates.length * FATE_BYTES);
  const view = new DataView(bytes.buffer);
  fates.forEach(([attempt, fate], index) => {
    view.setUint32(index * FATE_BYTES, attempt, true);
    view.setUint8(index * FATE_BYTES + 4, fate);
  });
  return bytes;
}

export function readFates(
  bytes: Uint8Array,
  start: number,
  end: number,
  each: (attempt: number, fate: Fate) => void,
): void {
  expectWhole('FATE', end - start, FATE_BYTES);
  for (let at = start; at < end; at += FATE_BYTES) {
    const fate = bytes[at + 4] as number;
    if (fate > Fate.VANISHED) throw new ProtocolViolation(CloseCode.MALFORMED, `FATE: ${fate} is no fate`);
    each(readU32(bytes, at), fate as Fate);
  }
}

/** CREDIT: bytes that were consumed; more than 0 and at most one window. */
export function writeCredit(bytes: number): Uint8Array {
  return writeIds([bytes]);
}

export function readCredit(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== ID_BYTES) {
    throw new ProtocolViolation(CloseCode.MALFORMED, `CREDIT: ${end - start} bytes instead of ${ID_BYTES}`);
  }
  const credit = readU32(bytes, start);
  if (credit === 0) throw new ProtocolViolation(CloseCode.MALFORMED, 'CREDIT: of nothing');
  return credit;
}

function expectWhole(frame: string, bytes: number, entryBytes: number): void {
  if (bytes > 0 && bytes % entryBytes === 0) return;
  throw new ProtocolViolation(
    CloseCode.MALFORMED,
    `${frame}: ${bytes} bytes are no whole number of entries of ${entryBytes}`,
  );
}
