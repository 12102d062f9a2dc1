// A lease, its holder and its store, one turn at a time: what messages, delays, writes and crashes lead to.
// Invariant: time passes for all at once; only messages and the store's answers are as slow as they like.
import type { AnyStateMachine } from 'xstate';
import { keepaliveEffects, keepaliveMachine } from '../../../machines/keepalive.ts';
import { leaseEffects, leaseMachine } from '../../../machines/lease.ts';
import type { Channel, Choice, Message, Output } from '../../../src/checker/index.ts';
import { TimedMachine, type Timed } from './timed.ts';

/** From the holder to the store, and back. */
export const UP = 'up';
export const DOWN = 'down';

/** In ticks. */
interface Times {
  readonly ttl: number;
  readonly margin: number;
  readonly interval: number;
  readonly overdue: number;
  readonly checkpoint: number;
  readonly retry: number;
}

/** Writes that a slow store has waiting while time passes: its own time-outs keep it from having more. */
const MOST_QUEUED = 2;

const TIMES: Times = { ttl: 4, margin: 1, interval: 1, overdue: 1, checkpoint: 9, retry: 1 };

interface Write {
  readonly type: 'commit' | 'save' | 'put';
  readonly epoch: number;
  readonly of: 'lease';
  /** Of a record: what is left. */
  readonly remaining: number;
  /** Of a commit: the keys that were attached when it was decided. */
  readonly keys: number;
}

export interface World {
  readonly lease: Timed | 'down' | 'gone';
  /** Keepalives that the store has not answered, and how many ticks ago they came. */
  readonly asked: readonly { readonly epoch: number; readonly of: 'holder'; readonly age: number }[];
  readonly stored: { readonly lease: 'there' | 'gone'; readonly remaining: number; readonly keys: number };
  /** What the store is to write, in order. */
  readonly queue: readonly Write[];
  readonly holder: Timed | 'gone';
  /** Ticks that the store has served it since the last keepalive came that it has answered, up to where it matters. */
  readonly served: number;
  readonly end: 'by itself' | 'asked for';
}

export interface LeasesOptions {
  readonly times?: Partial<Times>;
  readonly lease?: AnyStateMachine;
  readonly keepalive?: AnyStateMachine;
  readonly link?: Channel;
  /** Prompt: no time passes while it has something to do. @default 'slow' */
  readonly store?: 'prompt' | 'slow';
  /** Which keys go with the lease. @default those that are attached when it goes */
  readonly sweeps?: 'attached' | 'known';
  readonly budgets?: Partial<Record<Happening, number>>;
}

type Happening = 'crash' | 'fail' | 'put' | 'release' | 'death' | 'drift' | 'pause' | 'revoke';

/** Both machines, and the numbers that they go by. */
export class Both {
  readonly lease: TimedMachine;
  readonly keepalive: TimedMachine;
  readonly times: Times;
  readonly options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.options = options;
    this.times = { ...TIMES, ...options.times };
    this.lease = new TimedMachine({
      machine: options.lease ?? leaseMachine,
      effects: leaseEffects,
      moments: ['armedAt'],
      constant: ['times', 'ttlMs', 'keepalives', 'retries', 'staleEvents'],
      longAgo: this.times.ttl + this.times.checkpoint,
      of: 'lease',
    });
    this.keepalive = new TimedMachine({
      machine: options.keepalive ?? keepaliveMachine,
      effects: keepaliveEffects,
      moments: ['renewedAt', 'sentAt'],
      // `at` is read in the turn in which it is written.
      constant: ['times', 'ttlMs', 'at', 'resent', 'staleEvents', 'reason'],
      longAgo: this.times.ttl + 1,
      of: 'holder',
    });
  }

  /** How long a store that is prompt lets it live without keepalives, if it crashes as often as it may. */
  get longestServed(): number {
    const { store, budgets = {} } = this.options;
    const { ttl, checkpoint } = this.times;
    return ttl + (store === 'prompt' ? (budgets.crash ?? 0) * checkpoint : 0);
  }

  leaseInput(remainingMs: number): object {
    const { ttl, checkpoint, retry } = this.times;
    return { ttlMs: ttl, remainingMs, checkpointMs: checkpoint, retryMs: retry };
  }

  /** The grant was asked for a tick ago, and is committed. */
  get initial(): World {
    const { ttl, margin, interval, overdue } = this.times;
    const holder = { ttlMs: ttl, marginMs: margin, intervalMs: interval, overdueMs: overdue };
    const fresh = this.lease.start(this.leaseInput(ttl)).next;
    return {
      lease: this.lease.send(fresh, { type: 'lease.granted' }).next,
      asked: [],
      stored: { lease: 'there', remaining: ttl, keys: 0 },
      queue: [],
      holder: this.keepalive.start({ ...holder, sentAt: -1, startedAt: 0 }).next,
      served: 0,
      end: 'by itself',
    };
  }
}

