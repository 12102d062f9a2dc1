// What must hold of endpoints and their queue.
// Invariant: a property reads the state and nothing else.
import { check } from '../../../src/checker/index.ts';
import type {
  CheckOptions,
  CheckResult,
  LeadsTo,
  Predicate,
  Predicates,
  View,
} from '../../../src/checker/index.ts';
import { pool, QUEUE, WITNESS, type PoolOptions, type Testimony } from './pool.ts';

interface Entry {
  readonly endpoint: string;
  readonly phase: string;
}

/** Those that are in. */
function entriesOf(view: View): readonly Entry[] {
  const { control } = view.actor(QUEUE);
  return (control['entries'] as Entry[]).filter(({ phase }) => phase !== 'out');
}

const isOut = (view: View, name: string) =>
  ['ejected', 'probing', 'rising'].some((state) => view.actor(name).in(state));
const isProbed = (view: View, name: string) =>
  ['probing', 'rising'].some((state) => view.actor(name).in(state));

function always({ names = ['a'], slots = 1 }: PoolOptions): Predicates {
  return {
    'what serves was proven, what is ejected had failed, and one probe runs at a time': (view) =>
      view.model<Testimony>(WITNESS).wrong === '',
    'an endpoint is in the queue once if it is out of service, and else not at all': (view) =>
      names.every((name) => {
        const entries = entriesOf(view).filter(({ endpoint }) => endpoint === name);
        return entries.length === (isOut(view, name) ? 1 : 0);
      }),
    'who has a slot is probed, and nobody else': (view) =>
      names.every((name) => {
        const phase = entriesOf(view).find(({ endpoint }) => endpoint === name)?.phase;
        return (phase === 'probing') === isProbed(view, name);
      }),
    'no more are probed than there are slots': (view) =>
      names.filter((name) => isProbed(view, name)).length <= slots,
  };
}

const isHeld = (view: View, name: string) =>
  entriesOf(view).some(({ endpoint, phase }) => endpoint === name && phase === 'held');

/** On every fair run. */
function probed({ names = ['a'] }: PoolOptions): Readonly<Record<string, LeadsTo>> {
  return Object.fromEntries(
    names.map((name) => [
      `${name}, when it is ejected, is probed in the end`,
      {
        from: (view: View) => view.actor(name).in('ejected') && !isHeld(view, name),
        to: (view: View) => !view.actor(name).in('ejected') || isHeld(view, name),
      },
    ]),
  );
}

/** The counters of the one endpoint, beside what happened. */
export const exact: Predicate = (view) => {
  const { counts } = view.model<Testimony>(WITNESS);
  const ledger = view.actor('a').control['ledger'] as Record<string, number>;
  const probes = ledger['staleEvents']! - counts.late;
  return (
    ledger['totalRequests'] === counts.ended &&
    ledger['failedRequests'] === counts.failed &&
    ledger['consecutiveFailures'] === counts.streak &&
    // What is stale beyond attempts are answers of probes that nobody waited for.
    probes >= 0 &&
    probes <= ledger['probes']!
  );
};

export const everyState = (states: readonly string[]): Predicates =>
  Object.fromEntries(states.map((state) => [state, (view: View) => view.actor('a').in(state)]));

export function explore(options: PoolOptions = {}, more: CheckOptions = {}): CheckResult {
  const { names = ['a'] } = options;
  const { remove, elapse } = options.budgets ?? {};
  const mayEnd = remove !== undefined || elapse !== undefined || (options.maxVerifications ?? 0) > 0;
  const recovers: Predicate = (view) =>
    names.every((name) => ['healthy', 'suspect'].some((state) => view.actor(name).in(state)));
  return check(pool(options), {
    ...more,
    always: { ...always(options), ...more.always },
    alwaysPossible: mayEnd ? {} : { 'all serve again': recovers },
  });
}

/** The same, and everything that is ejected is probed on every fair run. */
export const exploreFair = (options: PoolOptions = {}): CheckResult =>
  explore(options, { leadsTo: probed(options) });
