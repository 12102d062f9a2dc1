// What a hub knows across its own restarts: its epoch, and its nodes with their functions and history.
// Invariant: a record that cannot be read is reported and made anew; the fleet never waits for one to be written.
import type { Clock, Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import {
  functionKey,
  hubKey,
  hubRecord,
  nodeIdOf,
  nodeKey,
  nodeRecord,
  nodesPrefix,
  type NodeRecord,
} from '../protocol/records.ts';
import { utf8Encoder } from '../protocol/text.ts';
import type { Store } from '../store/contract.ts';
import { StoredCalls } from './call-journal.ts';
import { Journal, type Fence } from './journal.ts';
import { readRecord, readRecords } from './read-records.ts';
import type { PeerStatus } from './status.ts';

export interface RecordsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the hub, the same for all its starts. */
  readonly hubId: string;
  /** Of this start. */
  readonly instance: string;
  /** Nodes of the hub's last start may come back within this. */
  readonly sessionGraceMs: number;
  /** Another hub of this id has started. */
  superseded(): void;
}

/** A node that has a session, as far as it is recorded. */
export interface Recorded {
  readonly id: string;
  readonly state: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly functions: readonly string[];
  readonly tasksExecuted: number;
  readonly history: { readonly firstSeenAt: number };
}

/** The age of a node about which nothing is new is at most so much behind. */
const AGE_STEP_MS = 600_000;
/** Node ids on record; beyond, those that changed least recently are forgotten when a hub starts. */
const MAX_NODES = 100_000;

export class Records {
  /** Starts of this hub, this one included. */
  readonly epoch: number;
  /** Durable calls. */
  readonly calls: StoredCalls;
  readonly #options: RecordsOptions;
  readonly #journal: Journal;
  readonly #nodes: Map<string, NodeRecord>;
  /** Nodes that were at this hub when it ended, and did not come back yet. */
  readonly #expected = new Map<string, NodeRecord>();
  readonly #openedAt: number;
  /** When which node's record was written last, by this start. */
  readonly #writtenAt = new Map<string, number>();

