// Serves a stream to viewers: those of this process, and of others whose steps are passed on.
// Invariant: while nobody views, nothing is collected; every viewer is told the same, in the same order.
import type { Clock, Incoming, Log, Timer } from '../../ports.ts';
import { INSPECT_VERSION } from '../../protocol/inspection.ts';
import type { Answer, Ask, Hello, Open, Operation, Told } from '../../protocol/inspection.ts';
import { Truth } from './truth.ts';
import { bytesOf, Viewer, type ViewerHome } from './viewer.ts';

export interface StreamServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly hello: Pick<Hello, 'process' | 'role' | 'name'>;
  /** The date in ISO 8601, for people. @default none */
  readonly date?: (() => string) | undefined;
  /** Who may look: undefined for those that may not, otherwise what else they may do. */
  admit(open: Open): Promise<readonly Operation[] | undefined>;
  act(ask: Ask): Promise<Omit<Answer, 'kind' | 'id'>>;
  /** The first viewer came, or one that wants contexts: begin to tell, of everything that there is. */
  begin(wishes: { readonly contexts: boolean }): void;
  /** The last one has gone. */
  end(): void;
  /** What a newcomer is told beyond processes, machines and actors: the fleet. @default nothing */
  also?(): readonly Told[];
}

/** Steps wait so long for others, to leave together. */
const FLUSH_MS = 25;
/** Silence after which viewers are told nothing, as an empty array: their links live by what they hear. */
const PULSE_MS = 4_000;
const MAX_VIEWERS = 32;

export class StreamServer implements ViewerHome {
  readonly clock: Clock;
  readonly log: Log;
  /** What all viewers know. */
  truth = new Truth();
  readonly #options: StreamServerOptions;
  readonly #viewers = new Set<Viewer>();
  readonly #may = new Map<Viewer, readonly Operation[]>();
  #contexts: 'none' | 'shown' = 'none';
  #pending: Told[] = [];
  #timer: Timer | undefined;
  #pulse: Timer | undefined;
  #toldAt = 0;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.log = options.log;
  }

  get viewers(): number {
    return this.#may.size;
  }

  accept(incoming: Incoming): void {
    const viewer = new Viewer(incoming, this);
    if (this.#viewers.size >= MAX_VIEWERS) return viewer.end(4503, `${MAX_VIEWERS} viewers look already`);
    this.#viewers.add(viewer);
  }

  /** For every viewer. Whoever tells this begins only after `begin`, and ends with `end`. */
  readonly tell = (message: Told): void => {
    if (this.#may.size === 0) return;
    this.truth.tell(message);
    this.#pending.push(message);
    this.#timer ??= this.clock.setTimer(() => this.#flush(), FLUSH_MS);
  };

  close(code: number, reason: string): void {
    this.#flush();
    for (const viewer of [...this.#viewers]) viewer.end(code, reason);
  }

  // ---- what viewers ask ----

  async opened(viewer: Viewer, open: Open): Promise<(() => readonly Told[]) | undefined> {
    const may = await this.#options.admit(open);
    if (may === undefined) {
      this.log.warn({ from: viewer.remoteAddress }, 'a viewer showed no valid token');
      return undefined;
    }
    if (!this.#viewers.has(viewer)) return undefined;
    const isFirst = this.#may.size === 0;
    this.#may.set(viewer, may);
    this.#pulse ??= this.#nextPulse();
    this.log.info({ from: viewer.remoteAddress, may: [...may] }, 'a viewer looks on');
    if (isFirst || (viewer.contexts && this.#contexts === 'none')) this.#begin();
    return () => {
      // What waits is in the truth already: others get it now, and the newcomer not twice.
      this.#flush(viewer);
      return [this.#hello(may), ...this.retold(viewer)];
    };
  }

  async act(viewer: Viewer, ask: Ask): Promise<Omit<Answer, 'kind' | 'id'>> {
    const { operation, target } = ask;
    const may = this.#may.get(viewer) ?? [];
    if (!may.includes(operation)) {
      const message = `this viewer may not ${operation}: it showed no operator token, or nothing here can do that`;
      return { ok: false, message };
    }
    const answer = await this.#options.act(ask);
    const fields = { operation, target, from: viewer.remoteAddress, ok: answer.ok };
    this.log.info(
      fields,
      `a viewer asked to ${operation}${target === undefined ? '' : ` ${target}`}: ${answer.message}`,
    );
    return answer;
  }

  *retold(viewer: Viewer): Generator<Told> {
    for (const message of this.truth.retold(this.clock.now()))
      yield viewer.contexts ? message : withoutContext(message);
    yield* this.#options.also?.() ?? [];
  }

  closed(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (!this.#may.delete(viewer) || this.#may.size > 0) return;
    this.#options.end();
    this.#contexts = 'none';
    this.#pending = [];
    for (const timer of [this.#timer, this.#pulse]) if (timer !== undefined) this.clock.clearTimer(timer);
    this.#timer = undefined;
    this.#pulse = undefined;
  }

  #nextPulse(): Timer {
    return this.clock.setTimer(() => {
      this.#pulse = this.#nextPulse();
      if (this.clock.now() - this.#toldAt < PULSE_MS) return;
      for (const viewer of this.#may.keys()) viewer.tell([], bytesOf([]));
    }, PULSE_MS);
  }

  #begin(): void {
    const contexts = [...this.#may.keys()].some((viewer) => viewer.contexts);
    this.#contexts = contexts ? 'shown' : 'none';
    this.truth = new Truth();
    this.#options.begin({ contexts });
  }

  #hello(may: readonly Operation[]): Hello {
    const { hello, date } = this.#options;
    const at = this.clock.now();
    const wallTime = date === undefined ? {} : { wallTime: date() };
    return { kind: 'hello', version: INSPECT_VERSION, ...hello, at, may: [...may], ...wallTime };
  }

  #flush(except?: Viewer): void {
    if (this.#timer !== undefined) this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const messages = this.#pending;
    if (messages.length === 0) return;
    this.#pending = [];
    this.#toldAt = this.clock.now();
    let bytes: Uint8Array | undefined;
    let bare: { readonly messages: readonly Told[]; readonly bytes: Uint8Array } | undefined;
    for (const viewer of [...this.#may.keys()]) {
      if (viewer === except) continue;
      if (viewer.contexts || this.#contexts === 'none') {
        viewer.tell(messages, (bytes ??= bytesOf(messages)));
        continue;
      }
      if (bare === undefined) {
        const without = messages.map(withoutContext);
        bare = { messages: without, bytes: bytesOf(without) };
      }
      viewer.tell(bare.messages, bare.bytes);
    }
  }
}

/** As a viewer gets it that asked for no contexts. */
function withoutContext(message: Told): Told {
  if (message.kind === 'step') {
    const { context: _context, ...rest } = message;
    return rest;
  }
  if (message.kind !== 'present') return message;
  const actors = message.actors.map(({ context: _context, ...rest }) => rest);
  return { ...message, actors };
}
