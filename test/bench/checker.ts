// The model checker: distinct and generated states per second and bytes per stored state, beside `xstate/graph`.
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
  readonly heapBytes: number;
}

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

/** A ring of `size` states; three of them make size³ composed states. */
const RING = 20;
const ringStates = Object.fromEntries(
  Array.from({ length: RING }, (_, i) => [`s${i}`, { on: { turn: `s${(i + 1) % RING}` } }]),
);
const ring: AnyStateMachine = setup({ types: {} as { events: { type: 'turn' } } }).createMachine({
  id: 'ring',
  initial: 's0',
  states: ringStates,
});
const turn = (actor: string) => ({ outputs: [{ tell: actor, event: { type: 'turn' } }] });
const threeRings = defineSystem({
  actors: { a: { machine: ring }, b: { machine: ring }, c: { machine: ring } },
  actions: { 'turn a': turn('a'), 'turn b': turn('b'), 'turn c': turn('c') },
  route: () => [],
});

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

function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** One complete search, with all that it holds measured while it still holds it. */
function search({ name, states, definition, options }: Load): Run {
  const before = heapBytes();
  const running = createSearch(definition, { maxStates: 50_000_000, ...options });
  const began = performance.now();
  running.run();
  const elapsedMs = performance.now() - began;
  const result = running.result();
  if (!result.complete || result.states !== states)
    throw new Error(`${name}: ${result.states} states instead of ${states}; ${result.violation?.text ?? ''}`);
  const held = heapBytes() - before;
  return {
    states,
    generated: result.generated,
    elapsedMs,
    heapBytes: running.progress().states === states ? held : 0,
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

function rowsOf(load: Load, runs: readonly Run[]): Row[] {
  const rate = (count: (run: Run) => number) =>
    median(runs.map((run) => (count(run) * 1_000) / run.elapsedMs));
  return [
    { name: `${load.name}@distinct`, value: rate((run) => run.states), unit: 'states/s', ratio: null },
    { name: `${load.name}@generated`, value: rate((run) => run.generated), unit: 'states/s', ratio: null },
    {
      name: `${load.name}@memory`,
      value: median(runs.map((run) => run.heapBytes / run.states)),
      unit: 'bytes/state',
      ratio: null,
    },
  ];
}

/** Rows `<system>@distinct|generated|memory`, `growth-<states>@…`, and the same small space beside `xstate/graph`. */
export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const wanted = (subject: string) => only === undefined || only.includes(subject);
  const rows: Row[] = [];
  const measure = (load: Load, times: number): Run[] =>
    Array.from({ length: times }, (_, i) => {
      const done = search(load);
      say(
        `round ${i + 1}/${times}  ${load.name.padEnd(40)} ${Math.round((done.states * 1_000) / done.elapsedMs)} states/s`,
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
  if (wanted('graph')) rows.push(...besideGraph(measure, rounds, say));
  return rows;
}

function besideGraph(
  measure: (load: Load, times: number) => Run[],
  rounds: number,
  say: BenchOptions['say'],
): Row[] {
  const load: Load = { name: 'three rings', states: RING ** 3, definition: threeRings, options: {} };
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
