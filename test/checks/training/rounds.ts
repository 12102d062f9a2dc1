// round × gate × sessions: the machines of production, the trainer's shell between them, nodes that train, links that break.
// Invariant: what is in a commit is known to the disk alone, with the attempt that each update was made for.
import type { AnyStateMachine } from 'xstate';
import { gateEffects, gateInput, gateMachine, type GateMember } from '../../../machines/gate.ts';
import { roundEffects, roundInput, roundMachine } from '../../../machines/round.ts';
import { sessionEffects, sessionInput, sessionMachine } from '../../../machines/session.ts';
import { check, defineSystem, inNameOrder, model } from '../../../src/checker/index.ts';
import type {
  CheckOptions,
  CheckResult,
  Choice,
  Message,
  MachineActor,
  Output,
  Predicate,
  SystemDefinition,
  View,
} from '../../../src/checker/index.ts';
import {
  ANSWERS,
  firstTrainer,
  GATE,
  orders,
  productionRules,
  restarted,
  ROUND,
  type Rules,
  type Trainer,
  TRAINER,
  type Training,
  Turn,
  WRITES,
} from './trainer-side.ts';

const session = (node: string): string => `session ${node}`;
const host = (node: string): string => `process ${node}`;

type Fault = 'cut' | 'death' | 'crash' | 'deadline' | 'refusal' | 'unknown' | 'request';

export interface RoundsOptions {
  /** @default ['n1', 'n2'] */
  readonly nodes?: readonly string[];
  /** @default 1 */
  readonly rounds?: number;
  /** @default all */
  readonly minNodes?: number;
  /** @default minNodes */
  readonly minUpdates?: number;
  readonly gate?: AnyStateMachine;
  readonly round?: AnyStateMachine;
  readonly session?: AnyStateMachine;
  readonly rules?: Partial<Rules>;
  /** Whether the budget of a pause may be spent at any time, or never is. @default 'never' */
  readonly budget?: 'at any time' | 'never';
  /** How often each fault may happen; one that is not named does not happen. */
  readonly budgets?: Partial<Record<Fault, number>>;
}

/** The process of a node, and its link. */
interface Process {
  readonly node: string;
  readonly link: 'down' | 'up';
  readonly dialEpoch: number;
  /** Whether the hub has heard of this process. */
  readonly instance: 'known' | 'new';
  /** What it works on. */
  readonly task: { readonly round: number; readonly epoch: number } | 'none';
}

function processChoices({ node, link, task }: Process): Choice[] {
  const fault = (type: Fault, label: string): Choice => ({
    event: { type },
    label: `${label} ${node}`,
    fault: true,
    budget: type,
  });
  const finished: Choice = { event: { type: 'finish' }, label: `${node} answers` };
  return [
    ...(link === 'up' ? [] : [{ event: { type: 'dial' }, label: `${node} dials` }]),
    ...(link === 'up' && task !== 'none' ? [finished, fault('refusal', 'no good update from')] : []),
    ...(link === 'up' ? [fault('cut', 'the hub loses the link of')] : []),
    fault('death', 'death of the process of'),
  ];
}

