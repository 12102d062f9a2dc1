// What viewers are told of the fleet: the hub's numbers, and a row for each node.
// Invariant: a row is told when it says something new; one look takes a bounded time, whatever the number of nodes.
import type { Clock, Timer } from '../ports.ts';
import type { FleetSaid, HubSaid, NodeRow } from '../protocol/inspection.ts';
import type { Member } from './member.ts';

export interface FleetRowsOptions {
  readonly clock: Clock;
  hub(): HubSaid;
  nodes(): readonly Member[];
  /** Training and pools, as they are shown now. */
  shown(): Pick<FleetSaid, 'training' | 'pools'>;
  tell(message: FleetSaid): void;
}

/** The fleet is looked at in so many parts, each so long after the one before: once a second as a whole. */
const PARTS = 10;
const PART_MS = 100;
/** A heartbeat alone is no news before this. */
const QUIET_MS = 2_000;
/** Of the newest measurement in the rate of calls. */
const WEIGHT = 0.5;

interface Known {
  readonly row: NodeRow;
  readonly measuredAt: number;
}

export class FleetRows {
  readonly #options: FleetRowsOptions;
  readonly #known = new Map<string, Known>();
  #queue: Member[] = [];
  #part = 0;
  #timer: Timer | undefined;

  constructor(options: FleetRowsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#known.clear();
    for (const member of this.#options.nodes()) this.#look(member);
    this.#tick();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#known.clear();
  }

  /** All of it, for a newcomer. */
  whole(): FleetSaid {
    const nodes = [...this.#known.values()].map(({ row }) => row);
    return this.#said(nodes, [], true);
  }

  #said(nodes: NodeRow[], gone: string[], whole: boolean): FleetSaid {
    const { clock, hub, shown } = this.#options;
    return { kind: 'fleet', at: clock.now(), whole, hub: hub(), nodes, gone, ...shown() };
  }

  #tick(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#lookOn();
      this.#tick();
    }, PART_MS);
  }

  #lookOn(): void {
    if (this.#part === 0) this.#queue = [...this.#options.nodes()];
    this.#part = (this.#part + 1) % PARTS;
    const size =
      this.#part === 0 ? this.#queue.length : Math.ceil(this.#queue.length / (PARTS + 1 - this.#part));
    const changed: NodeRow[] = [];
    for (const member of this.#queue.splice(0, size)) {
      const row = this.#look(member);
      if (row !== undefined) changed.push(row);
    }
    // The hub's own numbers come once a second.
    const { clock, tell } = this.#options;
    if (this.#part === 0) tell(this.#said(changed, this.#forget(), false));
    else if (changed.length > 0)
      tell({ kind: 'fleet', at: clock.now(), whole: false, nodes: changed, gone: [] });
  }

  /** Those that were there and are not any more. */
  #forget(): string[] {
    const here = new Set(this.#options.nodes().map(({ id }) => id));
    const gone = [...this.#known.keys()].filter((id) => !here.has(id));
    for (const id of gone) this.#known.delete(id);
    return gone;
  }

  /** Its row, when there is news in it. */
  #look(member: Member): NodeRow | undefined {
    const now = this.#options.clock.now();
    const before = this.#known.get(member.id);
    const fresh = rowOf(member, before?.row.lastInboundAt ?? now);
    const elapsedMs = now - (before?.measuredAt ?? now);
    const rate =
      before === undefined || elapsedMs <= 0
        ? 0
        : (Math.max(0, fresh.executed - before.row.executed) * 1_000) / elapsedMs;
    const smooth = (before?.row.callsPerSecond ?? 0) * (1 - WEIGHT) + rate * WEIGHT;
    const row: NodeRow = { ...fresh, callsPerSecond: smooth < 0.05 ? 0 : Math.round(smooth * 10) / 10 };
    if (before !== undefined && !isNews(before.row, row)) {
      this.#known.set(member.id, { row: before.row, measuredAt: before.measuredAt });
      return undefined;
    }
    this.#known.set(member.id, { row, measuredAt: now });
    return row;
  }
}

/** All but its rate of calls. Of one without a link it is remembered when it was heard last. */
function rowOf(member: Member, heardAt: number): Omit<NodeRow, 'callsPerSecond'> {
  const { id, state, running, queued, totalTasksExecuted, functions, labels } = member.status();
  const { link, history } = member;
  return {
    id,
    state,
    running,
    waiting: queued,
    executed: totalTasksExecuted,
    lastInboundAt: link?.lastInboundAt ?? heardAt,
    firstSeenAt: history.firstSeenAt,
    ...(link === undefined ? {} : { address: link.remoteAddress }),
    functions: functions.length,
    labels,
  };
}

function isNews(before: NodeRow, row: NodeRow): boolean {
  return (
    before.state !== row.state ||
    before.executed !== row.executed ||
    before.running !== row.running ||
    before.waiting !== row.waiting ||
    before.callsPerSecond !== row.callsPerSecond ||
    before.functions !== row.functions ||
    before.address !== row.address ||
    before.labels !== row.labels ||
    Math.abs(row.lastInboundAt - before.lastInboundAt) >= QUIET_MS
  );
}