  private constructor(options: RecordsOptions, epoch: number, nodes: Map<string, NodeRecord>, fence: Fence) {
    this.epoch = epoch;
    this.#options = options;
    this.#nodes = nodes;
    this.#journal = new Journal({ ...options, fence });
    this.calls = new StoredCalls({ ...options, fence, journal: this.#journal });
    this.#openedAt = options.clock.now();
    for (const [id, record] of nodes) {
      if (record.hub === options.hubId && record.state !== 'expired') this.#expected.set(id, record);
    }
    this.#forgetOldest();
  }

  /**
   * Reads what is there, and takes the next epoch of this hub.
   * @throws HoldfastError of the store; `store_failed` when another hub of this id starts at the same moment
   */
  static async open(options: RecordsOptions): Promise<Records> {
    const { store, hubId, instance, log } = options;
    const key = utf8Encoder.encode(hubKey(hubId));
    const known = (await store.range({ key })).entries[0];
    const epoch = (known === undefined ? 0 : (readRecord(known, hubRecord, log)?.epoch ?? 0)) + 1;
    const { succeeded, revision } = await store.txn({
      compare: [{ key, target: 'modRevision', relation: 'equal', operand: known?.modRevision ?? 0 }],
      success: [{ type: 'put', key, value: utf8Encoder.encode(JSON.stringify({ epoch, instance })) }],
    });
    if (!succeeded) {
      throw new HoldfastError(
        `another hub with the id ${hubId} started on this store at the same moment; give each hub an id of its own`,
        { code: 'store_failed', started: 'notStarted' },
      );
    }
    const nodes = await readNodes(store, log);
    return new Records(options, epoch, nodes, { key, revision });
  }

  /** By node id, as they were written last. */
  get nodes(): ReadonlyMap<string, NodeRecord> {
    return this.#nodes;
  }

  /** Nodes of the hub's last start that are still waited for, as `hub.nodes()` shows them. */
  awaited(here: readonly PeerStatus[], now: number): PeerStatus[] {
    const ids = new Set(here.map(({ id }) => id));
    const awaited = [...this.#expected].filter(([id]) => !ids.has(id));
    return awaited.map(([id, { instance, labels, functions, totalTasksExecuted, ageMs }]) => ({
      id,
      instance,
      role: 'node',
      state: 'absent',
      labels,
      functions,
      running: 0,
      queued: 0,
      totalTasksExecuted,
      latencyMs: 0,
      lastHeardMs: null,
      firstSeenMs: Math.round(ageMs + now - this.#openedAt),
      registrations: 0,
      reason: 'the hub restarted',
    }));
  }

  /** Records what is new about nodes that have a session; gives up those that did not come back in time. */
  look(nodes: Iterable<Recorded>): void {
    for (const node of foremost(nodes)) this.node(node);
    if (this.#expected.size === 0) return;
    if (this.#options.clock.now() - this.#openedAt < this.#options.sessionGraceMs) return;
    for (const [id, record] of this.#expected) this.#write(id, { ...record, state: 'expired' });
    this.#expected.clear();
  }

  node({ id, state, instance, labels, functions, tasksExecuted, history }: Recorded): void {
    const before = this.#nodes.get(id);
    this.#expected.delete(id);
    const isSame =
      before?.state === state &&
      before.instance === instance &&
      before.totalTasksExecuted === tasksExecuted &&
      before.labels === labels &&
      before.functions === functions;
    const now = this.#options.clock.now();
    if (isSame && now - (this.#writtenAt.get(id) ?? 0) < AGE_STEP_MS) return;
    this.#writtenAt.set(id, now);
    this.#write(id, {
      state,
      hub: this.#options.hubId,
      instance,
      labels: labels as Record<string, string>,
      functions: functions as string[],
      totalTasksExecuted: tasksExecuted,
      ageMs: Math.round(now - history.firstSeenAt),
    });
  }

  /** Writes what waits: who is here is `absent` from now on. */
  close(nodes: Iterable<Recorded>): Promise<void> {
    for (const node of foremost(nodes)) this.node({ ...facts(node), state: 'absent' });
    return this.#journal.close();
  }

  #write(id: string, record: NodeRecord): void {
    const before = this.#nodes.get(id);
    this.#nodes.set(id, record);
    this.#journal.write(nodeKey(id), JSON.stringify(record));
    const listed = new Set(before === undefined ? [] : listedFunctions(before));
    const isOther = before?.instance !== record.instance;
    for (const name of listedFunctions(record)) {
      if (!listed.delete(name) || isOther)
        this.#journal.write(functionKey(name, id), JSON.stringify({ instance: record.instance }));
    }
    for (const name of listed) this.#journal.write(functionKey(name, id), undefined);
  }

  #forgetOldest(): void {
    for (const [id, record] of this.#nodes) {
      if (this.#nodes.size <= MAX_NODES) return;
      this.#nodes.delete(id);
      this.#expected.delete(id);
      this.#journal.write(nodeKey(id), undefined);
      for (const name of listedFunctions(record)) this.#journal.write(functionKey(name, id), undefined);
    }
  }
}

/** Of several instances of one id the one that counts: a newcomer does once it is online. */
function foremost(nodes: Iterable<Recorded>): Iterable<Recorded> {
  const byId = new Map<string, Recorded>();
  for (const node of nodes) {
    const other = byId.get(node.id);
    if (other === undefined || rank(node) >= rank(other)) byId.set(node.id, node);
  }
  return byId.values();
}

function rank({ state }: Recorded): number {
  if (state === 'joining' || state === 'syncing') return 0;
  return state === 'absent' ? 1 : 2;
}

function facts({ id, state, instance, labels, functions, tasksExecuted, history }: Recorded): Recorded {
  return { id, state, instance, labels, functions, tasksExecuted, history };
}

/** Those of a node that may come back stay. */
function listedFunctions({ state, functions }: NodeRecord): readonly string[] {
  return state === 'expired' || state === 'superseded' ? [] : functions;
}

/** The one that changed least recently comes first. */
async function readNodes(store: Store, log: Log): Promise<Map<string, NodeRecord>> {
  const nodes = new Map<string, NodeRecord>();
  for (const [key, record] of await readRecords(store, nodesPrefix, nodeRecord, log)) {
    const id = nodeIdOf(key);
    if (id !== undefined) nodes.set(id, record);
  }
  return nodes;
}
