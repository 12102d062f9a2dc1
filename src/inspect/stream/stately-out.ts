// Says a stream to Stately's inspector: to the address where its server, or any other that relays for it, listens.
// Invariant: only where the user said; what it does not take in time is dropped, not kept.
import type { Clock, Dialer, Log, Socket, Timer } from '../../ports.ts';
import type { Told } from '../../protocol/inspection.ts';
import { utf8Encoder } from '../../protocol/text.ts';
import { createStatelyFeed, type StatelyFeed } from '../stately-feed.ts';

export interface StatelyOutOptions {
  readonly clock: Clock;
  readonly log: Log;
  wallNow(): number;
  /** Of text messages without a subprotocol. */
  readonly dialer: Dialer;
  readonly url: string;
  /** All that was told so far: a connection begins with it. */
  retold(): Iterable<Told>;
}

const RETRY_MS = 2_000;
const MAX_WAITING_BYTES = 4_194_304;

export class StatelyOut {
  readonly #options: StatelyOutOptions;
  #socket: Socket | undefined;
  /** While its server listens. */
  #feed: StatelyFeed | undefined;
  #timer: Timer | undefined;
  #trouble: 'none' | 'said' = 'none';
  #state: 'on' | 'off' = 'on';

  constructor(options: StatelyOutOptions) {
    this.#options = options;
    this.#dial();
  }

  readonly tell = (message: Told): void => this.#feed?.take(message);

  close(): void {
    this.#state = 'off';
    this.#socket?.terminate();
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
  }

  #dial(): void {
    const { dialer, url, log, clock, wallNow, retold } = this.#options;
    const socket = dialer.dial(url, {
      opened: () => {
        log.info({ url }, 'Stately’s inspector is told');
        this.#trouble = 'none';
        this.#feed = createStatelyFeed({
          wallNow,
          send: (event) => {
            if (socket.bufferedBytes < MAX_WAITING_BYTES)
              socket.send(utf8Encoder.encode(JSON.stringify(event)));
          },
        });
        for (const message of retold()) this.tell(message);
      },
      message: () => {},
      drained: () => {},
      closed: (code, reason) => {
        this.#feed = undefined;
        if (this.#state === 'off') return;
        if (this.#trouble === 'none')
          log.warn({ url, code }, `Stately’s inspector is not there: ${reason}; trying again`);
        this.#trouble = 'said';
        this.#timer = clock.setTimer(() => this.#dial(), RETRY_MS);
      },
    });
    this.#socket = socket;
  }
}