/** One turn of the world. */
export class Turning {
  now: World;
  readonly out: Output[] = [];
  readonly both: Both;

  constructor(both: Both, before: World) {
    this.both = both;
    this.now = before;
  }

  set(change: Partial<World>): void {
    this.now = { ...this.now, ...change };
  }

  hear(event: Message): void {
    const epoch = event['epoch'] as number;
    switch (event.type) {
      case 'tick':
        return this.tick('same');
      case 'drift':
        return this.tick('slower');
      case 'lease expires':
        return this.turnLease(({ lease }, at) => lease.expire(at, event['event'] as string));
      case 'holder expires':
        return this.turnHolder(({ keepalive }, at) => keepalive.expire(at, event['event'] as string));
      case 'keepalive':
        return this.asked(epoch);
      case 'acknowledged':
      case 'refused':
        return this.tellHolder({ type: `keepalive.${event.type}`, epoch, ttlMs: event['ttlMs'] });
      case 'answer':
        return this.tellLease({ type: event['outcome'] as string, epoch });
      case 'revoke':
        this.set({ end: 'asked for' });
        return this.tellLease({ type: 'revoke.requested' });
      case 'write':
        return this.write(event['outcome'] as 'done' | 'failed' | 'unknown');
      case 'crash':
        return this.set({ lease: 'down', asked: [], queue: [] });
      case 'restart':
        return this.restart();
      case 'die':
        return this.set({ holder: 'gone' });
      case 'put':
        return this.push({ type: 'put', epoch: 0, of: 'lease', remaining: 0, keys: 0 });
      case 'release':
        return this.tellHolder({ type: 'release.requested' });
      default:
        throw new Error(`the world does not know ${event.type}`);
    }
  }

  tick(holdersClock: 'same' | 'slower'): void {
    const { lease, holder, served, asked } = this.now;
    const { both } = this;
    if (typeof lease !== 'string') {
      const older = (ticks: number) => Math.min(both.longestServed + 1, ticks + 1);
      this.set({
        lease: both.lease.tick(lease),
        served: older(served),
        asked: asked.map((one) => ({ ...one, age: older(one.age) })),
      });
    }
    if (typeof holder !== 'string' && holdersClock === 'same')
      this.set({ holder: both.keepalive.tick(holder) });
  }

  turnLease(act: (both: Both, at: Timed) => ReturnType<TimedMachine['send']>): void {
    const { lease } = this.now;
    if (typeof lease === 'string') return;
    const { next, effects } = act(this.both, lease);
    this.set({ lease: next.status === 'done' ? 'gone' : next });
    for (const { type, payload } of effects) this.perform(type, payload as Message);
  }

  tellLease(event: Message): void {
    this.turnLease(({ lease }, at) => lease.send(at, event));
  }

  turnHolder(act: (both: Both, at: Timed) => ReturnType<TimedMachine['send']>): void {
    const { holder } = this.now;
    if (typeof holder === 'string') return;
    const { next, effects } = act(this.both, holder);
    this.set({ holder: next });
    for (const { type, payload } of effects) this.perform(type, payload as Message);
  }

  tellHolder(event: Message): void {
    this.turnHolder(({ keepalive }, at) => keepalive.send(at, event));
  }

  perform(type: string, payload: Message): void {
    const epoch = payload['epoch'] as number;
    switch (type) {
      case 'sendKeepalive':
        this.out.push({ send: { type: 'keepalive', epoch, of: 'holder' }, on: UP });
        return this.tellHolder({ type: 'keepalive.sent', epoch });
      case 'sendRevoke':
        this.out.push({ send: { type: 'revoke' }, on: UP });
        return;
      case 'answerKeepalive':
        this.set({ served: Math.min(...this.now.asked.map(({ age }) => age), this.now.served) });
        return this.answerAll({ type: 'acknowledged', ttlMs: payload['ttlMs'] });
      case 'refuseKeepalive':
        return this.answerAll({ type: 'refused' });
      case 'saveRecord': {
        const remaining = payload['remainingMs'] as number;
        return this.push({ type: 'save', epoch, of: 'lease', remaining, keys: 0 });
      }
      case 'commitExpiry':
      case 'commitRevocation':
        return this.push({ type: 'commit', epoch, of: 'lease', remaining: 0, keys: this.now.stored.keys });
      case 'announceRenewed':
      case 'announceLost':
      case 'announceReleased':
      case 'announceExpired':
      case 'announceRevoked':
        return;
      default:
        throw new Error(`nobody performs ${type}`);
    }
  }

