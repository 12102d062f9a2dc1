// The gate and the nodes that it counts, as they join, acknowledge and leave, and the hub's process that dies and restarts.
// Invariant: who is online and has acknowledged is known to the witness alone; the gate knows what it is told.
import type { AnyStateMachine } from 'xstate';
import {
  gateEffects,
  type GateInput,
  gateInput,
  gateMachine,
  type GateMember,
} from '../../../machines/gate.ts';
import { check, defineSystem, inNameOrder, model } from '../../../src/checker/index.ts';
import type {
  CheckOptions,
  CheckResult,
  Choice,
  Message,
  Output,
  Predicate,
  SystemDefinition,
  View,
} from '../../../src/checker/index.ts';

const GATE = 'gate';
/** The nodes, the trainer's shell and the disk. */
const WORLD = 'world';

interface Node extends GateMember {
  readonly state: 'away' | 'online' | 'synced';
}

interface World {
  readonly nodes: readonly Node[];
  /** What a restart finds on the disk. */
  readonly from: 'gathering' | 'paused';
  /** What the gate last said; too early: with fewer nodes than it takes to open it. */
  readonly gate: 'closed' | 'open' | 'opened too early' | 'over';
  readonly delivery: 'not asked' | 'asked' | 'delivered';
}

export interface GateOptions {
  /** @default ['n1', 'n2', 'n3'] */
  readonly nodes?: readonly string[];
  /** @default 2 */
  readonly minNodes?: number;
  /** @default minNodes */
  readonly resumeNodes?: number;
  readonly gate?: AnyStateMachine;
  /** Whether a node that is away can be counted on to come back. @default 'return' */
  readonly away?: 'return' | 'may stay away';
  /** Whether a node's older acknowledgement may still come when it has to give a newer one. @default 'too' */
  readonly older?: 'too' | 'lost';
  /** @default 'unlimited' */
  readonly gathering?: 'limited' | 'unlimited';
  /** How often each may happen; one that is not named does not happen. Nodes leave any number of times unless named. */
  readonly budgets?: Partial<Record<Fault | 'leave', number>>;
  /** Faults that may happen any number of times. @default none */
  readonly ever?: readonly Fault[];
}

type Fault = 'crash' | 'request' | 'undelivered';

const NODES = ['n1', 'n2', 'n3'];

const withNode = (world: World, node: string, change: Partial<Node>): World => ({
  ...world,
  nodes: world.nodes.map((one) => (one.node === node ? { ...one, ...change } : one)),
});

function choicesOf({ nodes, gate }: World, { away = 'return', budgets = {} }: GateOptions): Choice[] {
  if (gate === 'over') return [];
  const leaving = budgets.leave === undefined ? {} : { budget: 'leave' };
  return nodes.flatMap(({ node, state }): Choice[] => [
    // It may come online anew before the hub has told that it was away.
    {
      event: { type: 'come', node },
      label: `${node} comes online`,
      fault: state !== 'away' || away !== 'return',
      ...(state === 'away' ? {} : leaving),
    },
    ...(state === 'away'
      ? []
      : [{ event: { type: 'leave', node }, label: `${node} leaves`, fault: true, ...leaving }]),
  ]);
}

const synced = ({ nodes }: World) => nodes.filter(({ state }) => state === 'synced');
const tell = (event: Message): Output => ({ tell: GATE, event });

function step(world: World, event: Message, input: GateInput): { state: World; outputs?: readonly Output[] } {
  const node = event['node'] as string;
  const epoch = event['epoch'] as number;
  const known = world.nodes.find((one) => one.node === node);
  switch (event.type) {
    case 'come': {
      const next = (known?.epoch ?? 0) + 1;
      return {
        state: withNode(world, node, { state: 'online', epoch: next }),
        outputs: [tell({ type: 'node.joined', node, epoch: next })],
      };
    }
    case 'leave':
      return {
        state: withNode(world, node, { state: 'away' }),
        outputs: [tell({ type: 'node.left', node, epoch: known?.epoch ?? 0 })],
      };
    case 'acknowledged': {
      const isPresent = known?.state === 'online' && known.epoch === epoch;
      return {
        state: isPresent ? withNode(world, node, { state: 'synced' }) : world,
        outputs: [tell({ type: 'node.synced', node, epoch })],
      };
    }
    case 'written':
      return { state: { ...world, from: event['from'] as World['from'] } };
    case 'said': {
      const said = event['gate'] as World['gate'];
      const isTooEarly = said === 'open' && synced(world).length < input.resumeNodes;
      return { state: { ...world, gate: isTooEarly ? 'opened too early' : said } };
    }
    case 'asked':
      return { state: { ...world, delivery: 'asked' } };
    case 'delivered':
      return {
        state: { ...world, delivery: 'delivered' },
        outputs: [tell({ type: 'model.delivered', epoch })],
      };
    case 'crash': {
      const nodes = world.nodes.map((one): Node => ({ ...one, state: 'away' }));
      const restart: Output = { start: GATE, input: { ...input, from: world.from } };
      const state: World = { ...world, nodes, gate: 'closed', delivery: 'not asked' };
      return { state, outputs: [{ stop: GATE }, restart, tell({ type: 'training.started' })] };
    }
    default:
      throw new Error(`the world does not know ${event.type}`);
  }
}

