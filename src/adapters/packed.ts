// Plain data as one run of bytes, for messages between threads: a structured clone of many small objects costs several times as much.
// Invariant: what is unpacked equals what was packed; names that were sent once are sent as a number from then on, so a
// packer has one unpacker, which gets all its messages in order.

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const UINT = 4;
const FLOAT = 5;
const TEXT = 6;
const BYTES = 7;
const LIST = 8;
const RECORD = 9;
/** A word is a name that is sent as a number; a new one brings its text. */
const NEW_WORD = 10;
const FIRST_WORD = 11;

/** Words are the names of fields and the short texts that say which kind a thing is; there are not many. */
const MAX_WORDS = 0xff - FIRST_WORD;
const MAX_WORD_LENGTH = 20;

const FIRST_CAPACITY = 16_384;
/** A packer keeps no more than this between messages, in bytes. */
const KEPT_CAPACITY = 1_048_576;

type Plain = undefined | null | boolean | number | string | Uint8Array | readonly Plain[] | PlainRecord;
interface PlainRecord {
  readonly [name: string]: Plain;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Digits are counted up, so they would fill the table of words. */
const isWord = (text: string): boolean => text.length <= MAX_WORD_LENGTH && text.charCodeAt(0) > 0x40;

export class Packer {
  readonly #words = new Map<string, number>();
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The bytes of a value, in a buffer of their own that can be transferred. */
  pack(value: unknown): Uint8Array<ArrayBuffer> {
    this.#at = 0;
    this.#put(value as Plain);
    const packed = this.#bytes.slice(0, this.#at);
    if (this.#bytes.length > KEPT_CAPACITY) this.#grow(FIRST_CAPACITY);
    return packed;
  }

  #put(value: Plain): void {
    switch (typeof value) {
      case 'undefined':
        return this.#tag(UNDEFINED);
      case 'boolean':
        return this.#tag(value ? TRUE : FALSE);
      case 'number':
        return this.#number(value);
      case 'string':
        return this.#text(value);
      default:
        if (value === null) return this.#tag(NULL);
        if (value instanceof Uint8Array) return this.#blob(BYTES, value);
        if (Array.isArray(value)) return this.#list(value);
        return this.#record(value as PlainRecord);
    }
  }

  #number(value: number): void {
    this.#room(9);
    if (value === value >>> 0 && !Object.is(value, -0)) {
      this.#bytes[this.#at] = UINT;
      this.#view.setUint32(this.#at + 1, value, true);
      this.#at += 5;
    } else {
      this.#bytes[this.#at] = FLOAT;
      this.#view.setFloat64(this.#at + 1, value, true);
      this.#at += 9;
    }
  }

  #text(text: string): void {
    if (isWord(text)) this.#word(text);
    else this.#blob(TEXT, encoder.encode(text));
  }

  #blob(tag: number, bytes: Uint8Array): void {
    this.#counted(tag, bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #list(items: readonly Plain[]): void {
    this.#counted(LIST, items.length);
    for (const item of items) this.#put(item);
  }

  #record(record: PlainRecord): void {
    const names = Object.keys(record);
    this.#counted(RECORD, names.length);
    for (const name of names) {
      this.#word(name);
      this.#put(record[name]);
    }
  }

  #word(text: string): void {
    const number = this.#words.get(text);
    if (number !== undefined) return this.#tag(number);
    // One more than the table holds is sent as it is, each time.
    if (this.#words.size >= MAX_WORDS) return this.#blob(TEXT, encoder.encode(text));
    this.#words.set(text, FIRST_WORD + this.#words.size);
    this.#blob(NEW_WORD, encoder.encode(text));
  }

  #counted(tag: number, count: number): void {
    this.#room(5);
    this.#bytes[this.#at] = tag;
    this.#view.setUint32(this.#at + 1, count, true);
    this.#at += 5;
  }

  #tag(tag: number): void {
    this.#room(1);
    this.#bytes[this.#at] = tag;
    this.#at += 1;
  }

  #room(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(Math.max(this.#bytes.length * 2, this.#at + bytes));
  }

  #grow(capacity: number): void {
    const larger = new Uint8Array(capacity);
    larger.set(this.#bytes.subarray(0, Math.min(this.#at, capacity)));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/**
 * Short byte strings share memory of this size: an allocation for each would cost more than all the rest. Whoever keeps one
 * of them keeps no more than this.
 */
const SLAB_BYTES = 2_048;
const LONGEST_IN_SLAB = 512;

/** Byte strings that it takes out lie elsewhere than the message, so that to keep one is not to keep the whole message. */
export class Unpacker {
  readonly #words: string[] = [];
  #slab = new Uint8Array(0);
  #slabAt = 0;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  unpack(packed: Uint8Array<ArrayBuffer>): unknown {
    this.#bytes = packed;
    this.#view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    this.#at = 0;
    return this.#take();
  }

  #take(): Plain {
    const tag = this.#bytes[this.#at++] as number;
    if (tag >= FIRST_WORD) return this.#words[tag - FIRST_WORD];
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case UINT:
        return this.#count();
      case FLOAT:
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8, true);
      case TEXT:
        return decoder.decode(this.#blob());
      case BYTES:
        return this.#copy(this.#blob());
      case LIST:
        return this.#list();
      case RECORD:
        return this.#record();
      default:
        return this.#newWord();
    }
  }

  #count(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #blob(): Uint8Array {
    const length = this.#count();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #copy(blob: Uint8Array): Uint8Array {
    if (blob.length > LONGEST_IN_SLAB) return blob.slice();
    if (this.#slabAt + blob.length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slabAt = 0;
    }
    this.#slab.set(blob, this.#slabAt);
    this.#slabAt += blob.length;
    return this.#slab.subarray(this.#slabAt - blob.length, this.#slabAt);
  }

  #list(): Plain[] {
    const items: Plain[] = [];
    for (let left = this.#count(); left > 0; left--) items.push(this.#take());
    return items;
  }

  #record(): PlainRecord {
    const record: Record<string, Plain> = {};
    for (let left = this.#count(); left > 0; left--) {
      const name = this.#take() as string;
      record[name] = this.#take();
    }
    return record;
  }

  #newWord(): string {
    const word = decoder.decode(this.#blob());
    this.#words.push(word);
    return word;
  }
}
