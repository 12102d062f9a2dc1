// Keys as bytes and as text: order, equality, and the end of a prefix.
// Invariant: `keyText` keeps order and is one to one, so texts compare as the bytes do.
import type { KeyRange } from './contract.ts';

export const noBytes = new Uint8Array(0);

/** Longest key that is turned into text in one call: arguments lie on the stack. */
const CHUNK = 4_096;

/** One character for each byte. */
export function keyText(key: Uint8Array): string {
  if (key.length <= CHUNK) return String.fromCharCode.apply(null, key as unknown as number[]);
  let text = '';
  for (let at = 0; at < key.length; at += CHUNK) text += keyText(key.subarray(at, at + CHUNK));
  return text;
}

/** Negative, 0 or positive, in the order of unsigned bytes; a prefix comes before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** For `KeyRange.end`: the first key beyond all that begin with `prefix`; empty when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] as number;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, at + 1);
    end[at] = byte + 1;
    return end;
  }
  return noBytes;
}

export function covers({ key, end }: KeyRange, candidate: Uint8Array): boolean {
  if (end === undefined) return compareBytes(candidate, key) === 0;
  return compareBytes(candidate, key) >= 0 && (end.length === 0 || compareBytes(candidate, end) < 0);
}