function processStep(at: Process, event: Message): { state: Process; outputs?: readonly Output[] } {
  const { node, link, dialEpoch: epoch, task, instance } = at;
  const closed: Output[] =
    link === 'down'
      ? []
      : [{ tell: session(node), event: { type: 'socket.closed', of: node, epoch, how: 'loss', reason: '' } }];
  const attempt = { round: event['round'] as number, epoch: event['epoch'] as number };
  switch (event.type) {
    case 'dial': {
      const next = epoch + 1;
      const register = { type: 'registration.received', of: node, epoch: next, registrationEpoch: next };
      // Another process has none of the calls that the one before had.
      const settled: Output[] = instance === 'new' ? [{ tell: TRAINER, event: { type: 'lost', node } }] : [];
      return {
        state: { ...at, link: 'up', dialEpoch: next, instance: 'known' },
        outputs: [...settled, { start: session(node) }, { tell: session(node), event: register }],
      };
    }
    case 'cut':
      return { state: { ...at, link: 'down' }, outputs: closed };
    case 'death':
      return { state: { ...at, link: 'down', task: 'none', instance: 'new' }, outputs: closed };
    case 'crashed':
      return { state: { ...at, link: 'down', task: 'none' } };
    case 'train':
      return { state: { ...at, task: attempt } };
    case 'cancel':
      return { state: task !== 'none' && task.epoch === attempt.epoch ? { ...at, task: 'none' } : at };
    case 'finish':
      return {
        state: { ...at, task: 'none' },
        outputs: task === 'none' ? [] : [{ send: { type: 'answer', node, ...task }, on: ANSWERS }],
      };
    case 'refusal':
      return {
        state: { ...at, task: 'none' },
        outputs: task === 'none' ? [] : [{ send: { type: 'refused', node, ...task }, on: ANSWERS }],
      };
    default:
      throw new Error(`a process does not know ${event.type}`);
  }
}

function routeSession(node: string, type: string, payload: Message): Output[] {
  const { epoch, registrationEpoch } = payload;
  const tell = (what: string): Output => ({
    tell: session(node),
    event: { type: what, of: node, epoch, registrationEpoch },
  });
  const trainer = (what: string): Output => ({ tell: TRAINER, event: { type: what, node } });
  switch (type) {
    case 'prepareSync':
      return [tell('sync.prepared')];
    case 'sendSync':
      return [tell('sync.acknowledged')];
    case 'announceOnline':
      return [trainer('online')];
    case 'announceAbsent':
      return [trainer('away')];
    case 'announceExpired':
      return [trainer('away'), trainer('lost')];
    default:
      return [];
  }
}

/** What takes its time, and what else is the trainer's. */
function routeTrainer(type: string, payload: Message): Output[] {
  const { node, round, epoch } = payload;
  switch (type) {
    case 'measureBudget':
      return [{ tell: GATE, event: { type: 'budget.measured', epoch } }];
    case 'sendSync': {
      const event = { type: 'acknowledged', node, epoch };
      const label = `${String(node)} acknowledges the model`;
      return [{ later: [{ event, to: TRAINER, label }], key: `sync of ${String(node)}` }];
    }
    case 'aggregate': {
      const event = { type: 'aggregation.finished', round, epoch };
      return [{ later: [{ event, to: ROUND, label: 'the model is aggregated' }], key: 'aggregation' }];
    }
    case 'refuseLate':
      return [];
    default:
      return [{ tell: TRAINER, event: { ...payload, type } }];
  }
}

/** What becomes of a checkpoint that is on its way. */
function written(message: Message): (Choice & { readonly to: string })[] {
  const { round, epoch } = message;
  const write = (answer: 'told' | 'lost') => ({ ...message, answer });
  const fault = { fault: true, budget: 'unknown' };
  return [
    { event: write('told'), to: TRAINER, label: 'the checkpoint is written' },
    { event: write('lost'), to: TRAINER, label: 'the checkpoint is written, and nobody is told', ...fault },
    {
      event: { type: 'checkpoint.failed', round, epoch },
      to: ROUND,
      label: 'the checkpoint is not written',
      ...fault,
    },
  ];
}

function trainingOf(options: RoundsOptions): Training & { readonly minNodes: number } {
  const { nodes = ['n1', 'n2'], rounds = 1, minNodes = nodes.length, minUpdates = minNodes } = options;
  return { nodes, rounds, minNodes, minUpdates, rules: { ...productionRules, ...options.rules } };
}

/** Numbers of attempts, of links, of a node's times online, and of the gate's openings are not compared with each other. */
function familyOf(field: string, holder: Readonly<Record<string, unknown>>, part: string): string {
  const last = part.split(' ').at(-1) ?? '';
  if ('round' in holder) return 'attempts';
  if (field !== 'epoch' || 'of' in holder || part.startsWith('session'))
    return `links of ${String(holder['of'] ?? holder['node'] ?? last)}`;
  return 'node' in holder ? `times online of ${String(holder['node'])}` : 'gate';
}

