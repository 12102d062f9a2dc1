// etcd's Maintenance and Cluster services, as far as one store has something to say: it is one member, its own leader,
// without alarms.
// Invariant: what is not offered is said, never pretended.
import type { Method } from './call.ts';
import { Crc32c } from './crc32c.ts';
import { notOffered } from './errors.ts';
import { TERM, type Headers } from './header.ts';
import { hashedChanges, readHistory, rowsOf } from './history.ts';
import { revisionOf, type Int64 } from './messages.ts';
import { SnapshotStream, hashOf, type SnapshotTools } from './snapshot.ts';
import { unary } from './unary.ts';

/** The version whose answers are given here. */
const VERSION = '3.4.23';
const ACTIVATE_ALARM = 1;

export interface MaintenanceOptions extends SnapshotTools {
  readonly headers: Headers;
  readonly memberName: string;
  /** Where clients reach it. */
  readonly clientUrls: () => readonly string[];
}

export function maintenanceMethods(options: MaintenanceOptions): [path: string, method: Method][] {
  const { store, headers } = options;
  return [
    unary('Maintenance/Status', async () => {
      const { revision, sizeBytes } = await store.status();
      return {
        header: headers.at(revision),
        version: VERSION,
        dbSize: sizeBytes,
        dbSizeInUse: sizeBytes,
        leader: headers.memberId,
        raftIndex: revision,
        raftAppliedIndex: revision,
        raftTerm: TERM,
      };
    }),
    unary('Maintenance/Hash', async () => {
      const { revision } = await store.status();
      return { header: headers.at(revision), hash: await hashOf(options) };
    }),
    unary('Maintenance/HashKV', async ({ revision }: { revision: Int64 }) => {
      const history = await readHistory(store, revisionOf(revision));
      const hash = new Crc32c().update(new TextEncoder().encode('key'));
      for (const { key, value } of rowsOf(hashedChanges(history), options.encode))
        hash.update(key).update(value);
      const newest = (await store.status()).revision;
      return {
        header: headers.at(newest),
        hash: hash.digest(),
        compact_revision: history.compactRevision,
      };
    }),
    unary('Maintenance/Alarm', async ({ action }: { action: number }) => {
      if (action === ACTIVATE_ALARM) throw notOffered('alarms are not raised by hand');
      return {}; // etcd leaves the header out
    }),
    unary('Maintenance/Defragment', async () => {
      await store.defragment();
      return {}; // etcd leaves the header out
    }),
    [
      '/etcdserverpb.Maintenance/Snapshot',
      { type: 'stream', open: (replies) => new SnapshotStream(options, replies) },
    ],
    unary('Cluster/MemberList', async () => ({
      header: headers.at((await store.status()).revision),
      members: [{ ID: headers.memberId, name: options.memberName, clientURLs: options.clientUrls() }],
    })),
  ];
}