/** What each of the gate's effects leads to. */
function route(
  type: string,
  payload: Message,
  { budgets = {}, ever = [], older = 'too' }: GateOptions,
): Output[] {
  const { node, epoch } = payload;
  const said = (gate: World['gate']): Output => ({ tell: WORLD, event: { type: 'said', gate } });
  switch (type) {
    // An acknowledgement of an older coming online may arrive late, or never.
    case 'sendSync': {
      const label = `${String(node)} acknowledges the model`;
      const event = { type: 'acknowledged', node, epoch };
      return [
        {
          later: [{ event, to: WORLD, label }],
          key: `sync of ${String(node)}`,
          atMost: older === 'too' ? 2 : 1,
        },
      ];
    }
    case 'openGate':
      return [said('open')];
    case 'pauseGate':
      return [said('closed')];
    case 'measureBudget':
      return [tell({ type: 'budget.measured', epoch })];
    case 'recordBudget': {
      const event = { type: 'written', from: payload['from'] };
      return [{ later: [{ event, to: WORLD, label: 'the record is written' }], key: 'record' }];
    }
    case 'deliverModel': {
      const delivered: Choice = {
        event: { type: 'delivered', epoch },
        to: WORLD,
        label: 'the model is delivered',
      };
      const failed: Choice = {
        event: { type: 'model.failed', epoch, reason: '' },
        to: GATE,
        label: 'the model cannot be delivered',
        fault: true,
        ...(ever.includes('undelivered') ? {} : { budget: 'undelivered' }),
      };
      const fails = ever.includes('undelivered') || (budgets.undelivered ?? 0) > 0;
      const later = fails ? [delivered, failed] : [delivered];
      return [
        { tell: WORLD, event: { type: 'asked' } },
        { later, key: 'delivery' },
      ];
    }
    case 'announceEnd':
      return [said('over')];
    default:
      throw new Error(`nobody performs ${type}`);
  }
}

function gateSystem(options: GateOptions = {}): SystemDefinition {
  const { nodes = NODES, minNodes = 2, resumeNodes = minNodes, budgets = {}, gathering } = options;
  const { gate = gateMachine, ever = [] } = options;
  const spending = (budget: Fault) => (ever.includes(budget) ? {} : { budget });
  const gatherTimeoutMs = gathering === 'limited' ? 1 : undefined;
  const input = { ...gateInput, minNodes, resumeNodes, gatherTimeoutMs };
  const world = model<World>({
    initial: {
      nodes: nodes.map((node): Node => ({ node, epoch: 0, state: 'away' })),
      from: 'gathering',
      gate: 'closed',
      delivery: 'not asked',
    },
    step: (at, event) => step(at, event, input),
    choices: (at) => choicesOf(at, options),
  });
  const byName = [inNameOrder(), inNameOrder('node')];
  return defineSystem({
    actors: { [GATE]: { machine: gate, effects: gateEffects, input }, [WORLD]: world },
    actions: {
      'the trainer starts': {
        outputs: [tell({ type: 'training.started' })],
        budget: 'start',
        fault: false,
      },
      'the operator asks for the end': {
        outputs: [tell({ type: 'termination.requested', reason: '' })],
        ...spending('request'),
      },
      'the hub crashes and restarts': {
        outputs: [{ tell: WORLD, event: { type: 'crash' } }],
        ...spending('crash'),
      },
    },
    budgets: { crash: 0, request: 0, undelivered: 0, ...budgets, start: 1 },
    route: (_actor, { type, payload }) => route(type, { ...(payload as object), type }, options),
    epochFamily: (_field, holder) => (holder['node'] as string | undefined) ?? 'gate',
    symmetry: {
      groups: [nodes],
      arrange: (list) => byName.reduce((sorted, arrange) => arrange(sorted), list),
    },
  });
}

const look = (view: View) => ({ gate: view.actor(GATE), world: view.model<World>(WORLD) });
const isOver: Predicate = (view) => look(view).gate.status === 'done';

function gateProperties({ minNodes = 2, resumeNodes = minNodes }: GateOptions): Record<string, Predicate> {
  return {
    'it counts exactly the nodes that are online and acknowledged since they came online': (view) => {
      const { gate, world } = look(view);
      if (gate.status !== 'active' || gate.in('terminating')) return true;
      const counted = gate.control['synced'] as readonly GateMember[];
      const real = synced(world);
      return (
        counted.length === real.length &&
        counted.every(({ node, epoch }, i) => real[i]?.node === node && real[i]?.epoch === epoch)
      );
    },
    'it is open and steady only with a quorum': (view) => {
      const { gate, world } = look(view);
      return !gate.in('open.steady') || synced(world).length >= minNodes;
    },
    'it wavers only without one': (view) => {
      const { gate, world } = look(view);
      return !gate.in('open.wavering') || synced(world).length < minNodes;
    },
    'it is closed only while too few are there to open it': (view) => {
      const { gate, world } = look(view);
      const isClosed = gate.in('gathering') || gate.in('paused');
      return !isClosed || synced(world).length < resumeNodes;
    },
    'it opens only with as many as that takes': (view) => look(view).world.gate !== 'opened too early',
    'rounds may run exactly while it is open': (view) => {
      const { gate, world } = look(view);
      return gate.in('terminating') || gate.in('open') === world.gate.startsWith('open');
    },
    'it terminates only after the model was asked for': (view) => {
      const { gate, world } = look(view);
      return !gate.in('terminated') || world.delivery !== 'not asked';
    },
  };
}

/** Again and again, on every fair run, it is open or over: there is no pause without an end. */
export const inTheEnd: CheckOptions = {
  noDeadlock: false,
  alwaysPossible: {},
  alwaysEventually: { 'it is open, or over': (view) => isOver(view) || look(view).gate.in('open') },
};

export function explore(options: GateOptions = {}, more: CheckOptions = {}): CheckResult {
  return check(gateSystem(options), {
    always: gateProperties(options),
    alwaysPossible: { 'it comes to an end, or opens': (view) => isOver(view) || look(view).gate.in('open') },
    // While it is open, the rounds are what is owed.
    noDeadlock: (view) => !isOver(view) && !look(view).gate.in('open'),
    ...more,
  });
}
