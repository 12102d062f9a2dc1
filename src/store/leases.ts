// The leases of an embedded store: granted, kept alive, written down, and gone with their keys when their time is over.
// Invariant: a lease that the keyspace holds has one actor here, from its grant until its end is committed.
import { leaseEffects, leaseMachine, type LeaseTimes } from '../../machines/lease.ts';
import type { Actor } from '../actors/actor.ts';
import type { System } from '../actors/system.ts';
import type { Random, Timer } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { checkLeaseId, checkTtl } from './checks.ts';
import type { Answer, LeaseGrant, LeaseId, Leases, LeaseStatus, ProposalOptions } from './contract.ts';
import * as failure from './failure.ts';
import type { Feed } from './feed.ts';
import type { LeaseRecord } from './keyspace.ts';
import type { Proposals } from './proposals.ts';
import { Waiters } from './waiters.ts';

/** The store, as its leases see it. */
export interface LeaseHome {
  readonly system: System;
  readonly feed: Feed;
  readonly proposals: Proposals;
  readonly random: Random;
  readonly times: LeaseTimes;
  /** Defaults for those who wait. */
  readonly proposeTimeoutMs: number;
  readonly applyTimeoutMs: number;
}

interface Lease {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
  readonly keepAlives: Waiters<LeaseGrant>;
  readonly revocations: Waiters<Answer>;
}

export class LocalLeases implements Leases {
  readonly #home: LeaseHome;
  readonly #leases = new Map<LeaseId, Lease>();
  #phase: 'open' | 'ended' = 'open';
  #retry: Timer | undefined;

