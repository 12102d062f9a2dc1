// A hub, its store in a file and a trainer in one process, which may end itself by SIGKILL at a given point of its work.
// Invariant: points are counted in the order in which they are passed; at the one that was named nothing more happens.
import {
  createHub,
  createTrainer,
  fedAdam,
  noLog,
  openStore,
  type Store,
  type Strategy,
  type TrainerOptions,
} from '../../../src/index.ts';
import { monotonicMs } from '../eventually.ts';
import { quickHub } from '../processes.ts';
import { Punctual } from './punctual.ts';
import { roleOptions, serve, tell } from './role.ts';

export interface TrainerRoleOptions {
  /** Of the store. */
  readonly directory: string;
  readonly port: number;
  readonly rounds: number;
  readonly gate: NonNullable<TrainerOptions['gate']>;
  /** 0: it is not killed. */
  readonly killAt: number;
  /** `itself`: a wrong strategy, which keeps its moments where they are lost. */
  readonly moments: 'checkpoint' | 'itself';
  /** A plain timer of the same event loop that begins with each pause, in milliseconds: it is as late as the gate's. @default none */
  readonly besideMs?: number;
}

const { directory, port, rounds, gate, killAt, moments, besideMs } = roleOptions<TrainerRoleOptions>();
const punctual = new Punctual();

let points = 0;
function pass(point: string): void {
  points += 1;
  if (points !== killAt) return;
  tell({ event: 'killed', point });
  // What was told has left: the channel is written to at once.
  process.kill(process.pid, 'SIGKILL');
}

/** Each write is a point before it is asked for, and one when it is answered. */
function withPoints(store: Store): Store {
  const wrapped: Store = Object.create(store) as Store;
  const around = <A extends unknown[], R>(what: string, write: (...args: A) => Promise<R>) =>
    async function (...args: A): Promise<R> {
      pass(`before ${what}`);
      const answer = await punctual.write(() => write.apply(store, args));
      pass(`after ${what}`);
      return answer;
    };
  const own = ['range', 'delete', 'watch', 'compact', 'status', 'close'] as const;
  for (const name of own)
    Object.defineProperty(wrapped, name, {
      value: (store[name] as (...args: never[]) => unknown).bind(store),
    });
  Object.defineProperty(wrapped, 'put', { value: around('put', store.put) });
  Object.defineProperty(wrapped, 'txn', { value: around('txn', store.txn) });
  Object.defineProperty(wrapped, 'leases', { value: store.leases });
  return wrapped;
}

const adam = fedAdam();
let own: ReturnType<Strategy['aggregate']>['state'] = [];
const strategy: Strategy = {
  name: 'fed-adam',
  aggregate: (input) => {
    pass('before aggregate');
    const state = moments === 'itself' ? own : input.state;
    const next = adam.aggregate({ ...input, state });
    own = next.state;
    pass('after aggregate');
    return moments === 'itself' ? { weights: next.weights, state: [] } : next;
  },
};

const store = await openStore(`file:${directory}`, { log: noLog() });
const hub = await createHub({ ...quickHub, port, log: noLog(), drainTimeoutMs: 100 });
const trainer = createTrainer({
  hub,
  store: withPoints(store),
  model: [
    { shape: [2, 2], data: new Float32Array([0.5, -0.25, 0.125, 1]) },
    { shape: [], data: new Float64Array([1 / 3]) },
  ],
  rounds,
  gate,
  strategy,
  resume: true,
  log: noLog(),
  evaluate: (weights) => {
    pass('evaluate');
    return { first: weights[0]?.data[0] ?? 0 };
  },
  onRound: ({ round, participants }) => {
    pass('onRound');
    tell({ event: 'round', round, participants });
  },
  transitions: ({ machine, event }) => {
    if (machine === 'gate' && event.type === 'node.left') tell({ event: 'left', at: monotonicMs() });
  },
  onEvent: (event) => {
    tell({ ...event, event: event.type, at: monotonicMs() });
    if (besideMs === undefined || event.type !== 'gate' || event.state !== 'paused') return;
    setTimeout(() => tell({ event: 'due', at: monotonicMs() }), besideMs);
  },
  deliver: ({ round }) => {
    pass('deliver');
    tell({ event: 'delivered', round });
  },
});
serve({
  setWallClockBy: (ms: number) =>
    (globalThis as unknown as { setWallClockBy(ms: number): void }).setWallClockBy(ms),
  disconnect: (id: string) => hub.disconnect(id),
  die: async () => {
    await punctual.moment();
    tell({ event: 'dies', at: monotonicMs() });
    process.kill(process.pid, 'SIGKILL');
  },
  status: () => trainer.status(),
});
tell({ event: 'listens', url: hub.url, port: hub.port });
await trainer.start();
tell({ event: 'ready' });
const { weights: _, ...outcome } = await trainer.done;
const history = (await trainer.history()).map(({ participants }) => participants.join(' '));
const bytes = new TextEncoder().encode(`/holdfast/training/${trainer.run}/checkpoint`);
const { entries } = await store.range({ key: bytes });
const { model, state } = JSON.parse(new TextDecoder().decode(entries[0]?.value)) as Record<string, string>;
tell({ event: 'ended', outcome, history, model, state, points });
