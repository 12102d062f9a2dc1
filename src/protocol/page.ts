// The memory that frames are written into until they leave as one message.
// Invariant: bytes that the port keeps are never written again.
import { CALL_PREFIX_BYTES, HEADER_BYTES } from './frames.ts';
import { limits } from './limits.ts';
import { utf8Encoder } from './text.ts';

const EMPTY = new Uint8Array(0);
const MIN_PAGE_BYTES = 512;
const PAGE_BYTES = 16_384;
/** What a flush of the bulk lane may write: up to the watermark and a chunk beyond it, with headers and what waited before. */
const BULK_PAGE_BYTES = limits.bulkWatermarkBytes + limits.maxChunkBytes + PAGE_BYTES;
/** Pages that sockets have taken, for whoever of this process writes next: a peer that is idle holds none. */
const MAX_SPARE_PAGES = 64;
const sparePages: Uint8Array[] = [];
/** Fresh memory costs bulk more than the copy into it. */
let spareBulkPage: Uint8Array | undefined;
/** Up to this many bytes a loop beats `set` with its `subarray`, and `encodeInto`. */
const SHORT_BYTES = 64;

interface Taker {
  send(bytes: Uint8Array): 'taken' | 'kept';
}

export class Page {
  readonly #to: Taker;
  #bytes: Uint8Array = EMPTY;
  /** Where the message that is being written begins. */
  #start = 0;
  #end = 0;
  /** A port that keeps messages gets pages of their size. */
  #taker: 'takes' | 'keeps' = 'takes';
  /** What messages took of late, without what was reserved: the measure for such a page. */
  #recentBytes = 0;
  /** What the message had taken when more was reserved; -1 = nothing was. */
  #unreservedBytes = -1;

  constructor(to: Taker) {
    this.#to = to;
  }

  /** Bytes that have not left yet. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** Writes a header and makes room for so many bytes behind it. */
  header(type: number, flags: number, peer: number, id: number, length: number): void {
    let at = this.#end;
    if (at + HEADER_BYTES + length > this.#bytes.length) {
      this.#grow(HEADER_BYTES + length);
      at = this.#end;
    }
    const bytes = this.#bytes;
    bytes[at] = type;
    bytes[at + 1] = flags;
    bytes[at + 2] = peer;
    bytes[at + 3] = peer >>> 8;
    bytes[at + 4] = id;
    bytes[at + 5] = id >>> 8;
    bytes[at + 6] = id >>> 16;
    bytes[at + 7] = id >>> 24;
    bytes[at + 8] = length;
    bytes[at + 9] = length >>> 8;
    bytes[at + 10] = length >>> 16;
    bytes[at + 11] = length >>> 24;
    this.#end = at + HEADER_BYTES;
  }

  /** Where the next byte goes, as a distance from the start of the message: good for `setLength` and `undo` until the message leaves. */
  get mark(): number {
    return this.#end - this.#start;
  }

  /** Corrects the length in the header at this mark: the payload is all that was written since. Returns it. */
  setLength(mark: number): number {
    const at = this.#start + mark + 8;
    const length = this.#end - this.#start - mark - HEADER_BYTES;
    const bytes = this.#bytes;
    bytes[at] = length;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length >>> 16;
    bytes[at + 3] = length >>> 24;
    return length;
  }

  /** Takes back everything since the mark. */
  undo(mark: number): void {
    this.#end = this.#start + mark;
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#end + length > this.#bytes.length) this.#grow(length);
    const into = this.#bytes;
    const at = this.#end;
    if (length <= SHORT_BYTES) {
      for (let index = 0; index < length; index += 1) into[at + index] = bytes[start + index] as number;
    } else {
      into.set(bytes.subarray(start, end), at);
    }
    this.#end = at + length;
  }

  /** The fixed start of a CALL's payload. */
  callPrefix(fn: number, routeBytes: number, deadlineMs: number): void {
    let at = this.#end;
    if (at + CALL_PREFIX_BYTES > this.#bytes.length) {
      this.#grow(CALL_PREFIX_BYTES);
      at = this.#end;
    }
    const bytes = this.#bytes;
    bytes[at] = fn;
    bytes[at + 1] = fn >>> 8;
    bytes[at + 2] = routeBytes;
    bytes[at + 3] = routeBytes >>> 8;
    bytes[at + 4] = deadlineMs;
    bytes[at + 5] = deadlineMs >>> 8;
    bytes[at + 6] = deadlineMs >>> 16;
    bytes[at + 7] = deadlineMs >>> 24;
    this.#end = at + CALL_PREFIX_BYTES;
  }

