// Writes on their way into an engine: the machine of production, the shell's queue, and an engine that may do anything.
// Invariant: what the engine has applied is known to the witness alone; the shell knows what it is told.
import type { AnyStateMachine } from 'xstate';
import { proposalEffects, proposalInput, proposalMachine } from '../../../machines/proposal.ts';
import { check, defineSystem, model } from '../../../src/checker/index.ts';
import type {
  ActorView,
  CheckOptions,
  CheckResult,
  Choice,
  Message,
  Output,
  Predicate,
  SystemDefinition,
  View,
} from '../../../src/checker/index.ts';

export const STORE = 'store';
const ANSWERS = 'answers';

interface Submission {
  readonly who: string;
  readonly epoch: number;
}

/** What became of one write; 2 stands for more, too. */
interface Fate {
  readonly applied: number;
  readonly settled: number;
  /** What its waiter is told when it neither succeeded nor failed. */
  readonly started: 'unknown' | 'notStarted';
}

interface Store {
  /** The shell's queue, the oldest first. */
  readonly queue: readonly Submission[];
  /** What the engine was given and has not begun, the oldest first. */
  readonly taken: readonly Submission[];
  readonly engine: 'up' | 'ended';
  readonly fates: Readonly<Record<string, Fate>>;
}

/** The rules of the shell that a broken twin may replace. */
export interface Rules {
  /** The queue without what is withdrawn from it. */
  readonly withdrawn: (queue: readonly Submission[], who: string) => readonly Submission[];
  /** What the shell says of what the engine had when the link to it broke. */
  readonly broken: 'submission.vanished' | 'submission.returned';
}

const productionRules: Rules = {
  withdrawn: (queue, who) => queue.filter((one) => one.who !== who),
  broken: 'submission.vanished',
};

export interface ProposalsOptions {
  /** @default ['p1', 'p2'] */
  readonly names?: readonly string[];
  /** How many the engine takes at a time. @default 2 */
  readonly window?: number;
  readonly machine?: AnyStateMachine;
  readonly rules?: Partial<Rules>;
  /** How often each fault may happen; one that is not named does not happen. */
  readonly budgets?: Partial<Record<Fault, number>>;
  /** Faults of the engine that may happen any number of times. @default none */
  readonly ever?: readonly Fault[];
}

export type Fault = 'cancel' | 'break' | 'end' | 'return' | 'copy';

const twice = (count: number) => Math.min(2, count + 1);

function withFate(store: Store, who: string, change: (fate: Fate) => Partial<Fate>): Store {
  const fate = store.fates[who] as Fate;
  return { ...store, fates: { ...store.fates, [who]: { ...fate, ...change(fate) } } };
}

const applied = (store: Store, who: string): Store =>
  withFate(store, who, (fate) => ({ applied: twice(fate.applied) }));
const answer = (type: string, { who, epoch }: Submission): Output => ({
  send: { type, who, epoch },
  on: ANSWERS,
});

function choicesOf({ queue, taken, engine }: Store, { window = 2, ever = [] }: ProposalsOptions): Choice[] {
  if (engine === 'ended') return [];
  const [next] = queue;
  const [begun] = taken;
  const spending = (budget: Fault) => (ever.includes(budget) ? { fault: true } : { fault: true, budget });
  const does = (type: string, label: string, more: Partial<Choice> = {}): Choice => ({
    event: { type },
    label: `the engine ${label}`,
    ...more,
  });
  return [
    ...(next === undefined || taken.length >= window ? [] : [does('take', `takes the write of ${next.who}`)]),
    ...(begun === undefined
      ? []
      : [
          does('apply', `applies the write of ${begun.who}`),
          does('reject', `refuses the write of ${begun.who}`, { fault: true }),
          does('return', `gives back the write of ${begun.who}`, spending('return')),
          // What was on its way is applied, or not; the answers are gone either way.
          does('break applied', 'applies the first and is cut off', spending('break')),
        ]),
    does('break', 'is cut off', spending('break')),
  ];
}

function step(
  store: Store,
  event: Message,
  rules: Rules,
): { state: Store; outputs?: readonly Output[] } | undefined {
  const who = event['who'] as string;
  const epoch = event['epoch'] as number;
  const { queue, taken } = store;
  const [first, ...rest] = event.type === 'take' ? queue : taken;
  switch (event.type) {
    case 'enqueue':
      return { state: { ...store, queue: [...queue, { who, epoch }] } };
    case 'withdraw': {
      const state = { ...store, queue: rules.withdrawn(queue, who) };
      return { state: withFate(state, who, () => ({ started: 'notStarted' })) };
    }
    case 'abandon':
      return { state: store };
    case 'settle':
      return { state: withFate(store, who, ({ settled }) => ({ settled: twice(settled) })) };
    case 'ended':
      return { state: { ...store, engine: 'ended' } };
  }
  if (event.type === 'break') return cutOff(store, rules);
  if (first === undefined) return undefined;
  switch (event.type) {
    case 'take': {
      const outputs: Output[] = [
        { tell: first.who, event: { type: 'submission.taken', epoch: first.epoch } },
      ];
      return { state: { ...store, queue: rest, taken: [...taken, first] }, outputs };
    }
    case 'apply':
      return {
        state: applied({ ...store, taken: rest }, first.who),
        outputs: [answer('submission.applied', first)],
      };
    case 'reject':
      return { state: { ...store, taken: rest }, outputs: [answer('submission.rejected', first)] };
    case 'return':
      return { state: { ...store, taken: rest }, outputs: [answer('submission.returned', first)] };
    case 'break applied':
      return cutOff(applied(store, first.who), rules);
    default:
      return undefined;
  }
}

