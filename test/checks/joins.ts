// Several nodes that join one hub at once: what the fleet's system becomes, and what must hold of it.
// Invariant: every node has an id of its own, so nobody's coming online concerns another.
import {
  check,
  defineSystem,
  model,
  type ActorView,
  type CheckOptions,
  type CheckResult,
  type Message,
  type ModelActor,
  type Output,
  type Predicate,
  type SystemDefinition,
} from '../../src/checker/index.ts';
import { admitEach } from './door.ts';
import { fleet, look, type FleetOptions } from './fleet.ts';
import { numbersOf, type Numbers } from './names.ts';
import { sessionProperties, socketProperties } from './properties.ts';

const TALLY = 'tally';

/** What was said about the newest registration of a node, as often as it was said; 2 stands for more, too. */
interface Count extends Numbers {
  readonly instance: string;
  readonly synced: 0 | 1 | 2;
  readonly acknowledged: 0 | 1 | 2;
}

const COUNTED: Readonly<Record<string, 'synced' | 'acknowledged' | 'registered'>> = {
  sendRegistered: 'registered',
  sendSync: 'synced',
  acknowledgeSync: 'acknowledged',
};

/** Counts per registration. It begins anew with each, and when the hub forgets. */
function tally(instances: readonly string[]): ModelActor {
  const blank = (instance: string, numbers: Numbers): Count => ({
    instance,
    epoch: numbers.epoch,
    registrationEpoch: numbers.registrationEpoch,
    synced: 0,
    acknowledged: 0,
  });
  function counted(count: Count, event: Message): Count {
    const numbers = numbersOf(event);
    const isNewest = count.epoch === numbers.epoch && count.registrationEpoch === numbers.registrationEpoch;
    const what = COUNTED[event.type];
    if (what === 'registered') return isNewest ? count : blank(count.instance, numbers);
    // A node may still answer the sync of a registration that another followed.
    if (what === undefined || !isNewest) return count;
    return { ...count, [what]: Math.min(2, count[what] + 1) };
  }
  const nobody = instances.map((instance) => blank(instance, { epoch: 0, registrationEpoch: 0 }));
  return model<readonly Count[]>({
    initial: nobody,
    step: (counts, event) => ({
      state: counts.map((count) => (count.instance === event['instance'] ? counted(count, event) : count)),
    }),
  });
}

/** Nobody's rival: the others have other ids. */
const ownIds: NonNullable<FleetOptions['rules']> = { cameOnline: (directory) => ({ directory, orders: [] }) };

export function joining(instances: readonly string[], options: FleetOptions = {}): SystemDefinition {
  const base = fleet({ instances, admit: admitEach, rules: ownIds, ...options });
  return defineSystem({
    ...base,
    actors: { ...base.actors, [TALLY]: tally(instances) },
    route(actor, effect) {
      const outputs = base.route(actor, effect);
      if (outputs === undefined || !(effect.type in COUNTED)) return outputs;
      const instance = actor.split(' ').at(-1);
      const told: Output = {
        tell: TALLY,
        event: { type: effect.type, instance, ...numbersOf(effect.payload) },
      };
      return [told, ...outputs];
    },
  });
}

const counts = (view: Parameters<Predicate>[0]) => view.model<readonly Count[]>(TALLY);
const isOnline = ({ session, node }: { session: ActorView; node: ActorView }) =>
  session.in('online') && node.in('connected');

export const joinProperties = (instances: readonly string[]): Record<string, Predicate> => ({
  'a registration is synced at most once': (view) => counts(view).every(({ synced }) => synced <= 1),
  'nobody is online whose node did not acknowledge exactly one sync of that registration': (view) =>
    instances.every((instance, i) => {
      const count = counts(view)[i];
      return !look(view, instance).session.in('online') || (count?.synced === 1 && count.acknowledged === 1);
    }),
});

export const allOnline =
  (instances: readonly string[]): Predicate =>
  (view) =>
    instances.every((instance) => isOnline(look(view, instance)));

/** Not only possible: it comes, on every run in which nobody is kept from what they could do for ever. */
export const inTheEnd = (instances: readonly string[]): CheckOptions => ({
  noDeadlock: false,
  alwaysPossible: {},
  eventually: { 'all are online': allOnline(instances) },
});

export function join(
  instances: readonly string[],
  options: FleetOptions = {},
  more: CheckOptions = {},
): CheckResult {
  const { 'at most one instance of a node id takes work': _, ...ofSessions } = sessionProperties(instances);
  return check(joining(instances, options), {
    always: { ...socketProperties(instances), ...ofSessions, ...joinProperties(instances) },
    alwaysPossible: { 'all are online in the end': allOnline(instances) },
    noDeadlock: (view) => !allOnline(instances)(view),
    ...more,
  });
}