  u32(value: number): void {
    if (this.#end + 4 > this.#bytes.length) this.#grow(4);
    const at = this.#end;
    const bytes = this.#bytes;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#end = at + 4;
  }

  /** Writes the text in UTF-8; returns its bytes. */
  text(text: string): number {
    const length = text.length;
    if (this.#end + length > this.#bytes.length) this.#grow(length);
    if (length > SHORT_BYTES) return this.#longText(text);
    const bytes = this.#bytes;
    const at = this.#end;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return this.#longText(text);
      bytes[at + index] = unit;
    }
    this.#end = at + length;
    return length;
  }

  #longText(text: string): number {
    const from = this.#end - this.#start;
    let rest = text;
    for (;;) {
      const { read, written } = utf8Encoder.encodeInto(rest, this.#bytes.subarray(this.#end));
      this.#end += written;
      if (read === rest.length) return this.#end - this.#start - from;
      rest = rest.slice(read);
      this.#grow(Math.max(4, rest.length + (rest.length >> 1)));
    }
  }

  /** Sends what was written as one message; nothing when nothing was. */
  send(): void {
    const { pendingBytes } = this;
    if (pendingBytes === 0) return;
    const message = this.#bytes.subarray(this.#start, this.#end);
    const ordinaryBytes = this.#unreservedBytes === -1 ? pendingBytes : this.#unreservedBytes;
    this.#recentBytes = (this.#recentBytes + ordinaryBytes) >> 1;
    this.#unreservedBytes = -1;
    const bytes = this.#bytes;
    this.#start = this.#end;
    // So what is shared has never held more than one message.
    if (bytes.length >= PAGE_BYTES) this.clear();
    if (this.#to.send(message) === 'kept') this.#taker = 'keeps';
    else {
      this.#taker = 'takes';
      spare(bytes);
    }
  }

  /** Forgets what was written. */
  clear(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#unreservedBytes = -1;
  }

  /** Room for so many bytes of bulk, in one step. They are no measure for later messages. */
  reserve(length: number): void {
    if (this.#unreservedBytes === -1) this.#unreservedBytes = this.pendingBytes;
    if (this.#end + length > this.#bytes.length) this.#moveTo(bulkPage(this.pendingBytes + length));
  }

  /** A page with room for so many bytes more. One that the port keeps serves several messages. */
  #grow(length: number): void {
    const neededBytes = this.pendingBytes + length;
    if (this.#taker === 'takes' && neededBytes <= PAGE_BYTES) {
      this.#moveTo(sparePages.pop() ?? new Uint8Array(PAGE_BYTES));
      return;
    }
    const wishedBytes = Math.min(this.#recentBytes * 4, PAGE_BYTES);
    let size = MIN_PAGE_BYTES;
    while (size < neededBytes || size < wishedBytes) size *= 2;
    this.#moveTo(new Uint8Array(size));
  }

  /** What has not left moves over. What has left stays where it is: the port has it. */
  #moveTo(bytes: Uint8Array): void {
    const { pendingBytes } = this;
    if (pendingBytes > 0) bytes.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = bytes;
    this.#start = 0;
    this.#end = pendingBytes;
  }
}

function spare(bytes: Uint8Array): void {
  if (bytes.length === PAGE_BYTES && sparePages.length < MAX_SPARE_PAGES) sparePages.push(bytes);
  else if (bytes.length === BULK_PAGE_BYTES) spareBulkPage = bytes;
}

function bulkPage(neededBytes: number): Uint8Array {
  if (neededBytes > BULK_PAGE_BYTES || neededBytes < BULK_PAGE_BYTES / 4) return new Uint8Array(neededBytes);
  const page = spareBulkPage ?? new Uint8Array(BULK_PAGE_BYTES);
  spareBulkPage = undefined;
  return page;
}