/** Nothing that the engine has is answered any more; what it has not begun never is. */
function cutOff(store: Store, { broken }: Rules): { state: Store; outputs: readonly Output[] } {
  const outputs = store.taken.map((one) => answer(broken, one));
  return { state: { ...store, taken: [] }, outputs: [{ clear: ANSWERS }, ...outputs] };
}

export function proposals(options: ProposalsOptions = {}): SystemDefinition {
  const { names = ['p1', 'p2'], machine = proposalMachine, budgets = {} } = options;
  const rules = { ...productionRules, ...options.rules };
  const fate: Fate = { applied: 0, settled: 0, started: 'unknown' };
  const shell = model<Store>({
    initial: {
      queue: [],
      taken: [],
      engine: 'up',
      fates: Object.fromEntries(names.map((name) => [name, fate])),
    },
    step: (store, event) => step(store, event, rules),
    choices: (store) => choicesOf(store, options),
  });
  const proposal = { machine, effects: proposalEffects, input: proposalInput, started: false };
  return defineSystem({
    actors: {
      [STORE]: shell,
      ...Object.fromEntries(names.map((name) => [name, proposal])),
    },
    channels: { [ANSWERS]: { order: 'unordered', duplicating: 'copy' } },
    actions: {
      ...Object.fromEntries(
        names.flatMap((name) => [
          [
            `${name} is proposed`,
            { outputs: [{ start: name }], budget: `proposed ${name}`, fault: false },
          ] as const,
          [
            `the caller of ${name} cancels`,
            { outputs: [{ tell: name, event: { type: 'cancel.requested' } }], budget: 'cancel' },
          ] as const,
        ]),
      ),
      'the engine is stopped': {
        outputs: [
          { tell: STORE, event: { type: 'ended' } },
          { clear: ANSWERS },
          ...names.map((who): Output => ({ send: { type: 'engine.ended', who }, on: ANSWERS })),
        ],
        budget: 'end',
      },
    },
    budgets: {
      cancel: 0,
      break: 0,
      end: 0,
      return: 0,
      copy: 0,
      ...budgets,
      ...Object.fromEntries(names.map((name) => [`proposed ${name}`, 1])),
    },
    route: (actor, { type, payload }) => [{ tell: STORE, event: { type, who: actor, ...payload } }],
    deliver: (_channel, message) => {
      const { who, ...event } = message as Message & { who: string };
      return [{ to: who, event }];
    },
    epochFamily: (_field, holder, part) => (holder['who'] as string | undefined) ?? part,
    symmetry: [names],
  });
}

interface Seen extends Fate {
  readonly proposal: ActorView;
  readonly isQueued: boolean;
}

function look(view: View, name: string): Seen {
  const { fates, queue } = view.model<Store>(STORE);
  const isQueued = queue.some(({ who }) => who === name);
  return { ...(fates[name] as Fate), proposal: view.actor(name), isQueued };
}

/** Not only possible: every write ends, on every run in which nobody is kept from what they could do for ever. */
export const endInTheEnd = (names: readonly string[] = ['p1', 'p2']): CheckOptions => ({
  noDeadlock: false,
  alwaysPossible: {},
  eventually: { 'every write ends': (view) => names.every((name) => view.actor(name).status === 'done') },
});

export function explore(options: ProposalsOptions = {}, more: CheckOptions = {}): CheckResult {
  const { names = ['p1', 'p2'] } = options;
  const each =
    (property: (seen: Seen) => boolean): Predicate =>
    (view) =>
      names.every((name) => property(look(view, name)));
  const isOver = ({ proposal }: Seen) => proposal.status === 'done';
  const wereAll: Predicate = (view) => names.every((name) => view.actor(name).status !== 'stopped');
  return check(proposals(options), {
    always: {
      'a waiter is freed once, when its write ends': each((seen) => seen.settled === (isOver(seen) ? 1 : 0)),
      'a write is applied at most once': each((seen) => seen.applied <= 1),
      'what was not started is never applied': each(
        (seen) => seen.started === 'unknown' || seen.applied === 0,
      ),
      'what succeeded was applied': each((seen) => !seen.proposal.in('succeeded') || seen.applied === 1),
      'what failed was not applied': each((seen) => !seen.proposal.in('failed') || seen.applied === 0),
      'what ended waits in no queue': each((seen) => !isOver(seen) || !seen.isQueued),
    },
    alwaysPossible: { 'every write ends': (view) => wereAll(view) && each(isOver)(view) },
    noDeadlock: (view) => wereAll(view) && !each(isOver)(view),
    ...more,
  });
}
