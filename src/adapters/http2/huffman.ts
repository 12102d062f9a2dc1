// HPACK's Huffman code (RFC 7541, appendix B).
// Invariant: the code is canonical, so its lengths alone say it; they fill the code space exactly.

/** Bits of each byte's code; the 257th is the end of a string, which never occurs in one. Pairs: how many, how long. */
// prettier-ignore
const RUNS = [
  1,13, 1,23, 7,28, 1,24, 1,30, 2,28, 1,30, 8,28, 1,30, 9,28, // control characters
  1,6, 2,10, 1,12, 1,13, 1,6, 1,8, 1,11, 2,10, 1,8, 1,11, 1,8, 3,6, // space to /
  3,5, 7,6, 1,7, 1,8, 1,15, 1,6, 1,12, 1,10, 1,13, // 0 to @
  1,6, 22,7, 1,8, 1,7, 1,8, 1,13, 1,19, 1,13, 1,14, 1,6, 1,15, // A to `
  1,5, 1,6, 1,5, 1,6, 1,5, 3,6, 1,5, 2,7, 3,6, 1,5, 1,6, 1,7, 1,6, 2,5, 1,6, 5,7, // a to z
  1,15, 1,11, 1,14, 1,13, 1,28, // { to delete
  1,20, 1,22, 2,20, 3,22, 1,23, 1,22, 5,23, 1,24, 1,23, 2,24, // 128
  1,22, 1,23, 1,24, 4,23, 1,21, 1,22, 1,23, 1,22, 2,23, 1,24, // 146
  1,22, 1,21, 1,20, 2,22, 2,23, 1,21, 1,23, 2,22, 1,24, 1,21, 1,22, 2,23, // 160
  2,21, 1,22, 1,21, 1,23, 1,22, 2,23, 1,20, 3,22, 1,23, 2,22, 1,23, // 176
  2,26, 1,20, 1,19, 1,22, 1,23, 1,22, 1,25, 3,26, 2,27, 1,26, 1,24, 1,25, // 192
  1,19, 1,21, 1,26, 2,27, 1,26, 1,27, 1,24, 2,21, 2,26, 1,28, 3,27, // 208
  1,20, 1,24, 1,20, 1,21, 1,22, 2,21, 1,23, 2,22, 2,25, 2,24, 1,26, 1,23, // 224
  1,26, 1,27, 2,26, 5,27, 1,28, 5,27, 1,26, // 240
  1,30, // the end
];
const END = 256;
const LONGEST = 30;

/** The codes of one length are consecutive: the first of them, how many, and where their bytes begin. */
interface Codes {
  readonly first: number;
  readonly count: number;
  readonly at: number;
}

const { byLength, bytes } = canonical();

function canonical(): { byLength: readonly Codes[]; bytes: Uint16Array } {
  const lengths: number[] = [];
  for (let i = 0; i < RUNS.length; i += 2) {
    for (let n = RUNS[i] ?? 0; n > 0; n--) lengths.push(RUNS[i + 1] ?? 0);
  }
  const order = lengths.map((_, byte) => byte).sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
  const codes: Codes[] = [];
  let first = 0;
  let at = 0;
  for (let length = 0; length <= LONGEST; length++) {
    const count = lengths.filter((one) => one === length).length;
    codes.push({ first, count, at });
    first = (first + count) * 2;
    at += count;
  }
  return { byLength: codes, bytes: Uint16Array.from(order) };
}

/** @throws Error when the bits are no string in this code */
export function decodeHuffman(block: Uint8Array, from: number, to: number): string {
  let text = '';
  let code = 0;
  let length = 0;
  for (let i = from; i < to; i++) {
    const byte = block[i] ?? 0;
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      const codes = byLength[++length];
      if (codes === undefined) throw new Error('HPACK: no such Huffman code');
      const index = code - codes.first;
      if (index >= codes.count) continue;
      const symbol = bytes[codes.at + index] ?? END;
      if (symbol === END) throw new Error('HPACK: the end of a string inside a string');
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  // What is left is the beginning of the end's code, which is all ones, and shorter than a byte.
  if (length > 7 || code !== (1 << length) - 1) throw new Error('HPACK: the padding of a string is wrong');
  return text;
}
