// Shows viewers a stream that is told here: apps that are watched, or a recording. Nobody can act on it.
// Invariant: every viewer is told the whole, from the beginning as far as it is kept, and then what comes.
import type { Clock, Incoming, Log, Timer } from '../../ports.ts';
import type { Answer, Hello, Told } from '../../protocol/inspection.ts';
import { CloseCode } from '../../protocol/frames.ts';
import { Journal } from './journal.ts';
import { bytesOf, Viewer, type ViewerHome } from './viewer.ts';

export interface ShowOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What a viewer is told first. */
  hello(): Hello;
}

/** Messages wait so long for others, to leave together. */
const FLUSH_MS = 25;
const MAX_VIEWERS = 32;
/** Viewers are told so often that there is nothing to tell, by an empty array: their links live by what they hear. */
const PULSE_MS = 4_000;

export class Show implements ViewerHome {
  readonly clock: Clock;
  readonly log: Log;
  readonly #hello: () => Hello;
  readonly #journal = new Journal();
  readonly #viewers = new Set<Viewer>();
  #pending: Told[] = [];
  #timer: Timer | undefined;
  #pulse: Timer | undefined;

  constructor({ clock, log, hello }: ShowOptions) {
    this.clock = clock;
    this.log = log;
    this.#hello = hello;
  }

  accept(incoming: Incoming): void {
    const viewer = new Viewer(incoming, this);
    if (this.#viewers.size >= MAX_VIEWERS) {
      viewer.end(CloseCode.UNAVAILABLE, `${MAX_VIEWERS} viewers look already`);
    } else this.#viewers.add(viewer);
    this.#pulse ??= this.#nextPulse();
  }

  readonly tell = (message: Told): void => {
    this.#journal.tell(message);
    if (this.#viewers.size === 0) return;
    this.#pending.push(message);
    this.#timer ??= this.clock.setTimer(() => this.#flush(), FLUSH_MS);
  };

  close(code: number, reason: string): void {
    this.#flush();
    for (const viewer of [...this.#viewers]) viewer.end(code, reason);
  }

  opened(viewer: Viewer): Promise<(() => readonly Told[]) | undefined> {
    this.log.info({ from: viewer.remoteAddress }, 'a viewer looks on');
    return Promise.resolve(() => {
      // What waits is in the journal: others get it now, and the newcomer not twice.
      this.#flush();
      return [...this.retold()];
    });
  }

  act(): Promise<Omit<Answer, 'kind' | 'id'>> {
    return Promise.resolve({ ok: false, message: 'nothing here can be acted on: it is only shown' });
  }

  *retold(): Generator<Told> {
    yield this.#hello();
    yield* this.#journal.retold();
  }

  closed(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0 || this.#pulse === undefined) return;
    this.clock.clearTimer(this.#pulse);
    this.#pulse = undefined;
  }

  #nextPulse(): Timer {
    return this.clock.setTimer(() => {
      this.#pulse = this.#nextPulse();
      for (const viewer of this.#viewers) viewer.tell([], bytesOf([]));
    }, PULSE_MS);
  }

  #flush(): void {
    if (this.#timer !== undefined) this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const messages = this.#pending;
    this.#pending = [];
    if (messages.length === 0) return;
    const bytes = bytesOf(messages);
    for (const viewer of this.#viewers) if (viewer.isOpen) viewer.tell(messages, bytes);
  }
}
