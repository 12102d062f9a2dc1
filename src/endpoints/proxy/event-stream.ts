// Reads server-sent events as far as a proxy must: where events end, and what the first one is.
// Invariant: bytes are never changed; what `take` gives out ends with an event, unless one event is longer than its limit.

/** What an event stream begins with: nothing that counts so far, an event, or an error. */
export type Opening = 'none' | 'event' | 'error';

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = new Uint8Array();
const UTF8 = new TextDecoder();
/** Holds what ends a stream of a language model: a reason, what it cost, and the word that it is done. */
const ENDING_BYTES = 4_096;

/** What the names and the data of a first event look like when it only keeps the connection alive, or is an error. */
const PINGS = new Set(['ping', 'keepalive', 'keep-alive', 'heartbeat']);

/** Cuts an event stream (WHATWG HTML, section 9.2) into runs of whole events. */
export class EventStream {
  readonly #maxEventBytes: number;
  /** Of an event that is not whole yet, as they came. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Their last two bytes: an end may begin there. */
  #tail: Uint8Array = EMPTY;
  #opening: Opening = 'none';
  #form: 'named' | 'unnamed' = 'unnamed';
  /** What was given out last, and what before it: together enough to hold the ending, if there was as much. */
  #before: Uint8Array[] = [];
  #last: Uint8Array[] = [];
  #lastBytes = 0;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  get opening(): Opening {
    return this.#opening;
  }

  /** Whether its events have names. */
  get form(): 'named' | 'unnamed' {
    return this.#form;
  }

  /** Bytes of an event that has begun. */
  get rest(): Uint8Array {
    return joined(this.#held);
  }

  /** Its last events, and what has begun of another. */
  ending(): string {
    const decoder = new TextDecoder();
    let text = '';
    for (const bytes of [...this.#before, ...this.#last, ...this.#held])
      text += decoder.decode(bytes, { stream: true });
    return text;
  }

  /** The whole events that are there now; what is left waits for its end. */
  take(chunk: Uint8Array): Uint8Array {
    const before = this.#tail.length;
    const looked = before === 0 ? chunk : joined([this.#tail, chunk]);
    const end = lastEnd(looked, before) - before;
    if (end <= 0 && this.#heldBytes + chunk.length <= this.#maxEventBytes) {
      this.#hold(chunk, looked);
      return EMPTY;
    }
    const part = end <= 0 ? chunk : chunk.subarray(0, end);
    const whole = this.#held.length === 0 ? part : joined([...this.#held, part]);
    this.#held = [];
    this.#heldBytes = 0;
    this.#tail = EMPTY;
    if (end > 0 && end < chunk.length) this.#hold(chunk.subarray(end), chunk.subarray(end));
    if (this.#opening === 'none') this.#open(whole);
    this.#remember(whole);
    return whole;
  }

  #hold(chunk: Uint8Array, looked: Uint8Array): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#tail = looked.subarray(-2);
  }

  #remember(whole: Uint8Array): void {
    if (this.#lastBytes >= ENDING_BYTES) {
      this.#before = this.#last;
      this.#last = [];
      this.#lastBytes = 0;
    }
    this.#last.push(whole);
    this.#lastBytes += whole.length;
  }

  /** Looks for the first event that counts. */
  #open(whole: Uint8Array): void {
    const text = UTF8.decode(whole).replaceAll(/\r\n?/g, '\n');
    for (const block of text.split('\n\n')) {
      const { name, data } = fieldsOf(block);
      if (data === undefined || (name !== undefined && PINGS.has(name))) continue;
      if (name !== undefined) this.#form = 'named';
      this.#opening = name === 'error' || holdsError(data) ? 'error' : 'event';
      return;
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first = EMPTY] = parts;
  if (parts.length < 2) return first;
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * The place after the last blank line that ends at `from` or later; 0 when there is none. Lines end with LF, CR or CRLF. A CR
 * that comes last may be half of a CRLF, whose LF would then begin the next run: to a reader that is nothing.
 */
function lastEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.length - 1; at >= from && at > 0; at--) {
    const byte = bytes[at];
    if (byte === LF) {
      const before = bytes[at - 1];
      if (before === LF || (before === CR && bytes[at - 2] === CR)) return at + 1;
      if (before === CR && bytes[at - 2] === LF) return at + 1;
    } else if (byte === CR && (bytes[at - 1] === CR || bytes[at - 1] === LF)) return at + 1;
  }
  return 0;
}

function fieldsOf(block: string): { name: string | undefined; data: string | undefined } {
  let name: string | undefined;
  let data: string | undefined;
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
  }
  return { name, data };
}

/** `{"error": …}`, as OpenAI and its likes send it, or `{"type": "error"}`. */
function holdsError(data: string): boolean {
  if (!data.includes('"error"')) return false;
  try {
    const { error, type } = (JSON.parse(data) ?? {}) as { error?: unknown; type?: unknown };
    return type === 'error' || (error !== undefined && error !== null);
  } catch {
    return false;
  }
}