function training(options: RoundsOptions = {}): SystemDefinition {
  const { gate = gateMachine, round = roundMachine, budget = 'never', budgets = {} } = options;
  const made = trainingOf(options);
  const { nodes, minNodes } = made;
  const input = { ...gateInput, minNodes, resumeNodes: minNodes, gatherTimeoutMs: undefined };
  const trainer = model<Trainer>({
    initial: firstTrainer(made),
    step(before, event) {
      if (event.type === 'crash') return crashed(before);
      const turn = new Turn(made, before);
      turn.hear(event);
      return { state: turn.now, outputs: turn.out };
    },
  });
  const tell = (to: string, event: Message): Output => ({ tell: to, event });
  function crashed(before: Trainer): { state: Trainer; outputs: Output[] } {
    const state = restarted(made, before);
    const gone = nodes.flatMap((node): Output[] => [
      { stop: session(node) },
      { clear: orders(node) },
      tell(host(node), { type: 'crashed' }),
    ]);
    const again: Output = { start: GATE, input: { ...input, from: state.disk.from } };
    const outputs: Output[] = [
      { stop: ROUND },
      { stop: GATE },
      { clear: ANSWERS },
      { clear: WRITES },
      ...gone,
    ];
    const started = tell(GATE, { type: 'training.started' });
    // All was committed, and nobody was told any more.
    const isDone = state.disk.commits.length === made.rounds;
    const completed = isDone ? [tell(GATE, { type: 'training.completed' })] : [];
    return { state, outputs: [...outputs, again, started, ...completed] };
  }
  const idle: Omit<Process, 'node'> = { link: 'down', dialEpoch: 0, instance: 'new', task: 'none' };
  const sessions: Record<string, MachineActor> = Object.fromEntries(
    nodes.map((node) => [
      session(node),
      {
        machine: options.session ?? sessionMachine,
        effects: sessionEffects,
        input: sessionInput,
        started: false,
      },
    ]),
  );
  const byName = [inNameOrder(), inNameOrder('node')];
  const arrange = (list: readonly unknown[]) => byName.reduce((sorted, sort) => sort(sorted), list);
  return defineSystem({
    actors: {
      [GATE]: { machine: gate, effects: gateEffects, input },
      [ROUND]: { machine: round, effects: roundEffects, input: roundInput, started: false },
      [TRAINER]: trainer,
      ...sessions,
      ...Object.fromEntries(
        nodes.map((node) => [
          host(node),
          model<Process>({
            initial: { node, ...idle },
            step: processStep,
            choices: processChoices,
          }),
        ]),
      ),
    },
    channels: {
      [ANSWERS]: { order: 'unordered', capacity: 12 },
      [WRITES]: { order: 'unordered' },
      ...Object.fromEntries(nodes.map((node) => [orders(node), { capacity: 16 }])),
    },
    deliver: (channel, event) => {
      if (channel === WRITES) return written(event);
      return [{ to: channel === ANSWERS ? TRAINER : host(channel.split(' ').at(-1) ?? ''), event }];
    },
    actions: {
      'training starts': {
        outputs: [tell(GATE, { type: 'training.started' })],
        budget: 'start',
        fault: false,
      },
      'the hub crashes and restarts': { outputs: [tell(TRAINER, { type: 'crash' })], budget: 'crash' },
      'the operator asks for the end': {
        outputs: [tell(GATE, { type: 'termination.requested', reason: '' })],
        budget: 'request',
      },
    },
    budgets: {
      cut: 0,
      death: 0,
      crash: 0,
      deadline: 0,
      refusal: 0,
      unknown: 0,
      request: 0,
      ...budgets,
      start: 1,
    },
    fires: (_actor, delay) => {
      if (delay === 'roundDeadline') return 'deadline';
      if (delay === 'budgetLeft') return budget === 'at any time';
      return ['sessionGrace', 'pauseDebounce', 'stragglerGrace', 'returnGrace', 'checkpointRetry'].includes(
        delay,
      );
    },
    route: (actor, { type, payload }) => {
      const event = { ...(payload as object), type };
      const [what, node = ''] = actor.split(' ');
      return what === 'session' ? routeSession(node, type, event) : routeTrainer(type, event);
    },
    epochFamily: familyOf,
    // A crash is told to one after the other.
    ...(budgets.crash === undefined ? { symmetry: { groups: [nodes], arrange } } : {}),
  });
}

