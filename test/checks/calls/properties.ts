// What must hold of calls, said once for every system that is explored.
// Invariant: a property reads the state and nothing else.
import { check, type CheckOptions, type CheckResult, type Predicate } from '../../../src/checker/index.ts';
import { calls, look, type CallsOptions, type Fault } from './fleet.ts';

type Seen = ReturnType<typeof look>;

const FINAL = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost'];
const isOver = ({ call }: Seen) => FINAL.some((state) => call.in(state));

/** Not only possible: the call ends, on every run in which nobody is kept from what they could do for ever. */
export const endsInTheEnd = (slots: readonly string[] = ['n1']): CheckOptions => ({
  noDeadlock: false,
  alwaysPossible: {},
  eventually: { 'a call ends': (view) => isOver(look(view, slots)) },
});

export function explore(options: CallsOptions, more: CheckOptions = {}): CheckResult {
  const { slots = ['n1'], idempotent = 0, budgets = {} } = options;
  const holds =
    (property: (seen: Seen, view: Parameters<Predicate>[0]) => boolean): Predicate =>
    (view) =>
      property(look(view, slots), view);
  const wasSpent = (view: Parameters<Predicate>[0], name: Fault) => view.budget(name) < (budgets[name] ?? 0);
  const atMostOnce: Record<string, Predicate> = {
    'a call that is not idempotent is executed at most once': holds(({ happened }) => happened.began <= 1),
  };
  return check(calls(options), {
    always: {
      'a call ends once': holds(({ happened }) => happened.settled <= 1),
      ...(idempotent === 0 ? atMostOnce : {}),
      'what is called not started never began, and never begins': holds(
        (seen) => !isOver(seen) || seen.client.started !== 'notStarted' || seen.happened.began === 0,
      ),
      'a call is lost for good only when its node or its own link is gone, or nobody waited any longer':
        holds(
          (seen, view) =>
            !seen.call.in('lost') ||
            seen.client.started !== 'unknown' ||
            options.comeBack === 'at any time' ||
            (['nodeCrash', 'expire', 'evict', 'over'] as const).some((name) => wasSpent(view, name)),
        ),
      'a call that succeeded was executed to its end': holds(
        ({ call, happened }) => !call.in('succeeded') || happened.finished >= 1,
      ),
    },
    alwaysPossible: {
      'a call that no deadline ends comes to its end': holds(isOver),
      'nothing is kept of a call for ever': holds(
        (seen, view) =>
          view.budget('expire') === 0 ||
          (isOver(seen) &&
            seen.hub.calls.length === 0 &&
            seen.nodes.every(({ executions }) => executions.length === 0)),
      ),
    },
    noDeadlock: holds((seen) => !isOver(seen)),
    ...more,
  });
}
