// Header blocks of HTTP/2 (RFC 7541): reads all of it; writes only what changes nobody's table.
// Invariant: the table never holds more than was announced, and never more than what a block can fill.
import { decodeHuffman } from './huffman.ts';

export type Header = readonly [name: string, value: string];

/** The size that a peer may use unless it is told otherwise. */
const TABLE_BYTES = 4_096;
const ENTRY_OVERHEAD_BYTES = 32;

// RFC 7541, appendix A.
const STATIC: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary ' +
    'via www-authenticate'
  )
    .split(' ')
    .map((name): Header => [name, '']),
];

export class HpackDecoder {
  /** The newest first. */
  readonly #table: Header[] = [];
  #tableBytes = 0;
  #limitBytes = TABLE_BYTES;
  #at = 0;

  /** @throws Error when the block is broken: the connection cannot go on, because the tables differ from then on */
  decode(block: Uint8Array): Header[] {
    const headers: Header[] = [];
    this.#at = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if (first >= 0x80) headers.push(this.#entry(this.#integer(block, 7)));
      else if (first >= 0x40) headers.push(this.#remember(this.#literal(block, 6)));
      else if (first >= 0x20) this.#resize(this.#integer(block, 5));
      else headers.push(this.#literal(block, 4));
    }
    return headers;
  }

  #literal(block: Uint8Array, bits: number): Header {
    const index = this.#integer(block, bits);
    const name = index === 0 ? this.#text(block) : this.#entry(index)[0];
    return [name, this.#text(block)];
  }

  #entry(index: number): Header {
    const entry = index <= STATIC.length ? STATIC[index - 1] : this.#table[index - STATIC.length - 1];
    if (entry === undefined) throw new Error(`HPACK: there is no entry ${index}`);
    return entry;
  }

  #remember(header: Header): Header {
    this.#tableBytes += sizeOf(header);
    this.#table.unshift(header);
    this.#evict();
    return header;
  }

  #resize(limitBytes: number): void {
    if (limitBytes > TABLE_BYTES) throw new Error(`HPACK: a table of ${limitBytes} bytes was not offered`);
    this.#limitBytes = limitBytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#limitBytes) {
      const oldest = this.#table.pop();
      if (oldest === undefined) break;
      this.#tableBytes -= sizeOf(oldest);
    }
  }

  #integer(block: Uint8Array, bits: number): number {
    const mask = (1 << bits) - 1;
    let value = (block[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = block[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('HPACK: a number is cut off or too large');
  }

  #text(block: Uint8Array): string {
    const coded = (block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(block, 7);
    const from = this.#at;
    this.#at += length;
    if (this.#at > block.length) throw new Error('HPACK: a string is cut off');
    if (coded) return decodeHuffman(block, from, this.#at);
    let text = '';
    for (let i = from; i < this.#at; i++) text += String.fromCharCode(block[i] ?? 0);
    return text;
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

/** Literals that no table keeps, so that a block may be made once and sent on every connection. Values are Latin-1. */
export function encodeHeaders(headers: readonly Header[]): Uint8Array {
  const bytes: number[] = [];
  for (const [name, value] of headers) {
    const index = STATIC.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (index >= 0 && value !== '') {
      bytes.push(0x80 | (index + 1));
      continue;
    }
    bytes.push(0);
    pushText(bytes, name);
    pushText(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function pushText(bytes: number[], text: string): void {
  let rest = text.length;
  if (rest < 0x7f) bytes.push(rest);
  else {
    bytes.push(0x7f);
    for (rest -= 0x7f; rest >= 0x80; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
    bytes.push(rest);
  }
  for (let i = 0; i < text.length; i++) bytes.push(text.charCodeAt(i) & 0xff);
}
