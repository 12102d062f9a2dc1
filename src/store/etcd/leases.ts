// Leases of the cluster.
// Invariant: an answer about a lease that etcd does not know any more is `lease_not_found`, whichever request it was.
import { HoldfastError } from '../../protocol/errors.ts';
import { checkLeaseId, checkTtl } from '../checks.ts';
import type { LeaseId, Leases, ProposalOptions } from '../contract.ts';
import type { KeepaliveMessage, Keepalives } from './keepalives.ts';
import { revisionOf, type HeaderMessage, type Int64 } from './messages.ts';
import type { Kind, Requests } from './requests.ts';
import type { UnaryMethod } from './transport.ts';

interface GrantMessage extends HeaderMessage {
  readonly ID: Int64;
  readonly TTL: Int64;
}

interface StatusMessage extends GrantMessage {
  readonly grantedTTL: Int64;
  readonly keys: readonly Uint8Array[];
}

interface ListMessage extends HeaderMessage {
  readonly leases: readonly { readonly ID: Int64 }[];
}

export function etcdLeases(requests: Requests, keepalives: Keepalives): Leases {
  const run = (
    method: UnaryMethod,
    message: object,
    what: string,
    kind: Kind,
    options: ProposalOptions = {},
  ): Promise<object> =>
    requests.run(what, kind, options, (channel, metadata, handlers) =>
      channel.unary(method, message, metadata, handlers),
    );
  return {
    async grant({ ttlSeconds, id }, options) {
      checkTtl(ttlSeconds);
      if (id !== undefined) checkLeaseId(id);
      const message = { TTL: ttlSeconds, ID: id ?? '0' };
      const answer = (await run(
        'Lease.LeaseGrant',
        message,
        'grant of a lease',
        'write',
        options,
      )) as GrantMessage;
      return { revision: revisionOf(answer), id: answer.ID.toString(), ttlSeconds: answer.TTL.toNumber() };
    },
    async keepAlive(id, options = {}) {
      checkLeaseId(id);
      const what = `keepalive of lease ${id}`;
      // Made twice it does no harm.
      const answer = (await requests.run(what, 'read', options, (channel, metadata, handlers) =>
        keepalives.send(channel, metadata, id, handlers),
      )) as KeepaliveMessage;
      const ttlSeconds = answer.TTL.toNumber();
      if (ttlSeconds <= 0) throw notFound(what, id);
      return { revision: revisionOf(answer), id, ttlSeconds };
    },
    async timeToLive(id, { keys = false } = {}, options) {
      checkLeaseId(id);
      const what = `time to live of lease ${id}`;
      const answer = (await run(
        'Lease.LeaseTimeToLive',
        { ID: id, keys },
        what,
        'read',
        options,
      )) as StatusMessage;
      const remainingSeconds = answer.TTL.toNumber();
      if (remainingSeconds < 0) throw notFound(what, id);
      return {
        revision: revisionOf(answer),
        id,
        remainingSeconds,
        grantedSeconds: answer.grantedTTL.toNumber(),
        keys: answer.keys.map((key) => new Uint8Array(key)),
      };
    },
    async revoke(id, options) {
      checkLeaseId(id);
      const answer = await run(
        'Lease.LeaseRevoke',
        { ID: id },
        `revocation of lease ${id}`,
        'write',
        options,
      );
      return { revision: revisionOf(answer as HeaderMessage) };
    },
    async list(options) {
      const answer = (await run('Lease.LeaseLeases', {}, 'list of leases', 'read', options)) as ListMessage;
      return { revision: revisionOf(answer), ids: answer.leases.map(({ ID }) => ID.toString()) };
    },
  };
}

function notFound(what: string, id: LeaseId): HoldfastError {
  return new HoldfastError(`${what}: there is no lease ${id}; it expired or was revoked`, {
    code: 'lease_not_found',
  });
}
