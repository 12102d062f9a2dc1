// Small random systems of alike actors around a hub, for tests that hold one way to search against another.
// Invariant: the actors are alike in everything but their names, so that every system has the symmetry that it claims.
import fc from 'fast-check';
import {
  defineSystem,
  model,
  type Channel,
  type CheckOptions,
  type Message,
  type Output,
  type SystemDefinition,
  type View,
} from '../../../src/checker/index.ts';
import { nothing } from './toys.ts';

interface Rule {
  readonly to: number;
  /** The actor's epoch grows. */
  readonly bump: boolean;
  /** How the hub hears of it, if it does. */
  readonly by: 'nothing' | 'bag' | 'line' | 'tell';
}
interface HubRule {
  readonly to: number;
  readonly answer: 'nobody' | 'sender' | 'all' | 'refuse';
  readonly by: 'bag' | 'tell';
}
interface Ways {
  readonly tick: boolean;
  readonly fault: boolean;
  readonly budget: boolean;
}

export interface RandomSystem {
  readonly actors: number;
  readonly rules: readonly { readonly tick: Rule; readonly message: Rule }[];
  readonly ways: readonly Ways[];
  readonly hub: readonly HubRule[];
  readonly bag: 'plain' | 'lossy' | 'losing' | 'copying' | 'kept' | 'waiting';
  readonly family: 'one' | 'each';
}

const at = fc.integer({ min: 0, max: 2 });
const rule = fc.record<Rule>({
  to: at,
  bump: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.boolean() }),
  by: fc.constantFrom('nothing', 'nothing', 'bag', 'line', 'tell'),
});
const three = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 3, maxLength: 3 });

export const randomSystems: fc.Arbitrary<RandomSystem> = fc.record({
  actors: fc.integer({ min: 2, max: 3 }),
  rules: three(fc.record({ tick: rule, message: rule })),
  ways: three(
    fc.record({
      tick: fc.oneof(
        { weight: 4, arbitrary: fc.constant(true) },
        { weight: 1, arbitrary: fc.constant(false) },
      ),
      fault: fc.boolean(),
      budget: fc.boolean(),
    }),
  ),
  hub: three(
    fc.record<HubRule>({
      to: at,
      answer: fc.constantFrom('nobody', 'nobody', 'sender', 'sender', 'all', 'all', 'refuse'),
      by: fc.constantFrom('bag', 'tell'),
    }),
  ),
  bag: fc.constantFrom('plain', 'lossy', 'losing', 'copying', 'kept', 'waiting'),
  family: fc.constantFrom('one', 'each'),
});

const BAGS: Record<RandomSystem['bag'], Channel> = {
  plain: { capacity: 2, lossy: true },
  lossy: { capacity: 3, lossy: true },
  losing: { capacity: 12, lossy: 'loss' },
  copying: { capacity: 12, duplicating: 'copy' },
  kept: { capacity: 24, delivered: 'kept' },
  waiting: { capacity: 12, ignored: 'stays' },
};

interface Actor {
  readonly at: number;
  readonly epoch: number;
}
interface Hub {
  readonly at: number;
  readonly last: string;
  readonly lastEpoch: number;
}

export const namesOf = ({ actors }: RandomSystem) => ['a', 'b', 'c'].slice(0, actors);

function actorOf(name: string, { rules, ways, bag }: RandomSystem) {
  return model<Actor>({
    initial: { at: 0, epoch: 0 },
    step(state, { type }) {
      const { to, bump, by } = rules[state.at]![type === 'tick' ? 'tick' : 'message'];
      // A set that only grows would never close with epochs in it.
      const epoch = bump && bag !== 'kept' ? state.epoch + 1 : state.epoch;
      const message = { type: 'report', who: name, at: 0, place: to, epoch };
      const outputs: Record<Rule['by'], Output[]> = {
        nothing: [],
        bag: [{ send: message, on: 'bag' }],
        line: [{ send: message, on: `line ${name}` }],
        tell: [{ tell: 'hub', event: message }],
      };
      return { state: { at: to, epoch }, outputs: outputs[by] };
    },
    choices(state) {
      const { tick, fault, budget } = ways[state.at]!;
      return tick ? [{ event: { type: 'tick' }, fault, ...(budget ? { budget: 'ticks' } : {}) }] : [];
    },
  });
}

