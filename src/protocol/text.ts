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
declare const TextDecoder: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => Utf8Decoder;

export const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this many bytes a loop beats the call into the platform's decoder. */
const SHORT_TEXT_BYTES = 24;

/** @throws TypeError for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_TEXT_BYTES) {
    let text = '';
    let at = start;
    for (; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  return utf8Decoder.decode(bytes.subarray(start, end));
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
