// A lease that is kept alive over any store, and that is known to be lost before the store can give it to another.
// Invariant: it counts as held only until the send time of the last acknowledged keepalive + TTL − margin, by the
// monotonic clock; the store began to count no earlier than that keepalive was sent.
import { heldUntil, keepaliveEffects, keepaliveMachine } from '../../machines/keepalive.ts';
import { createSystem } from '../actors/system.ts';
import type { Clock, Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { LeaseId, Store } from './contract.ts';

export interface HoldLeaseOptions {
  /** Whole seconds after the last keepalive at which the store lets the lease go. The store may grant more. */
  readonly ttlSeconds: number;
  /** @default monotonic, of this process */
  readonly clock?: Clock | undefined;
  /** @default the store chooses */
  readonly id?: LeaseId | undefined;
  /**
   * How much earlier than the store the holder gives up, in milliseconds: room for clocks that run at different
   * speeds, and for the holder to stop what it does. Below the granted time. @default a tenth of the granted time
   */
  readonly marginMs?: number | undefined;
  /** From one keepalive to the next, in milliseconds. @default a third of the granted time */
  readonly intervalMs?: number | undefined;
  /** Gives the lease back, as `release` does. */
  readonly signal?: AbortSignal | undefined;
  /** @default none */
  readonly log?: Log | undefined;
}

type TimedOptions = HoldLeaseOptions & { readonly clock: Clock };

export interface HeldLease extends AsyncDisposable {
  readonly id: LeaseId;
  /**
   * Aborted in the turn in which the lease is lost or given back; the reason is a HoldfastError `lease_not_found`, or
   * `stopped` after `release`. Stop there whatever the lease gave the right to.
   */
  readonly lost: AbortSignal;
  /** The clock's time at which it ends unless a keepalive is acknowledged before. */
  readonly heldUntil: number;
  /** Whether it is held now, by the clock: true before `heldUntil`, also where a busy process has not run its timers. */
  isHeld(): boolean;
  /** Gives it back; its keys go. Resolves when the store has answered, or cannot be asked. Twice is as once. */
  release(): Promise<void>;
}

/**
 * Asks for a lease and keeps it alive until it is lost or released. A process that slept (the clock reports a jump) for
 * longer than was left of the lease has lost it, whatever the store says later.
 *
 * @throws HoldfastError `invalid_option`; what `store.leases.grant` throws
 */
export async function holdLease(store: Store, options: TimedOptions): Promise<HeldLease> {
  const { clock, ttlSeconds, id, signal } = options;
  if (!(ttlSeconds >= 1)) throw invalid(`ttlSeconds is ${ttlSeconds}; give whole seconds from 1`);
  check(options, ttlSeconds * 1_000);
  const sentAt = clock.now();
  const grant = await store.leases.grant({ ttlSeconds, id }, { signal });
  return new Holding(store, options, grant.id, grant.ttlSeconds * 1_000, sentAt);
}

function check({ marginMs = 0, intervalMs = 1 }: HoldLeaseOptions, ttlMs: number): void {
  if (!(marginMs >= 0 && marginMs < ttlMs))
    throw invalid(`marginMs is ${marginMs}; give at least 0 and less than the lease's ${ttlMs} ms`);
  if (!(intervalMs > 0 && intervalMs < ttlMs - marginMs))
    throw invalid(`intervalMs is ${intervalMs}; give less than the lease's ${ttlMs} ms without the margin`);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError(`holdLease: ${message}`, { code: 'invalid_option' });
}

class Holding implements HeldLease {
  readonly id: LeaseId;
  heldUntil: number;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #overdueMs: number;
  readonly #lost = new AbortController();
  readonly #system;
  readonly #actor;
  readonly #unlisten: (() => void)[] = [];
  /** Keepalives that wait for their answer end with the lease. */
  readonly #over = new AbortController();
  #state: 'held' | 'lost' | 'released' = 'held';
  #revoked: Promise<void> = Promise.resolve();

  constructor(store: Store, options: TimedOptions, id: LeaseId, ttlMs: number, sentAt: number) {
    const { clock, log, signal, marginMs = ttlMs / 10, intervalMs = ttlMs / 3 } = options;
    this.id = id;
    this.#store = store;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#overdueMs = intervalMs / 2;
    this.#system = createSystem({ clock, log });
    const startedAt = clock.now();
    const times = { marginMs, intervalMs, overdueMs: this.#overdueMs };
    this.#unlisten.push(clock.onJump((jumpMs) => this.#slept(jumpMs)));
    const give = (): void => void this.release();
    signal?.addEventListener('abort', give);
    this.#unlisten.push(() => signal?.removeEventListener('abort', give));
    this.#actor = this.#system.spawn(keepaliveMachine, {
      id: `lease-${id}`,
      input: { ttlMs, sentAt, startedAt, ...times },
      effects: keepaliveEffects,
      performers: {
        sendKeepalive: ({ epoch }) => this.#send(epoch),
        announceRenewed: (renewed) => (this.heldUntil = renewed.heldUntil),
        announceLost: ({ reason }) => this.#end('lost', reason),
        announceReleased: () => this.#end('released', 'it was released'),
        sendRevoke: () => this.#revoke(),
      },
    });
    this.heldUntil = heldUntil(this.#actor.snapshot().context.ledger);
    if (signal?.aborted === true) give();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  isHeld(): boolean {
    return this.#state === 'held' && this.#clock.now() < this.heldUntil;
  }

  async release(): Promise<void> {
    if (this.#state === 'held') this.#actor.send({ type: 'release.requested' });
    await this.#revoked;
    await this.#system.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Stamped before the store has it, so that the fence never counts from a later moment than the store does. */
  #send(epoch: number): void {
    this.#actor.send({ type: 'keepalive.sent', epoch });
    // Until it is of no use any more: on a slow link one may be sent again before the answer to the first is here.
    const times = { signal: this.#over.signal, proposeTimeoutMs: this.#ttlMs, applyTimeoutMs: this.#ttlMs };
    this.#store.leases.keepAlive(this.id, times).then(
      ({ ttlSeconds }) => this.#tell({ type: 'keepalive.acknowledged', epoch, ttlMs: ttlSeconds * 1_000 }),
      (error: unknown) => {
        // Any other failure is no answer: the machine sends again, for as long as there is time.
        if (error instanceof HoldfastError && error.code === 'lease_not_found')
          this.#tell({ type: 'keepalive.refused', epoch });
      },
    );
  }

  #tell(
    event:
      | { type: 'keepalive.acknowledged'; epoch: number; ttlMs: number }
      | { type: 'keepalive.refused'; epoch: number },
  ): void {
    if (this.#state !== 'held') return;
    // An answer that comes after the fence comes too late, be the fence's timer late itself.
    if (event.type === 'keepalive.acknowledged' && !this.isHeld()) return;
    this.#actor.send(event);
  }

  #slept(jumpMs: number): void {
    if (this.#state !== 'held' || this.#clock.now() + jumpMs < this.heldUntil) return;
    this.#end('lost', `the process slept for ${Math.round(jumpMs)} ms`);
    void this.#system.stop();
  }

  #end(state: 'lost' | 'released', reason: string): void {
    if (this.#state !== 'held') return;
    this.#state = state;
    for (const unlisten of this.#unlisten) unlisten();
    this.#over.abort();
    const code = state === 'lost' ? 'lease_not_found' : 'stopped';
    this.#lost.abort(new HoldfastError(`lease ${this.id} is ${state}: ${reason}`, { code }));
  }

  #revoke(): void {
    const times = { proposeTimeoutMs: this.#overdueMs, applyTimeoutMs: this.#overdueMs };
    // Where it cannot be revoked it expires.
    this.#revoked = this.#store.leases.revoke(this.id, times).then(
      () => undefined,
      () => undefined,
    );
  }
}