function hubOf(names: readonly string[], { hub, bag }: RandomSystem) {
  return model<Hub>({
    initial: { at: 0, last: '', lastEpoch: 0 },
    step(state, event: Message) {
      const { to, answer, by } = hub[state.at]!;
      if (answer === 'refuse') return state.at === 2 && event['place'] === 2 ? undefined : { state };
      const who = event['who'] as string;
      // A lossy channel that is full would lose the answer to the one that is told last.
      const everyone = bag === 'plain' || bag === 'lossy' ? ['anyone'] : names;
      const hearers = { nobody: [], sender: [who], all: everyone }[answer];
      // An answer by word could be told for ever within one turn.
      const quiet = by === 'tell' && event['place'] !== 1;
      return {
        state: { at: to, last: who, lastEpoch: event['epoch'] as number },
        outputs: quiet ? [] : hearers.map((to_) => ({ send: { type: 'answer', to: to_ }, on: 'bag' })),
      };
    },
  });
}

/** The system, and nothing but what `check` takes. */
export function systemOf(random: RandomSystem): SystemDefinition {
  const names = namesOf(random);
  const line = { capacity: 2, lossy: true } as const;
  return defineSystem({
    actors: {
      ...Object.fromEntries(names.map((name) => [`actor ${name}`, actorOf(name, random)])),
      hub: hubOf(names, random),
    },
    channels: {
      bag: { order: 'unordered', ...BAGS[random.bag] },
      ...Object.fromEntries(names.map((name) => [`line ${name}`, line])),
    },
    budgets: { ticks: 4, loss: 1, copy: 1 },
    route: nothing,
    deliver(_, message) {
      if (message.type !== 'answer') return [{ to: 'hub', event: message }];
      const to = message['to'] as string;
      return (to === 'anyone' ? names : [to]).map((name) => ({
        to: `actor ${name}`,
        event: { type: 'answer' },
      }));
    },
    epochFamily: (_field, holder, part) =>
      random.family === 'one' ? 'epoch' : String(holder['who'] ?? holder['last'] ?? part.split(' ').at(-1)),
    symmetry: [names],
  });
}

/** Properties that tell no actor from another, one a search. */
export function propertiesOf(random: RandomSystem): CheckOptions[] {
  const places = (view: View) => namesOf(random).map((name) => view.model<Actor>(`actor ${name}`).at);
  const hubAt = (view: View) => view.model<Hub>('hub').at;
  return [
    { always: { 'not all at 2': (view) => !places(view).every((place) => place === 2) } },
    { sometimes: { 'one at 2, the hub at 1': (view) => hubAt(view) === 1 && places(view).includes(2) } },
    { noDeadlock: (view) => places(view).includes(1) },
    { alwaysPossible: { 'all at 0': (view) => places(view).every((place) => place === 0) } },
  ];
}

/** Liveness properties that tell no actor from another, one a search. */
export function livenessOf(random: RandomSystem): CheckOptions[] {
  const places = (view: View) => namesOf(random).map((name) => view.model<Actor>(`actor ${name}`).at);
  const hubAt = (view: View) => view.model<Hub>('hub').at;
  const oneAt2 = (view: View) => places(view).includes(2);
  const together = (view: View) => new Set(places(view)).size === 1 && hubAt(view) !== 0;
  return [
    { eventually: { 'one at 2': oneAt2 } },
    { eventually: { together } },
    { alwaysEventually: { 'one at 1': (view) => places(view).includes(1) } },
    {
      alwaysEventually: { 'not all at 0': (view) => places(view).some((place) => place !== 0) },
      faults: 'recur',
    },
    { leadsTo: { 'one at 2, then the hub elsewhere': { from: oneAt2, to: (view) => hubAt(view) !== 1 } } },
  ];
}
