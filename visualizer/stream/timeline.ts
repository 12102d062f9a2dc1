// What was streamed, kept so that any moment of it can be shown again.
// Invariant: memory is bounded: what is old is packed, and the oldest is dropped when it weighs more than the limits say.
//
// Messages are kept as the text they came as, in chunks; before some chunks stands a checkpoint, the fleet as it was then.
// A moment is a checkpoint and the messages after it whose own time is not beyond: what came late (steps of a node that
// was cut off) is therefore shown when it happened, not when it was told.
import type { Step, Told } from '../../src/protocol/inspection.ts';
import { Fold } from './fold.ts';
import { messagesOf } from './messages-of.ts';

export interface TimelineLimits {
  readonly chunkChars: number;
  readonly maxBytes: number;
  readonly maxCheckpoints: number;
  readonly maxRecent: number;
  readonly maxSeconds: number;
}

export const timelineLimits: TimelineLimits = {
  /** Text of one chunk before it is packed. */
  chunkChars: 512 * 1024,
  /** Of all chunks. Packed text is about a twelfth of it: six minutes of 500 steps a second, or hours of a small fleet. */
  maxBytes: 8 * 1024 * 1024,
  /** Fleets that are kept whole; when there are more, every second one goes. */
  maxCheckpoints: 24,
  /** Steps at hand without unpacking. */
  maxRecent: 4_000,
  /** Seconds of which it is known how busy they were. */
  maxSeconds: 3_600,
};

/** What packing needs of the platform. */
export interface Packing {
  pack(text: string): Promise<Uint8Array>;
  unpack(bytes: Uint8Array): Promise<string>;
  /** Lets the page draw and answer. */
  breathe(): Promise<void>;
  now(): number;
}

/** What is needed of an AbortSignal; this folder knows no platform. */
export interface Signal {
  throwIfAborted(): void;
}

interface Chunk {
  /** The fleet before it. */
  checkpoint: Fold | undefined;
  /** Earliest and latest moment of its messages. */
  from: number;
  to: number;
  chars: number;
  /** Lines, one message or an array of them each. */
  content: string[] | Uint8Array;
}

/** Time that unpacking and folding may take before the page gets its turn. */
const SLICE_MS = 8;

export class Timeline {
  readonly #packing: Packing;
  readonly #limits: TimelineLimits;
  #chunks: Chunk[] = [];
  #recent: Step[] = [];
  readonly #perSecond = new Map<number, number>();
  #from = Number.NaN;
  #to = Number.NaN;
  #packingUp: Promise<void> = Promise.resolve();

  constructor(packing: Packing, limits = timelineLimits) {
    this.#packing = packing;
    this.#limits = limits;
  }

  /** The first and the last moment that can be shown; NaN as long as there is none. */
  get from(): number {
    return this.#from;
  }
  get to(): number {
    return this.#to;
  }

  /** The latest steps, in the order in which they came; at least `maxRecent` of them when there were as many. */
  get recent(): readonly Step[] {
    return this.#recent;
  }

  /** How many steps each second had, by whole seconds of the stream's clock. */
  get perSecond(): ReadonlyMap<number, number> {
    return this.#perSecond;
  }

  /** How many steps are known of up to a moment, to the second. */
  stepsUntil(at: number): number {
    let steps = 0;
    for (const [second, count] of this.#perSecond) if (second * 1_000 <= at) steps += count;
    return steps;
  }

  /** Bytes (or characters, as long as they are not packed) that are kept. */
  get weight(): number {
    return this.#chunks.reduce(
      (sum, { content, chars }) => sum + (content instanceof Uint8Array ? content.length : chars),
      0,
    );
  }

  get checkpoints(): number {
    return this.#chunks.filter((chunk) => chunk.checkpoint !== undefined).length;
  }

  /** Resolves when everything that can be packed is. */
  get settled(): Promise<void> {
    return this.#packingUp;
  }

