// The model checker: distinct and generated states per second and bytes per stored state, beside `xstate/graph`.
// Bytes are given twice. Counted: all tables that the search itself accounts for (states, predecessors, hash table, edges,
// with 1.5 KiB for each local state), at the end of the search. Measured: by how much heap and buffers of the process grew
// from half of the states to all of them, after garbage collections, for each state of that half; local states hardly
// grow any more by then, and no row is given below 100 000 states, where a collection's own noise is as large.
// One thread. On connection × session three tenths of the time go into local states, which workers would each work out for
// themselves or agree on one by one, and of ten states that are made nine are known: half of all would go to the other
// worker's part of the table. So two cores could gain 1.5 times at the very most, before anything is sent.
// Invariant: every run must see its exact number of states, else there is no row.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setup, type AnyStateMachine } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { createSearch, defineSystem } from '../../src/checker/index.ts';
import type { CheckOptions, SystemDefinition } from '../../src/checker/index.ts';
import { fleet, type FleetOptions } from '../checks/fleet.ts';
import { owed, recovery, sessionProperties, socketProperties } from '../checks/properties.ts';
import { handshake, swallowed } from '../checks/systems.ts';
import { consistent, twoPhaseCommit } from '../checks/textbook/two-phase-commit.ts';
import { median } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

interface Load {
  readonly name: string;
  readonly states: number;
  readonly definition: SystemDefinition;
  readonly options: CheckOptions;
}

interface Run {
  readonly states: number;
  readonly generated: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  /** A state, by the search's own account. */
  readonly countedBytes: number;
  /** A state of the second half; undefined where it would be noise. */
  readonly measuredBytes: number | undefined;
}

/** Below so many states a measured number of bytes a state is noise. */
const LEAST_MEASURED = 100_000;

const safety: CheckOptions = {
  always: { ...socketProperties(), ...sessionProperties() },
  noDeadlock: owed(),
};

const TIMEOUTS = ['connectionTimeout', 'syncTimeout', 'sessionGrace'];
/** Every fair run gets connected and online again: time-outs are few, since for ever too early ones are a lasso. */
const twoCuts: FleetOptions = {
  breaks: { cut: 'cut', refuse: true },
  budgets: { cut: 2, timeout: 2 },
  fires: (_actor, delay) => (TIMEOUTS.includes(delay) ? 'timeout' : delay === 'backoffDelay'),
};

/** `count` rings of `size` states, each of which may turn at any time: size to the power of count states. */
function rings(count: number, size: number): SystemDefinition {
  const states = Array.from({ length: size }, (_, i) => [`s${i}`, { on: { turn: `s${(i + 1) % size}` } }]);
  const machine: AnyStateMachine = setup({ types: {} as { events: { type: 'turn' } } }).createMachine({
    id: 'ring',
    initial: 's0',
    states: Object.fromEntries(states) as Record<string, object>,
  });
  const names = Array.from({ length: count }, (_, i) => `ring ${i + 1}`);
  const turn = (actor: string) => ({ outputs: [{ tell: actor, event: { type: 'turn' } }] });
  return defineSystem({
    actors: Object.fromEntries(names.map((name) => [name, { machine }])),
    actions: Object.fromEntries(names.map((name) => [`turn ${name}`, turn(name)])),
    route: () => [],
  });
}

const RING = 20;

