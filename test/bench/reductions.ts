// How many states symmetry leaves of our systems and the textbook's, and how many steps partial order leaves.
// Invariant: a reduced search that does not end complete, like the full one, gives no row.

import { check, inNameOrder } from '../../src/checker/index.ts';
import type { CheckOptions, CheckResult, SystemDefinition } from '../../src/checker/index.ts';
import { fleet } from '../checks/fleet.ts';
import { allOnline, joining, joinProperties } from '../checks/joins.ts';
import { owed, sessionProperties, socketProperties } from '../checks/properties.ts';
import { handshake, joins } from '../checks/systems.ts';
import { consistent, managers, twoPhaseCommit } from '../checks/textbook/two-phase-commit.ts';
import { agreement, paxosServers, validity } from '../checks/textbook/paxos.ts';
import { linearizable, putThenGet, registerSystem } from '../checks/textbook/register-clients.ts';
import { replicas, singleCopy } from '../checks/textbook/registers.ts';
import type { BenchOptions, Row } from './rows.ts';

interface Subject {
  readonly name: string;
  readonly definition: SystemDefinition;
  readonly options: CheckOptions;
}

function commit(count: number): Subject {
  const definition = {
    ...twoPhaseCommit(count),
    symmetry: { groups: [managers(count)], arrange: inNameOrder() },
  };
  return {
    name: `two-phase commit of ${count}`,
    definition,
    options: { always: { consistent: consistent(count) } },
  };
}

function joinsOf(nodes: readonly string[]): Subject {
  const definition = {
    ...joining(nodes, joins),
    symmetry: { groups: [nodes], arrange: inNameOrder('instance') },
  };
  const options = {
    always: joinProperties(nodes),
    noDeadlock: (view: Parameters<ReturnType<typeof allOnline>>[0]) => !allOnline(nodes)(view),
  };
  return { name: `joins of ${nodes.length}`, definition, options };
}

/** No symmetry: ballots and stamps compare servers by name, and each client puts a value of its own. */
const paxos: Subject = {
  name: 'Paxos of 3',
  definition: registerSystem(paxosServers(3), putThenGet(2)),
  options: { always: { agreement: agreement(3), validity: validity(3, ['A', 'B']), linearizable } },
};

function register(name: string, ...of: Parameters<typeof registerSystem>): Subject {
  return {
    name: `${name} register`,
    definition: registerSystem(...of),
    options: { always: { linearizable } },
  };
}

const registers = [
  register('single-copy', [singleCopy('s0')], putThenGet(2)),
  register('replicated (2)', replicas(2), putThenGet(2)),
  register('replicated (3)', replicas(3), [[{ put: 'A' }], ['get']]),
];

const session: Subject = {
  name: 'connection × session',
  definition: fleet(handshake),
  options: { always: { ...socketProperties(), ...sessionProperties() }, noDeadlock: owed() },
};

function timed(
  { name, definition, options }: Subject,
  how: CheckOptions,
): CheckResult & { elapsedMs: number } {
  const began = performance.now();
  const result = check(definition, { ...options, ...how });
  if (!result.complete)
    throw new Error(`${name}: the search is not complete; ${result.violation?.text ?? ''}`);
  return { ...result, elapsedMs: performance.now() - began };
}

function rowsOf(subject: Subject, say: BenchOptions['say']): Row[] {
  const { name, definition } = subject;
  const full = timed(subject, { symmetry: false });
  const rows: Row[] = [{ name: `${name}@full`, value: full.states, unit: 'states', ratio: 1 }];
  const add = (how: string, options: CheckOptions) => {
    const reduced = timed(subject, options);
    const times = (reduced.elapsedMs / full.elapsedMs).toFixed(2);
    say(
      `${name.padEnd(24)} ${how.padEnd(28)} ${reduced.states} of ${full.states} states, ` +
        `${reduced.generated} of ${full.generated} steps, ${times} x the time`,
    );
    rows.push(
      { name: `${name}@${how}`, value: reduced.states, unit: 'states', ratio: full.states / reduced.states },
      {
        name: `${name}@${how}`,
        value: reduced.generated,
        unit: 'steps',
        ratio: full.generated / reduced.generated,
      },
    );
  };
  add('partial order', { symmetry: false, partialOrder: true });
  if (definition.symmetry === undefined) return rows;
  add('symmetry', { symmetry: true });
  add('symmetry and partial order', { symmetry: true, partialOrder: true });
  return rows;
}

/** Rows `<system>@full|partial order|symmetry|…` in states and steps; the ratio is the factor of the reduction. */
export async function run({ quick, say }: BenchOptions): Promise<Row[]> {
  const subjects = quick
    ? [commit(3), ...registers.slice(0, 2), joinsOf(['a', 'b'])]
    : [commit(5), commit(7), paxos, ...registers, joinsOf(['a', 'b']), joinsOf(['a', 'b', 'c']), session];
  return subjects.flatMap((subject) => rowsOf(subject, say));
}