  /** Before a text is folded: `fold` is the fleet up to here. */
  begin(fold: Fold): void {
    const open = this.#chunks.at(-1);
    if (open !== undefined && open.chars < this.#limits.chunkChars) return;
    this.#chunks.push({ checkpoint: fold.fork(), from: Infinity, to: -Infinity, chars: 0, content: [] });
    if (open !== undefined) this.#packingUp = this.#packingUp.then(() => this.#pack(open));
    this.#thinOut();
  }

  /** One message that was folded. */
  note(told: Told): void {
    const chunk = this.#chunks.at(-1);
    // A hello may be older than what is kept.
    if (chunk === undefined || !('at' in told) || told.kind === 'hello') return;
    const { at } = told;
    chunk.from = Math.min(chunk.from, at);
    chunk.to = Math.max(chunk.to, at);
    if (Number.isNaN(this.#from)) this.#from = at;
    if (!(this.#to >= at)) this.#to = at;
    if (told.kind !== 'step') return;
    this.#recent.push(told);
    if (this.#recent.length >= 2 * this.#limits.maxRecent)
      this.#recent = this.#recent.slice(-this.#limits.maxRecent);
    const second = Math.floor(at / 1_000);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + 1);
    if (this.#perSecond.size > this.#limits.maxSeconds)
      for (const oldest of this.#perSecond.keys()) {
        this.#perSecond.delete(oldest);
        break;
      }
  }

  /** A text, after its last message was folded. It needs no newline and has none in it. */
  keep(text: string): void {
    const chunk = this.#chunks.at(-1);
    if (chunk === undefined || !Array.isArray(chunk.content)) return;
    chunk.content.push(text);
    chunk.chars += text.length;
  }

  /** The fleet as it was. @throws what `signal` was aborted with */
  async moment(at: number, signal: Signal): Promise<Fold> {
    const chunks = [...this.#chunks];
    let start = chunks.findLastIndex(({ checkpoint }) => checkpoint !== undefined && checkpoint.at <= at);
    if (start < 0) start = 0;
    const fold = chunks[start]?.checkpoint?.fork() ?? new Fold();
    let until = this.#packing.now() + SLICE_MS;
    for (const chunk of chunks.slice(start)) {
      if (chunk.from > at) continue;
      for (const line of await this.#lines(chunk))
        for (const told of messagesIn(line)) {
          if (!('at' in told) || told.at <= at) fold.apply(told);
          if (this.#packing.now() < until) continue;
          await this.#packing.breathe();
          signal.throwIfAborted();
          until = this.#packing.now() + SLICE_MS;
        }
    }
    fold.at = at;
    return fold;
  }

  /** All steps from one moment to another, chunk by chunk, in the order of their time within each. */
  async *steps(from: number, to: number, signal: Signal): AsyncGenerator<readonly Step[]> {
    for (const chunk of [...this.#chunks]) {
      if (chunk.to < from || chunk.from > to) continue;
      const steps: Step[] = [];
      for (const line of await this.#lines(chunk))
        for (const told of messagesIn(line))
          if (told.kind === 'step' && told.at >= from && told.at <= to) steps.push(told);
      await this.#packing.breathe();
      signal.throwIfAborted();
      yield steps.toSorted((a, b) => a.at - b.at || a.clock - b.clock);
    }
  }

  /** The whole as a recording: NDJSON, in pieces. */
  async *recording(): AsyncGenerator<string> {
    const chunks = [...this.#chunks];
    const start = chunks[0]?.checkpoint;
    if (start !== undefined) yield ndjson(messagesOf(start));
    for (const chunk of chunks) {
      for (const line of await this.#lines(chunk)) yield ndjson(messagesIn(line));
      await this.#packing.breathe();
    }
  }

  async #lines({ content }: Chunk): Promise<readonly string[]> {
    return content instanceof Uint8Array ? (await this.#packing.unpack(content)).split('\n') : [...content];
  }

  async #pack(chunk: Chunk): Promise<void> {
    if (Array.isArray(chunk.content)) chunk.content = await this.#packing.pack(chunk.content.join('\n'));
    this.#dropOldest();
  }

  /** Keeps few checkpoints, evenly spread: the moments between two of them take longer to reach. */
  #thinOut(): void {
    const marked = this.#chunks.filter(({ checkpoint }) => checkpoint !== undefined);
    if (marked.length <= this.#limits.maxCheckpoints) return;
    // The first must stay: nothing before it could be told without it.
    for (const [index, chunk] of marked.entries())
      if (index % 2 === 1 && index < marked.length - 1) chunk.checkpoint = undefined;
  }

  #dropOldest(): void {
    while (this.weight > this.#limits.maxBytes) {
      const next = this.#chunks.findIndex(({ checkpoint }, index) => index > 0 && checkpoint !== undefined);
      if (next < 0) return;
      this.#chunks.splice(0, next);
      this.#from = this.#chunks[0]?.checkpoint?.at ?? this.#from;
    }
  }
}

/** They were read, and found to be messages, before they were kept. */
function messagesIn(line: string): readonly Told[] {
  const value = JSON.parse(line) as Told | Told[];
  return Array.isArray(value) ? value : [value];
}

function ndjson(messages: readonly Told[]): string {
  return messages.map((told) => `${JSON.stringify(told)}\n`).join('');
}