  constructor(home: LeaseHome) {
    this.#home = home;
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Those that the keyspace held when the store was opened: their time goes on. */
  restore(records: readonly LeaseRecord[]): void {
    for (const { id, grantedSeconds, remainingMs } of records)
      this.#spawn(id, grantedSeconds, remainingMs).send({ type: 'lease.restored' });
  }

  /** A grant was committed; whoever asked for it may have given up, its time runs all the same. */
  granted({ id, ttlSeconds }: { readonly id: LeaseId; readonly ttlSeconds: number }): void {
    this.#spawn(id, ttlSeconds, ttlSeconds * 1_000).send({ type: 'lease.granted' });
  }

  /** Finds the leases that may have been granted without an answer: what nobody knew of would last for ever. */
  reconcile(): void {
    const { proposals, system, times } = this.#home;
    proposals.propose({ type: 'leases' }).then(
      ({ leases }) => {
        if (this.#phase === 'open') this.restore(leases.filter(({ id }) => !this.#leases.has(id)));
      },
      () => {
        if (this.#phase === 'ended' || this.#retry !== undefined) return;
        this.#retry = system.clock.setTimer(() => {
          this.#retry = undefined;
          this.reconcile();
        }, times.retryMs);
      },
    );
  }

  async grant(
    request: { readonly ttlSeconds: number; readonly id?: LeaseId | undefined },
    options?: ProposalOptions,
  ): Promise<LeaseGrant> {
    const { ttlSeconds } = request;
    checkTtl(ttlSeconds);
    if (request.id !== undefined) checkLeaseId(request.id);
    const id = request.id ?? this.#freshId();
    const { revision } = await this.#home.proposals.propose({ type: 'grant', id, ttlSeconds }, 0, options);
    return { id, ttlSeconds, revision };
  }

  async keepAlive(id: LeaseId, options?: ProposalOptions): Promise<LeaseGrant> {
    const lease = this.#get(id);
    const answer = lease.keepAlives.wait(options);
    this.#send(id, { type: 'keepalive.received' });
    return answer;
  }

  async timeToLive(
    id: LeaseId,
    request: { readonly keys?: boolean | undefined } = {},
    options?: ProposalOptions,
  ): Promise<LeaseStatus> {
    checkLeaseId(id);
    const { revision, keys } = await this.#home.proposals.propose({ type: 'leaseKeys', id }, 0, options);
    const { ttlSeconds: grantedSeconds } = this.#get(id);
    const remainingSeconds = Math.floor(this.#remainingMs(id) / 1_000);
    return { id, revision, grantedSeconds, remainingSeconds, keys: request.keys === true ? keys : [] };
  }

  async revoke(id: LeaseId, options?: ProposalOptions): Promise<Answer> {
    const lease = this.#get(id);
    const answer = lease.revocations.wait(options);
    this.#send(id, { type: 'revoke.requested' });
    return answer;
  }

  async list(options?: ProposalOptions): Promise<Answer & { readonly ids: readonly LeaseId[] }> {
    const { revision, leases } = await this.#home.proposals.propose({ type: 'leases' }, 0, options);
    return { revision, ids: leases.map(({ id }) => id) };
  }

  /** Frees all waiters. */
  end(error: HoldfastError): void {
    this.#phase = 'ended';
    if (this.#retry !== undefined) this.#home.system.clock.clearTimer(this.#retry);
    for (const { keepAlives, revocations } of this.#leases.values()) {
      keepAlives.reject(failure.ended(error, false));
      revocations.reject(failure.ended(error, false));
    }
    this.#leases.clear();
  }

  #spawn(id: LeaseId, ttlSeconds: number, remainingMs: number): Actor<typeof leaseMachine> {
    const { system, times } = this.#home;
    const lease: Lease = {
      id,
      ttlSeconds,
      keepAlives: new Waiters(this.#home),
      revocations: new Waiters(this.#home),
    };
    this.#leases.set(id, lease);
    return system.spawn(leaseMachine, {
      id: actorOf(id),
      input: { ...times, ttlMs: ttlSeconds * 1_000, remainingMs },
      effects: leaseEffects,
      performers: {
        answerKeepalive: () =>
          lease.keepAlives.resolve({ id, ttlSeconds, revision: this.#home.feed.revision }),
        refuseKeepalive: () => lease.keepAlives.reject(unknownLease(id)),
        saveRecord: ({ epoch, remainingMs: left }) => this.#save(lease, epoch, left),
        commitExpiry: ({ epoch }) => this.#commitEnd(lease, epoch),
        commitRevocation: ({ epoch }) => this.#commitEnd(lease, epoch),
        announceExpired: () => this.#announceEnd(lease),
        announceRevoked: () => this.#announceEnd(lease),
      },
    });
  }

  #save(lease: Lease, epoch: number, remainingMs: number): void {
    const { id } = lease;
    this.#home.proposals.propose({ type: 'saveLease', id, remainingMs }).then(
      () => this.#send(id, { type: 'record.saved', epoch }),
      (error: HoldfastError) => {
        lease.keepAlives.reject(error);
        this.#send(id, { type: 'record.failed', epoch });
      },
    );
  }

  #commitEnd({ id, revocations }: Lease, epoch: number): void {
    this.#home.proposals.propose({ type: 'revoke', id }).then(
      () => this.#send(id, { type: 'commit.succeeded', epoch }),
      (error: HoldfastError) => {
        if (error.code === 'lease_not_found') return this.#send(id, { type: 'commit.succeeded', epoch });
        // It is tried again, whoever waits or not: so it may happen.
        revocations.reject(failure.ended(error, false));
        return this.#send(id, { type: 'commit.failed', epoch });
      },
    );
  }

  #announceEnd(lease: Lease): void {
    this.#leases.delete(lease.id);
    lease.keepAlives.reject(unknownLease(lease.id));
    lease.revocations.resolve({ revision: this.#home.feed.revision });
  }

  #remainingMs(id: LeaseId): number {
    const actor = this.#actor(id);
    if (actor === undefined) throw unknownLease(id);
    const { armedAt, remainingMs } = actor.snapshot().context.ledger;
    return Math.max(0, remainingMs - (this.#home.system.clock.now() - armedAt));
  }

  /** @throws HoldfastError `lease_not_found` */
  #get(id: LeaseId): Lease {
    checkLeaseId(id);
    const lease = this.#leases.get(id);
    if (lease === undefined) throw unknownLease(id);
    return lease;
  }

  #send(id: LeaseId, event: Parameters<Actor<typeof leaseMachine>['send']>[0]): void {
    this.#actor(id)?.send(event);
  }

  #actor(id: LeaseId): Actor<typeof leaseMachine> | undefined {
    return this.#home.system.get(actorOf(id)) as Actor<typeof leaseMachine> | undefined;
  }

  /** Positive, of 63 bits, as etcd's. */
  #freshId(): LeaseId {
    const { random } = this.#home;
    for (;;) {
      const id = ((BigInt(random.uint32()) << 31n) | BigInt(random.uint32() >>> 1)).toString();
      if (id !== '0' && !this.#leases.has(id)) return id;
    }
  }
}

const actorOf = (id: LeaseId): string => `lease/${id}`;

function unknownLease(id: LeaseId): HoldfastError {
  return new HoldfastError(`lease ${id} does not exist, or is going; grant another`, {
    code: 'lease_not_found',
    started: 'notStarted',
  });
}
