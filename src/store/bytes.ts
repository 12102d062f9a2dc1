// Keys as bytes and as text: order, equality, and the end of a prefix.
// Invariant: `keyText` keeps order and is one to one, so texts compare as the bytes do.

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
