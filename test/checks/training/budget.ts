// The gate in ticks of one clock: how long it may be paused, whatever its nodes do, and however often its process dies.
// Invariant: no time passes while a delay of the gate is over: what is late in reality is the simulation's to show.
import type { AnyStateMachine } from 'xstate';
import {
  budgetRecordIntervalMs,
  gateEffects,
  gateInput,
  gateMachine,
  type GateInput,
  type GateMember,
  type GateRecord,
} from '../../../machines/gate.ts';
import { check, defineSystem, inNameOrder, model } from '../../../src/checker/index.ts';
import type {
  CheckResult,
  Choice,
  Message,
  Predicate,
  SystemDefinition,
  View,
} from '../../../src/checker/index.ts';
import { isIn, TimedMachine, type Timed, type Turn } from '../store/timed.ts';

const WORLD = 'world';

/** In ticks. */
const TERMINATE_AFTER = 6;
const PAUSE_AFTER = 1;
const GATHER_WITHIN = 2;
const INTERVAL = budgetRecordIntervalMs(TERMINATE_AFTER);

interface Node extends GateMember {
  readonly state: 'away' | 'online' | 'synced';
}

interface World {
  readonly gate: Timed | 'gone';
  readonly nodes: readonly Node[];
  readonly record: GateRecord;
  /** Ticks that it was paused while its process ran: in this pause, or in all. */
  readonly paused: number;
  /** Ticks without a quorum before the pause. */
  readonly below: number;
  readonly crashes: number;
}

export interface BudgetOptions {
  /** @default ['n1', 'n2'] */
  readonly nodes?: readonly string[];
  readonly minNodes?: number;
  readonly budget?: GateInput['budget'];
  readonly gate?: AnyStateMachine;
  readonly crashes?: number;
}

class Turning {
  readonly #gate: TimedMachine;
  readonly #options: BudgetOptions;
  now: World;

  constructor(gate: TimedMachine, options: BudgetOptions, now: World) {
    this.#gate = gate;
    this.#options = options;
    this.now = now;
  }

  hear({ type, node, event }: Message): void {
    const known = this.now.nodes.find((one) => one.node === node);
    const epoch = known?.epoch ?? 0;
    switch (type) {
      case 'tick':
        return this.#tick();
      case 'expires':
        return this.#turn((gate, at) => gate.expire(at, event as string));
      case 'comes':
        this.#set(node as string, { state: 'online', epoch: epoch + 1 });
        return this.#tell({ type: 'node.joined', node, epoch: epoch + 1 });
      case 'acknowledges':
        this.#set(node as string, { state: 'synced' });
        return this.#tell({ type: 'node.synced', node, epoch });
      case 'leaves':
        this.#set(node as string, { state: 'away' });
        return this.#tell({ type: 'node.left', node, epoch });
      case 'crash': {
        const nodes = this.now.nodes.map((one): Node => ({ ...one, state: 'away' }));
        this.now = { ...this.now, nodes, crashes: this.now.crashes + 1 };
        return this.start();
      }
      default:
        throw new Error(`the world does not know ${type}`);
    }
  }

  start(): void {
    const { budget = 'perPause', nodes = [], minNodes = nodes.length } = this.#options;
    const times = { terminateAfterMs: TERMINATE_AFTER, pauseAfterMs: PAUSE_AFTER, budget };
    const gatherTimeoutMs = GATHER_WITHIN;
    const input = {
      ...gateInput,
      ...times,
      gatherTimeoutMs,
      minNodes,
      resumeNodes: minNodes,
      ...this.now.record,
    };
    this.now = { ...this.now, gate: this.#gate.start(input).next };
    this.#tell({ type: 'training.started' });
  }

  get #isBelow(): boolean {
    const { nodes = [], minNodes = nodes.length } = this.#options;
    return this.now.nodes.filter(({ state }) => state === 'synced').length < minNodes;
  }

  #set(node: string, change: Partial<Node>): void {
    const nodes = this.now.nodes.map((one) => (one.node === node ? { ...one, ...change } : one));
    this.now = { ...this.now, nodes };
    if (!this.#isBelow) this.now = { ...this.now, below: 0 };
  }

  #tick(): void {
    const { gate, paused, below } = this.now;
    if (gate === 'gone') return;
    const most = TERMINATE_AFTER + (this.#options.crashes ?? 0) * INTERVAL + 1;
    this.now = {
      ...this.now,
      gate: this.#gate.tick(gate),
      paused: isIn(gate, 'paused') ? Math.min(most, paused + 1) : paused,
      below: isIn(gate, 'open') && this.#isBelow ? Math.min(PAUSE_AFTER + 1, below + 1) : 0,
    };
  }

