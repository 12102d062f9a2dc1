// Bytes of any size in a store whose requests are bounded: numbered pieces under a prefix.
// Invariant: reading answers all that was written, as of one revision, or fails.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { utf8Encoder } from '../protocol/text.ts';
import type { Revision, Store } from '../store/contract.ts';

/** Requests under way at once: the store's engine is never idle, and few pieces are held at once. */
const CONCURRENCY = 4;

const pieceKey = (place: string, number: number): Uint8Array => utf8Encoder.encode(`${place}${number}`);

function pieceCount(bytes: number): number {
  return Math.ceil(bytes / limits.checkpointPieceBytes);
}

/** @throws HoldfastError of the store; what was written by then stays */
export async function writePieces(
  store: Store,
  place: string,
  parts: readonly Uint8Array[],
  bytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const next = slicer(parts);
  await inTurn(pieceCount(bytes), async (number) => {
    const size = Math.min(limits.checkpointPieceBytes, bytes - number * limits.checkpointPieceBytes);
    await store.put({ key: pieceKey(place, number), value: next(size) }, { signal });
  });
}

/** @throws HoldfastError `invalid_argument` when a piece is missing or has another length; of the store */
export async function readPieces(
  store: Store,
  place: string,
  bytes: number,
  revision: Revision,
): Promise<Uint8Array> {
  const whole = new Uint8Array(bytes);
  const pieces = pieceCount(bytes);
  await inTurn(pieces, async (number) => {
    const { entries } = await store.range({ key: pieceKey(place, number), revision });
    const [entry] = entries;
    const at = number * limits.checkpointPieceBytes;
    const size = Math.min(limits.checkpointPieceBytes, bytes - at);
    if (entry?.value.length !== size)
      throw new HoldfastError(
        `piece ${number} of ${pieces} under ${place} has ${entry?.value.length ?? 'no'} bytes where ${size} were written`,
        { code: 'invalid_argument' },
      );
    whole.set(entry.value, at);
  });
  return whole;
}

/** Starts them in their order, some at a time; none more after one has failed. */
async function inTurn(count: number, one: (number: number) => Promise<void>): Promise<void> {
  let begun = 0;
  const run = async (): Promise<void> => {
    while (begun < count) {
      const number = begun;
      begun += 1;
      try {
        await one(number);
      } catch (error) {
        begun = count;
        throw error;
      }
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: CONCURRENCY }, run));
  for (const outcome of runs) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Answers the next bytes of the parts: where they lie, or, over a border between parts, a copy. */
function slicer(parts: readonly Uint8Array[]): (size: number) => Uint8Array {
  let part = 0;
  let from = 0;
  const take = (most: number): Uint8Array => {
    const bytes = parts[part] as Uint8Array;
    const taken = bytes.subarray(from, from + most);
    from += taken.length;
    if (from === bytes.length) [part, from] = [part + 1, 0];
    return taken;
  };
  return (size) => {
    const first = take(size);
    if (first.length === size) return first;
    const piece = new Uint8Array(size);
    piece.set(first);
    for (let at = first.length; at < size;) {
      const taken = take(size - at);
      piece.set(taken, at);
      at += taken.length;
    }
    return piece;
  };
}
