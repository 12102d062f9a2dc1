// UTF-8, both ways, over the platform's own encoder and decoder.
// Invariant: bytes that are not UTF-8 are never repaired silently; they throw.

interface Utf8Encoder {
  encode(text: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number };
}
interface Utf8Decoder {
  decode(bytes: Uint8Array): string;
}

// Every platform has these two; this folder is compiled without any platform's types.
declare const TextEncoder: new () => Utf8Encoder;
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => Utf8Decoder;

export const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this many bytes `String.fromCharCode` beats the call into the platform's decoder (Node 24: 30–120 ns against 100–125). */
const SHORT_TEXT_BYTES = 40;

/** @throws TypeError for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  const short = end - start <= SHORT_TEXT_BYTES ? decodeAscii(bytes, start, end) : undefined;
  return short ?? utf8Decoder.decode(bytes.subarray(start, end));
}

/** Undefined when there is more than ASCII in it. Several at once: each `+=` costs more than a character. */
function decodeAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    const e = bytes[at + 4] as number;
    const f = bytes[at + 5] as number;
    const g = bytes[at + 6] as number;
    const h = bytes[at + 7] as number;
    if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  if (at + 4 <= end) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    if ((a | b | c | d) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d);
    at += 4;
  }
  for (; at < end; at += 1) {
    const a = bytes[at] as number;
    if (a > 0x7f) return undefined;
    text += String.fromCharCode(a);
  }
  return text;
}

/** Bytes of the text in UTF-8; a lone surrogate takes three, as the encoder replaces it by U+FFFD. */
export function textBytes(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit <= 0x7f) continue;
    if (unit <= 0x7ff) {
      count += 1;
      continue;
    }
    count += 2;
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(at + 1);
      // A pair is two units and four bytes.
      if (next >= 0xdc00 && next <= 0xdfff) at += 1;
    }
  }
  return count;
}