  asked(epoch: number): void {
    const { lease, asked } = this.now;
    if (lease === 'down') return;
    const others = asked.filter((one) => one.epoch !== epoch);
    this.set({ asked: [...others, { epoch, of: 'holder', age: 0 }] });
    if (lease === 'gone') this.answerAll({ type: 'refused' });
    else this.tellLease({ type: 'keepalive.received' });
  }

  answerAll(answer: Message): void {
    for (const { epoch, of } of this.now.asked) this.out.push({ send: { ...answer, epoch, of }, on: DOWN });
    this.set({ asked: [] });
  }

  push(write: Write): void {
    this.set({ queue: [...this.now.queue, write] });
  }

  /** The store comes to what is first in its queue. */
  write(outcome: 'done' | 'failed' | 'unknown'): void {
    const [first, ...rest] = this.now.queue;
    if (first === undefined) return;
    this.set({ queue: rest });
    if (outcome !== 'failed') this.apply(first);
    const { type, epoch } = first;
    if (type === 'put') return;
    const what = type === 'commit' ? 'commit' : 'record';
    const good = type === 'commit' ? 'succeeded' : 'saved';
    this.tellLease({ type: `${what}.${outcome === 'done' ? good : 'failed'}`, epoch });
  }

  apply({ type, remaining, keys }: Write): void {
    const { stored } = this.now;
    if (stored.lease === 'gone') return;
    if (type === 'save') return this.set({ stored: { ...stored, remaining } });
    if (type === 'put') return this.set({ stored: { ...stored, keys: stored.keys + 1 } });
    const left = this.both.options.sweeps === 'known' ? stored.keys - keys : 0;
    this.set({ stored: { lease: 'gone', remaining: 0, keys: left } });
  }

  restart(): void {
    const { stored } = this.now;
    if (stored.lease === 'gone') return this.set({ lease: 'gone' });
    const { lease } = this.both;
    this.set({ lease: lease.start(this.both.leaseInput(stored.remaining)).next });
    this.tellLease({ type: 'lease.restored' });
  }
}

export function choicesOf(world: World, { options }: Both): Choice[] {
  const { lease, holder, queue } = world;
  const due = (timed: Timed | string) =>
    typeof timed === 'string' ? [] : timed.timers.filter(({ left }) => left === 0);
  const expiries = (who: 'lease' | 'holder', timed: Timed | string): Choice[] =>
    due(timed).map(({ event }) => ({
      event: { type: `${who} expires`, event },
      label: `${event.split('.')[2]} of the ${who} runs out`,
    }));
  const holding = typeof holder !== 'string' && holder.status === 'active';
  const isPrompt = options.store === 'prompt';
  const storeWaits = queue.length >= (isPrompt ? 1 : MOST_QUEUED) || (isPrompt && due(lease).length > 0);
  const holderWaits = due(holder).length > 0;
  const fault = (type: string, label: string, budget: Happening, more: object = {}): Choice => ({
    event: { type, ...more },
    label,
    fault: true,
    budget,
  });
  const what = queue[0]?.type ?? '';
  return [
    ...(storeWaits || holderWaits
      ? []
      : [
          { event: { type: 'tick' }, label: 'time passes' },
          fault('drift', 'time passes, and the holder’s clock does not notice', 'drift'),
        ]),
    ...(storeWaits || !holderWaits ? [] : [fault('tick', 'time passes, and the holder sleeps', 'pause')]),
    ...expiries('lease', lease),
    ...expiries('holder', holder),
    ...(queue.length === 0
      ? []
      : [
          { event: { type: 'write', outcome: 'done' }, label: `the store does the ${what}` },
          fault('write', `the store fails at the ${what}`, 'fail', { outcome: 'failed' }),
          fault('write', `the store does the ${what} and does not know`, 'fail', { outcome: 'unknown' }),
        ]),
    ...(lease === 'down'
      ? [{ event: { type: 'restart' }, label: 'the store is back' }]
      : [
          fault('crash', 'the store crashes', 'crash'),
          fault('revoke', 'somebody else revokes it', 'revoke'),
        ]),
    ...(holding
      ? [
          fault('put', 'the holder puts a key', 'put'),
          fault('release', 'the holder gives it back', 'release'),
          fault('die', 'the holder dies', 'death'),
        ]
      : []),
  ];
}
