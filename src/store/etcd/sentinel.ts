// An empty watch stream on the link that requests use. etcd breaks links that are probed while nothing is under way on
// them, so without it the death of an idle link would show only when a request is lost on it; and a member ends the
// stream when it loses its leader, so that no request waits for one that cannot answer.
// Invariant: at most one stream, on the channel that was used last; once a link was used there is one, or one is sought.
import type { Clock, Timer } from '../../ports.ts';
import type { Members } from './members.ts';
import type { Channel, RpcStream } from './transport.ts';

/** From the end of one stream to the search for another link: a member without a leader ends it at once. */
const PAUSE_MS = 250;

export class Sentinel {
  readonly #clock: Clock;
  readonly #members: Members;
  #channel: Channel | undefined;
  #stream: RpcStream | undefined;
  #timer: Timer | undefined;
  #leaveQueue: (() => void) | undefined;

  constructor(clock: Clock, members: Members) {
    this.#clock = clock;
    this.#members = members;
  }

  /** Watches over `channel`, which is ready. */
  guard(channel: Channel): void {
    if (channel === this.#channel) return;
    this.close();
    this.#channel = channel;
    this.#stream = channel.stream(
      'Watch.Watch',
      { hasleader: 'true' },
      {
        message: () => undefined,
        ended: ({ message }) => {
          if (this.#channel !== channel) return;
          this.#members.avoid(channel, message);
          this.close();
          this.#timer = this.#clock.setTimer(() => this.#seek(), PAUSE_MS);
        },
      },
    );
  }

  close(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#leaveQueue?.();
    this.#leaveQueue = undefined;
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#channel = undefined;
  }

  #seek(): void {
    this.#timer = undefined;
    this.#leaveQueue = this.#members.reach((channel) => this.guard(channel));
  }
}
