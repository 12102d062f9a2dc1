// etcd's Lease service over a store.
// Invariant: each keep-alive is answered, in the order of the requests; 0 seconds says that the lease is gone.
import { HoldfastError } from '../../protocol/errors.ts';
import type { LeaseId, Store } from '../contract.ts';
import type { Method, Replies, Requests } from './call.ts';
import { statusError, toStatusError } from './errors.ts';
import type { Headers } from './header.ts';
import { leaseOf, numberOf, type Int64 } from './messages.ts';
import { unary } from './unary.ts';

/** etcd grants no less (one and a half elections) and refuses more. */
const MIN_TTL_SECONDS = 2;
const MAX_TTL_SECONDS = 9_000_000_000;
/** Keep-alives of one stream that may wait for the store. */
const MAX_WAITING = 4_096;

export function leaseMethods(store: Store, headers: Headers): [path: string, method: Method][] {
  const { leases } = store;
  return [
    unary('Lease/LeaseGrant', async ({ TTL, ID }: { TTL: Int64; ID: Int64 }) => {
      const ttlSeconds = Math.max(MIN_TTL_SECONDS, numberOf(TTL));
      if (ttlSeconds > MAX_TTL_SECONDS) throw statusError('leaseTooLong');
      const id = leaseOf(ID);
      const grant = await leases.grant(id === undefined ? { ttlSeconds } : { ttlSeconds, id });
      return { header: headers.at(grant.revision), ID: grant.id, TTL: grant.ttlSeconds };
    }),
    unary('Lease/LeaseRevoke', async ({ ID }: { ID: Int64 }) => ({
      header: headers.at((await leases.revoke(ID.toString())).revision),
    })),
    unary('Lease/LeaseTimeToLive', async ({ ID, keys }: { ID: Int64; keys: boolean }) => {
      const id = ID.toString();
      try {
        const status = await leases.timeToLive(id, { keys });
        return {
          header: headers.at(status.revision),
          ID: id,
          TTL: status.remainingSeconds,
          grantedTTL: status.grantedSeconds,
          keys: status.keys,
        };
      } catch (error) {
        if (!isGone(error)) throw error;
        return { header: headers.at((await store.status()).revision), ID: id, TTL: -1 };
      }
    }),
    unary('Lease/LeaseLeases', async () => {
      const list = await leases.list();
      return { header: headers.at(list.revision), leases: list.ids.map((ID) => ({ ID })) };
    }),
    [
      '/etcdserverpb.Lease/LeaseKeepAlive',
      { type: 'stream', open: (replies) => new KeepAliveStream(store, headers, replies) },
    ],
  ];
}

function isGone(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'lease_not_found';
}

class KeepAliveStream implements Requests {
  readonly #store: Store;
  readonly #headers: Headers;
  readonly #replies: Replies;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #phase: 'open' | 'ended' | 'closed' = 'open';

  constructor(store: Store, headers: Headers, replies: Replies) {
    this.#store = store;
    this.#headers = headers;
    this.#replies = replies;
  }

  message(message: object): void {
    if (this.#waiting >= MAX_WAITING) return this.#replies.end(statusError('tooManyRequests'));
    this.#waiting++;
    const { ID } = message as { ID: Int64 };
    const reply = this.#keepAlive(ID.toString());
    // The store takes them at once; the answers wait for each other.
    reply.catch(() => {});
    this.#last = this.#last.then(() => this.#answer(reply));
  }

  async #keepAlive(id: LeaseId): Promise<object> {
    try {
      const { revision, ttlSeconds } = await this.#store.leases.keepAlive(id);
      return { header: this.#headers.at(revision), ID: id, TTL: ttlSeconds };
    } catch (error) {
      if (!isGone(error)) throw error;
      return { header: this.#headers.at((await this.#store.status()).revision), ID: id };
    }
  }

  async #answer(reply: Promise<object>): Promise<void> {
    try {
      const message = await reply;
      if (this.#phase !== 'closed') this.#replies.send(message);
    } catch (error) {
      this.#replies.end(toStatusError(error));
    }
    this.#waiting--;
    if (this.#waiting === 0 && this.#phase === 'ended') this.#replies.end();
  }

  ended(): void {
    this.#phase = 'ended';
    if (this.#waiting === 0) this.#replies.end();
  }

  drained(): void {}

  closed(): void {
    this.#phase = 'closed';
  }
}