  #tell(event: Message): void {
    this.#turn((gate, at) => gate.send(at, event));
  }

  #turn(act: (gate: TimedMachine, at: Timed) => Turn): void {
    const { gate } = this.now;
    if (gate === 'gone') return;
    const { next, effects } = act(this.#gate, gate);
    this.now = { ...this.now, gate: next.status === 'done' ? 'gone' : next };
    for (const { type, payload } of effects) this.#perform(type, payload as Message);
  }

  #perform(type: string, payload: Message): void {
    if (type === 'measureBudget') this.#tell({ type: 'budget.measured', epoch: payload['epoch'] });
    if (type === 'recordBudget') this.now = { ...this.now, record: payload as unknown as GateRecord };
    if (type === 'openGate' && this.#options.budget !== 'cumulative') this.now = { ...this.now, paused: 0 };
  }
}

function choicesOf({ gate, nodes, crashes }: World, options: BudgetOptions): Choice[] {
  if (gate === 'gone' || isIn(gate, 'terminating')) return [];
  const due = gate.timers.filter(({ left }) => left === 0);
  const does = (node: string, type: string): Choice => ({ event: { type, node }, label: `${node} ${type}` });
  return [
    ...due.map(({ event }): Choice => ({ event: { type: 'expires', event }, label: `${event} is over` })),
    ...(due.length > 0 ? [] : [{ event: { type: 'tick' }, label: 'time passes' }]),
    ...nodes.flatMap(({ node, state }) => [
      ...(state === 'online' ? [does(node, 'acknowledges')] : []),
      does(node, state === 'away' ? 'comes' : 'leaves'),
    ]),
    ...(crashes < (options.crashes ?? 0)
      ? [{ event: { type: 'crash' }, label: 'the process dies and starts again' }]
      : []),
  ];
}

function budgetSystem(given: BudgetOptions): SystemDefinition {
  const options = { nodes: ['n1', 'n2'], ...given };
  const gate = new TimedMachine({
    machine: options.gate ?? gateMachine,
    effects: gateEffects,
    moments: ['runningSince', 'belowSince'],
    constant: ['times', 'pauses', 'pausedMs', 'staleEvents', 'end', 'reason', 'model'],
    longAgo: TERMINATE_AFTER + INTERVAL,
    of: 'gate',
  });
  const nodes = options.nodes.map((node): Node => ({ node, epoch: 0, state: 'away' }));
  const record: GateRecord = { consumedMs: 0, from: 'gathering' };
  const first = new Turning(gate, options, { gate: 'gone', nodes, record, paused: 0, below: 0, crashes: 0 });
  first.start();
  const world = model<World>({
    initial: first.now,
    step: (before, event) => {
      const turning = new Turning(gate, options, before);
      turning.hear(event);
      return { state: turning.now };
    },
    choices: (now) => choicesOf(now, options),
  });
  return defineSystem({
    actors: { [WORLD]: world },
    route: () => [],
    epochFamily: (_field, holder) => (holder['node'] as string | undefined) ?? 'gate',
    symmetry: { groups: [options.nodes], arrange: inNameOrder('node') },
  });
}

export function explore(options: BudgetOptions = {}): CheckResult {
  const of = (property: (world: World, gate: Timed) => boolean): Predicate => {
    return (view: View) => {
      const world = view.model<World>(WORLD);
      return world.gate === 'gone' || property(world, world.gate);
    };
  };
  // A process that dies takes along what it did not record.
  const longest = ({ crashes }: World) => TERMINATE_AFTER + crashes * INTERVAL;
  return check(budgetSystem(options), {
    always: {
      'it is never paused for longer than its budget': of(
        (world, gate) => !isIn(gate, 'paused') || world.paused <= longest(world),
      ),
      'it never gives up before its budget is spent': of(
        ({ paused, record }, gate) =>
          !isIn(gate, 'terminating') || record.from === 'gathering' || paused >= TERMINATE_AFTER,
      ),
      'it is open no longer than the debounce after it lost the quorum': of(
        ({ below }, gate) => !isIn(gate, 'open') || below <= PAUSE_AFTER,
      ),
    },
    sometimes: {
      'it gives up': of((_, gate) => isIn(gate, 'terminating')),
      'it opens after a pause': of(
        ({ record }, gate) =>
          isIn(gate, 'open') && (record.consumedMs > 0 || options.budget !== 'cumulative'),
      ),
    },
    alwaysPossible: {
      'it gives up, or opens': of((_, gate) => isIn(gate, 'terminating') || isIn(gate, 'open')),
    },
  });
}
