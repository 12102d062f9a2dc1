// A lease and its holder: both machines of production with their delays, a store that crashes, a link that loses.
// Invariant: a property reads the state and nothing else.
import { check, defineSystem, model } from '../../../src/checker/index.ts';
import type {
  Channel,
  CheckOptions,
  CheckResult,
  Predicate,
  SystemDefinition,
} from '../../../src/checker/index.ts';
import { Both, choicesOf, DOWN, Turning, UP, type LeasesOptions, type World } from './lease-world.ts';
import { isIn } from './timed.ts';

const WORLD = 'world';

function leases(both: Both): SystemDefinition {
  const { options } = both;
  const none = { crash: 0, fail: 0, put: 0, release: 0, death: 0, drift: 0, pause: 0, revoke: 0 };
  const link: Channel = { order: 'unordered', lossy: true, duplicating: true, capacity: 2, ...options.link };
  return defineSystem({
    actors: {
      [WORLD]: model<World>({
        initial: both.initial,
        step(before, event) {
          const turn = new Turning(both, before);
          turn.hear(event);
          return { state: turn.now, outputs: turn.out };
        },
        choices: (world) => choicesOf(world, both),
      }),
    },
    channels: { [UP]: link, [DOWN]: link },
    budgets: { ...none, ...options.budgets },
    route: () => undefined,
    deliver: (_channel, event) => [{ to: WORLD, event }],
    epochFamily: (_field, { of }) => String(of),
  });
}

const look = (view: Parameters<Predicate>[0]): World => view.model<World>(WORLD);
const holds =
  (property: (world: World) => boolean): Predicate =>
  (view) =>
    property(look(view));

/** What the holder's own clock says, whatever its timers have done. */
function believes({ holder }: World, { ttl, margin }: Both['times']): boolean {
  if (typeof holder === 'string' || !isIn(holder, 'holding')) return false;
  return Number(holder.ledger['renewedAt']) + ttl - margin > 0;
}

const isOver = ({ stored, lease }: World) => stored.lease === 'gone' && lease === 'gone';

/** For each of these states, that the lease or the holder is some time in it. */
export const reached = (states: readonly string[]): Record<string, Predicate> =>
  Object.fromEntries(
    states.map((state) => [
      state,
      holds(({ lease, holder }) =>
        [lease, holder].some((one) => typeof one !== 'string' && isIn(one, state)),
      ),
    ]),
  );

const holding = ({ holder }: World) => typeof holder !== 'string' && isIn(holder, 'holding');

/** Not only possible: both ends come to know, on every run in which nobody is kept waiting for ever. */
export const endsInTheEnd: CheckOptions = {
  alwaysPossible: {},
  leadsTo: {
    'a lease whose holder is gone ends': {
      from: holds(({ holder }) => holder === 'gone'),
      to: holds(isOver),
    },
    'a holder whose lease is gone gives up': { from: holds(isOver), to: holds((world) => !holding(world)) },
  },
};

export function explore(options: LeasesOptions = {}, more: CheckOptions = {}): CheckResult {
  const both = new Both(options);
  const { longestServed, times } = both;
  const { pause = 0, revoke = 0 } = options.budgets ?? {};
  const gone = ({ stored }: World) => stored.lease === 'gone';
  // A holder that sleeps finds out when it wakes; of what others revoke it cannot know.
  const knows: Record<string, Predicate> = {
    'the holder has given up before the store gives its place to another': holds(
      (world) => !gone(world) || !holding(world),
    ),
  };
  const asked: Record<string, Predicate> = {
    'whoever asks the holder’s clock is told that it is over before it is': holds(
      (world) => !gone(world) || !believes(world, times),
    ),
  };
  const ends: Record<string, Predicate> = {
    'a lease that nobody keeps alive outlives its time by what restarts hide at most': holds(
      ({ served }) => served <= longestServed,
    ),
  };
  return check(leases(both), {
    always: {
      ...(pause + revoke > 0 ? {} : knows),
      ...(revoke > 0 ? {} : asked),
      ...(options.store === 'prompt' ? ends : {}),
      'a lease does not end by itself before its time since the last answered keepalive': holds(
        (world) => !gone(world) || world.end === 'asked for' || world.served >= times.ttl,
      ),
      'no key is without its lease': holds((world) => !gone(world) || world.stored.keys === 0),
    },
    alwaysPossible: { 'the lease ends': holds(isOver) },
    ...more,
  });
}