const trainerOf = (view: View) => view.model<Trainer>(TRAINER);
const isOver: Predicate = (view) => view.actor(GATE).status === 'done';
const isCompleted: Predicate = (view) => view.actor(GATE).in('completed');

function properties(options: RoundsOptions): Record<string, Predicate> {
  const { rounds, minUpdates } = trainingOf(options);
  return {
    'every round is committed at most once, and in order': (view) => {
      const { commits, conflicts } = trainerOf(view).disk;
      return conflicts === 0 && commits.every(({ round }, i) => round === i + 1) && commits.length <= rounds;
    },
    'a commit holds enough updates, one of a node, all made for its own attempt': (view) =>
      trainerOf(view).disk.commits.every(
        ({ round, epoch, updates }) =>
          updates.length >= minUpdates &&
          new Set(updates.map(({ node }) => node)).size === updates.length &&
          updates.every((update) => update.round === round && update.epoch === epoch),
      ),
    'it waits without a limit only while enough nodes are there to answer': (view) => {
      const round = view.actor(ROUND);
      if (!round.in('training.reachable')) return true;
      const { accepted, awaited } = round.control as Readonly<Record<'accepted' | 'awaited', string[]>>;
      const { members } = trainerOf(view);
      const here = awaited.filter((node) => members.some((one) => one.node === node && one.state !== 'away'));
      return accepted.length + here.length >= minUpdates;
    },
    'no round runs in a trainer that is at its end': (view) => {
      const { status } = view.actor(ROUND);
      return !isOver(view) || status !== 'active';
    },
    'the model that is delivered is that of the last commit': (view) => {
      const { delivered, disk } = trainerOf(view);
      return !view.actor(GATE).in('terminated') || delivered === (disk.commits.at(-1)?.round ?? 0);
    },
    'it is completed only when all rounds are committed': (view) =>
      !isCompleted(view) || trainerOf(view).disk.commits.length === rounds,
    'it is completed when it knows that all rounds are committed, whoever asked for its end': (view) =>
      !isOver(view) || isCompleted(view) || trainerOf(view).known < rounds,
    'the gate counts exactly the nodes that acknowledged since they came online': (view) => {
      const gate = view.actor(GATE);
      if (gate.status !== 'active' || gate.in('terminating')) return true;
      const counted = gate.control['synced'] as readonly GateMember[];
      const real = trainerOf(view).members.filter(({ state }) => state === 'synced');
      return (
        counted.length === real.length &&
        counted.every(({ node, epoch }, i) => real[i]?.node === node && real[i]?.epoch === epoch)
      );
    },
    'a node counts only while its session is online': (view) =>
      trainerOf(view).members.every(
        ({ node, state }) => state !== 'synced' || view.actor(session(node)).in('online'),
      ),
  };
}

/** On every fair run, faults having come to an end, training does. */
export const inTheEnd = (budget: RoundsOptions['budget'] = 'never'): CheckOptions => ({
  noDeadlock: false,
  alwaysPossible: {},
  eventually: { 'training comes to its end': budget === 'never' ? isCompleted : isOver },
});

export function explore(options: RoundsOptions = {}, more: CheckOptions = {}): CheckResult {
  return check(training(options), {
    always: properties(options),
    alwaysPossible: { 'training comes to its end': isOver },
    noDeadlock: (view) => !isOver(view),
    ...more,
  });
}