/** The same states as one machine with three regions, for a tool that knows no composition. */
const region = (event: string) => ({
  initial: 's0',
  states: Object.fromEntries(
    Array.from({ length: RING }, (_, i) => [`s${i}`, { on: { [event]: `s${(i + 1) % RING}` } }]),
  ),
});
const regions = setup({ types: {} as { events: { type: 'a' | 'b' | 'c' } } }).createMachine({
  id: 'rings',
  type: 'parallel',
  states: { a: region('a'), b: region('b'), c: region('c') },
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Heap, and what hangs on it outside. */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** One complete search. Garbage is collected, and memory measured, outside of the times. */
function search({ name, states, definition, options }: Load): Run {
  const running = createSearch(definition, { maxStates: 100_000_000, ...options });
  let [elapsedMs, cpuMs] = [0, 0];
  const timed = (work: () => void) => {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    work();
    const { user, system } = process.cpuUsage(cpu);
    elapsedMs += performance.now() - began;
    cpuMs += (user + system) / 1_000;
  };
  collectGarbage();
  timed(() => {
    while (running.progress().states < states / 2 && running.run(1_000) === 'running');
  });
  const midway = { states: running.progress().states, bytes: heldBytes() };
  timed(() => running.run());
  const result = running.result();
  if (!result.complete || result.states !== states)
    throw new Error(`${name}: ${result.states} states instead of ${states}; ${result.violation?.text ?? ''}`);
  const grown = heldBytes() - midway.bytes;
  return {
    states,
    generated: result.generated,
    elapsedMs,
    cpuMs,
    countedBytes: running.progress().memoryBytes / states,
    measuredBytes: states < LEAST_MEASURED ? undefined : grown / (states - midway.states),
  };
}

function graph(): number {
  const began = performance.now();
  const states = Object.keys(
    getAdjacencyMap(regions, { events: [{ type: 'a' }, { type: 'b' }, { type: 'c' }] }),
  ).length;
  if (states !== RING ** 3) throw new Error(`xstate/graph saw ${states} states instead of ${RING ** 3}`);
  return (states * 1_000) / (performance.now() - began);
}

const commit = (count: number, states: number): Load => ({
  name: `two-phase commit of ${count}`,
  states,
  definition: twoPhaseCommit(count),
  options: { always: { consistent: consistent(count) } },
});

/** The counts of TLC for the same specification. */
const GROWTH: readonly (readonly [number, number])[] = [
  [5, 8_832],
  [6, 50_816],
  [7, 296_448],
  [8, 1_745_408],
  [9, 10_340_352],
];

function rowsOf({ name }: Load, runs: readonly Run[]): Row[] {
  const row = (what: string, unit: string, values: readonly number[]): Row[] =>
    values.length === 0 ? [] : [{ name: `${name}@${what}`, value: median(values), unit, ratio: null }];
  return [
    ...row(
      'distinct',
      'states/s',
      runs.map((run) => (run.states * 1_000) / run.elapsedMs),
    ),
    ...row(
      'generated',
      'states/s',
      runs.map((run) => (run.generated * 1_000) / run.elapsedMs),
    ),
    ...row(
      'memory counted',
      'bytes/state',
      runs.map(({ countedBytes }) => countedBytes),
    ),
    ...row(
      'memory measured',
      'bytes/state',
      runs.flatMap(({ measuredBytes }) => measuredBytes ?? []),
    ),
  ];
}

/**
 * Rows `<system>@distinct|generated|memory …`, the same system at five sizes, and a small space beside `xstate/graph`.
 * Subjects: connection, eventually, growth, graph, and `fifty-million`, which takes minutes and runs only when named.
 */
export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const wanted = (subject: string) =>
    only === undefined ? subject !== 'fifty-million' : only.includes(subject);
  const rows: Row[] = [];
  const measure = (load: Load, times: number): Run[] =>
    Array.from({ length: times }, (_, i) => {
      const done = search(load);
      say(
        `round ${i + 1}/${times}  ${load.name.padEnd(40)} ${Math.round((done.states * 1_000) / done.elapsedMs)} states/s, ` +
          `${Math.round((done.states * 1_000) / done.cpuMs)} a second of processor time`,
      );
      return done;
    });
  const own: Load = quick
    ? { name: 'connection × session', states: 45_112, definition: fleet(handshake), options: safety }
    : { name: 'connection × session', states: 395_620, definition: fleet(swallowed), options: safety };
  if (wanted('connection')) rows.push(...rowsOf(own, measure(own, rounds)));
  if (wanted('eventually')) {
    const base: Load = { ...own, name: 'two cuts', states: 61_316, definition: fleet(twoCuts) };
    const load: Load = {
      ...base,
      name: 'two cuts with alwaysEventually',
      options: { ...safety, alwaysEventually: recovery() },
    };
    rows.push(...rowsOf(base, measure(base, rounds)));
    rows.push(...rowsOf(load, measure(load, rounds)));
  }
  if (wanted('growth')) {
    for (const [count, states] of quick ? GROWTH.slice(0, 2) : GROWTH) {
      const load = commit(count, states);
      rows.push(...rowsOf({ ...load, name: `two-phase commit, ${states} states` }, measure(load, 1)));
    }
  }
  if (wanted('fifty-million')) rows.push(...fiftyMillion(measure));
  if (wanted('graph')) rows.push(...besideGraph(measure, rounds, say));
  return rows;
}

/** More than 50 million states that are cheap to make: five rings of 35. `@peak` is the most memory the process ever had. */
function fiftyMillion(measure: (load: Load, times: number) => Run[]): Row[] {
  const load: Load = { name: 'five rings of 35', states: 35 ** 5, definition: rings(5, 35), options: {} };
  const rows = rowsOf(load, measure(load, 1));
  const peak = process.resourceUsage().maxRSS / 2 ** 20;
  return [...rows, { name: `${load.name}@peak`, value: peak, unit: 'GiB', ratio: null }];
}

function besideGraph(
  measure: (load: Load, times: number) => Run[],
  rounds: number,
  say: BenchOptions['say'],
): Row[] {
  const load: Load = { name: 'three rings', states: RING ** 3, definition: rings(3, RING), options: {} };
  const runs = measure(load, rounds);
  const peers = Array.from({ length: rounds }, (_, i) => {
    const rate = graph();
    say(`round ${i + 1}/${rounds}  ${'xstate/graph'.padEnd(40)} ${Math.round(rate)} states/s`);
    return rate;
  });
  const peer = median(peers);
  return rowsOf(load, runs)
    .map((row) => (row.name.endsWith('@distinct') ? { ...row, ratio: row.value / peer } : row))
    .concat({ name: 'three rings, xstate/graph@distinct', value: peer, unit: 'states/s', ratio: 1 });
}
