// A peer's part of its hub's inspection stream: tells what its machines do, while the hub says that somebody looks.
// Invariant: what waits is bounded; while the link is down the steps are kept, so that the next hub hears how it came back.
import type { Clock, Timer } from '../../ports.ts';
import { FrameType } from '../../protocol/frames.ts';
import type { Told } from '../../protocol/inspection.ts';
import { limits } from '../../protocol/limits.ts';
import type { InspectMessage } from '../../protocol/messages.ts';
import type { Outbox } from '../../protocol/outbox.ts';
import { utf8Encoder } from '../../protocol/text.ts';
import type { Collector } from './collector.ts';

/** Steps wait so long for others, to leave together. */
const FLUSH_MS = 50;
/** Messages that wait for the link. */
const MAX_HELD = 2_000;
/** Beyond this a link has better things to do. */
const MAX_WAITING_BYTES = 1_048_576;
/** How long it goes on looking while no hub says that somebody does. */
const HOLD_MS = 60_000;

/** Machines of every peer: the hub tells its viewers of them. */
const SHARED = new Set(['connection', 'execution', 'call']);

export class Forwarder {
  readonly #clock: Clock;
  readonly #collector: Collector;
  #outbox: Outbox | undefined;
  #wish: InspectMessage | undefined;
  /** `held`: the link was lost while somebody looked. */
  #state: 'off' | 'on' | 'held' = 'off';
  #pending: Told[] = [];
  #timer: Timer | undefined;
  #holdTimer: Timer | undefined;

  constructor(clock: Clock, collector: Collector) {
    this.#clock = clock;
    this.#collector = collector;
  }

  /** The hub asks for it, or for no more of it. */
  asked(message: InspectMessage, outbox: Outbox): void {
    if (message.process === undefined) return this.#off();
    this.#outbox = outbox;
    outbox.stamp = () => this.#collector.stamp();
    const before = this.#state === 'off' ? undefined : this.#wish;
    this.#state = 'on';
    this.#wish = message;
    this.#holdTimer = this.#clear(this.#holdTimer);
    const held = this.#pending.filter(({ kind }) => kind === 'step' || kind === 'dropped');
    this.#pending = [];
    if (before !== undefined && before.contexts === message.contexts && before.payloads === message.payloads)
      return this.#collector.again(message, () => this.#pending.push(...held));
    this.#collector.start((told) => this.#tell(told), message);
  }

  /** The next frame of the hub was sent by this step of it. */
  stamped(actor: string, clock: number): void {
    if (this.#wish?.process !== undefined)
      this.#collector.reading({ process: this.#wish.process, actor, clock });
  }

  /** The step that writes right now, for REGISTER. */
  stamp(): { actor: string; clock: number } | undefined {
    const { actor, clock } = this.#collector.stamp() ?? {};
    return actor === undefined || clock === undefined ? undefined : { actor, clock };
  }

  /** The frame was handled. */
  read(): void {
    this.#collector.reading(undefined);
  }

  detached(): void {
    this.#outbox = undefined;
    if (this.#state !== 'on') return;
    this.#state = 'held';
    this.#holdTimer = this.#clock.setTimer(() => this.#off(), HOLD_MS);
  }

  /** Nothing will be told any more. */
  stop(): void {
    this.#flush();
    this.#off();
  }

  #off(): void {
    if (this.#outbox !== undefined) this.#outbox.stamp = undefined;
    this.#outbox = undefined;
    this.#state = 'off';
    this.#pending = [];
    this.#holdTimer = this.#clear(this.#holdTimer);
    this.#timer = this.#clear(this.#timer);
    this.#collector.stop();
  }

  #tell(message: Told): void {
    if (message.kind === 'machine' && SHARED.has(message.machine)) return;
    const isTooMuch =
      this.#pending.length >= MAX_HELD || (this.#outbox?.waitingBytes ?? 0) > MAX_WAITING_BYTES;
    if (isTooMuch && message.kind === 'step') return this.#collector.drop();
    if (isTooMuch && message.kind === 'present') {
      // What waits is older than this, and more than anybody will read.
      this.#pending = this.#pending.filter(({ kind }) => kind !== 'step' && kind !== 'present');
    }
    this.#pending.push(message);
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#flush();
    }, FLUSH_MS);
  }

  #flush(): void {
    const outbox = this.#outbox;
    if (outbox === undefined || this.#state !== 'on') return;
    const messages = this.#pending;
    this.#pending = [];
    let texts: string[] = [];
    let bytes = 2;
    const send = (): void => {
      if (texts.length > 0)
        outbox.frame(FrameType.INSPECT, 0, 0, 0, utf8Encoder.encode(`[${texts.join(',')}]`));
      texts = [];
      bytes = 2;
    };
    for (const message of messages) {
      const text = JSON.stringify(message);
      // Three bytes at most for each of its units.
      const most = text.length * 3 + 1;
      if (most > limits.maxControlBytes - 2) {
        this.#collector.drop();
        continue;
      }
      if (bytes + most > limits.maxControlBytes) send();
      texts.push(text);
      bytes += most;
    }
    send();
  }

  #clear(timer: Timer | undefined): undefined {
    if (timer !== undefined) this.#clock.clearTimer(timer);
    return undefined;
  }
}
