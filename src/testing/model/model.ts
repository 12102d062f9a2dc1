// The test model of a machine: its paths, what they cover, and how to test one of them.
// Invariant: the machine is not run and not changed; all that is known of it comes from stepping it as a value.
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { EventCases } from './cases.ts';
import { coverageOf, type Coverage } from './coverage.ts';
import { goalKey, Goals, type CoverageCriterion } from './goals.ts';
import { explore, type Graph, type StateSerializer } from './graph.ts';
import { middlesIn, type Middle } from './middles.ts';
import { moveOf } from './moves.ts';
import { PathFailure } from './report.ts';
import { runPath } from './run.ts';
import { withScriptedActors, type Scripts } from './scripts.ts';
import {
  coveredBy,
  replay,
  select,
  shortestPaths,
  simplePaths,
  withoutPrefixes,
  type Taken,
} from './select.ts';
import { shrink } from './shrink.ts';
import { createStepper, type Stepper } from './stepper.ts';
import { labelOf, START, type ExpectedStep, type Move, type StepNotation, type TestStep } from './steps.ts';
import {
  matchesState,
  missingIn,
  sutOf,
  type StateMatcher,
  type Sut,
  type SutPath,
  type TestParams,
} from './sut.ts';
import { stateInWords } from './words.ts';

export interface TestModelOptions {
  /** Input of the machine. @default undefined */
  readonly input?: unknown;
  /** Cases of events. @default every handled type once, without fields */
  readonly events?: EventCases;
  /** What invoked actors do. @default each ends without output, and fails, where the machine handles it */
  readonly scripts?: Scripts;
  /** @default 'transitions' */
  readonly coverage?: CoverageCriterion;
  /**
   * 'middles': also what happens when half of a delay is over, for every transition and running delay, and then time
   * enough to tell a delay that was ended or started anew from one that was left running. @default 'ends'
   */
  readonly timing?: 'ends' | 'middles';
  /** No more paths than this. @default 200 */
  readonly maxPaths?: number;
  /** No path has more steps than this. @default 50 */
  readonly maxDepth?: number;
  /** No more states than this are looked into. @default 2000 */
  readonly maxStates?: number;
  /** States with the same text are taken for the same. @default value, context, history, actors and what is left of delays */
  readonly serializeState?: StateSerializer;
  /** Whether an assertion's key is for a state. @default `state.matches(key)`; `#id` by the id of a state */
  readonly stateMatcher?: StateMatcher;
  /** How often a failing path may be run again to make it shorter; 0 leaves it as it is. @default 200 */
  readonly maxShrinkRuns?: number;
}

/** A path from the start of the machine. */
export interface TestPath extends SutPath {
  /** The state at its end. */
  readonly state: AnyMachineSnapshot;
  /** Its first step is the start (`xstate.init`). */
  readonly steps: readonly TestStep[];
  /** Number of steps after the start. */
  readonly weight: number;
  /** Runs it with executors and assertions. @throws PathFailure with the shortest failing path */
  readonly test: (params: TestParams) => Promise<void>;
}

export interface Plan {
  readonly paths: readonly TestPath[];
  readonly coverage: Coverage;
}

const noneMissing = (): undefined => undefined;

export class TestModel {
  readonly machine: AnyStateMachine;
  readonly options: TestModelOptions;
  readonly #stepper: Stepper;
  readonly #scripted: AnyStateMachine;
  readonly #limits: { readonly maxPaths: number; readonly maxDepth: number; readonly maxStates: number };
  #full: Graph | undefined;

  constructor(machine: AnyStateMachine, options: TestModelOptions = {}) {
    this.machine = machine;
    this.options = options;
    this.#scripted = withScriptedActors(machine);
    this.#stepper = createStepper(this.#scripted, options.input);
    const { maxPaths = 200, maxDepth = 50, maxStates = 2_000 } = options;
    this.#limits = { maxPaths, maxDepth, maxStates };
  }

  /** Paths that together cover what `coverage` asks for. */
  getPaths(options: { readonly coverage?: CoverageCriterion } = {}): readonly TestPath[] {
    return this.plan(options).paths;
  }

  /**
   * Paths, and what they cover.
   * @param options `sut`: only what its executors can do is tried
   */
  plan<Instance>(
    options: { readonly coverage?: CoverageCriterion; readonly sut?: Sut<Instance> } = {},
  ): Plan {
    const { sut } = options;
    const goals = this.#goals(options.coverage);
    const missing = sut === undefined ? noneMissing : (move: Move) => missingIn(sut, move);
    const graph = sut === undefined ? this.#graph() : this.#explored(missing);
    const middles = this.#middles(graph, goals, missing);
    const selection = select(this.#stepper, graph, goals, this.#limits, middles);
    const paths = selection.paths.map((path) => this.#path(path, goals));
    const found = selection.reachable;
    const facts = {
      goals,
      graph,
      covered: selection.covered,
      reachable: new Set([...found.map(goalKey), ...this.#begun(goals)]),
      leftOut: selection.leftOut,
      maxPaths: this.#limits.maxPaths,
      scripts: this.options.scripts ?? {},
    };
    return { paths, coverage: coverageOf(facts, found) };
  }

  /** What these paths of this model cover. */
  coverage(paths: readonly TestPath[], criterion?: CoverageCriterion): Coverage {
    const goals = this.#goals(criterion);
    const graph = this.#graph();
    const middles = this.#middles(graph, goals, noneMissing);
    const { reachable } = select(this.#stepper, graph, goals, this.#limits, middles);
    const covered = new Set(
      paths.flatMap((path) => {
        const taken = replay(this.#stepper, path.steps.slice(1));
        return typeof taken === 'string' ? [] : coveredBy(taken, goals);
      }),
    );
    const facts = {
      goals,
      graph,
      covered,
      reachable: new Set(reachable.map(goalKey)),
      leftOut: new Set<string>(),
      maxPaths: this.#limits.maxPaths,
      scripts: this.options.scripts ?? {},
    };
    return coverageOf(facts, reachable);
  }

  /** A shortest path to every state: to every value, context and history that the bounds allow. */
  getShortestPaths(options: { readonly allowDuplicatePaths?: boolean } = {}): readonly TestPath[] {
    return this.#paths(shortestPaths(this.#stepper, this.#graph()), options);
  }

  /** Paths to every state that pass no state twice; no more than `maxPaths`. */
  getSimplePaths(options: { readonly allowDuplicatePaths?: boolean } = {}): readonly TestPath[] {
    return this.#paths(simplePaths(this.#stepper, this.#graph(), this.#limits), options);
  }

  /**
   * The path of these steps, each alone or with the state that it should lead to: `[{ type: 'submit' }, 'form.saving']`.
   * @throws Error when the machine cannot take one of them there, or comes to another state
   */
  getPathsFromEvents(steps: readonly (StepNotation | ExpectedStep)[]): readonly [TestPath] {
    const path: Taken[] = [{ move: START, state: this.#stepper.start() }];
    for (const [i, step] of steps.entries()) {
      const [notation, expected] = Array.isArray(step) ? (step as ExpectedStep) : [step as StepNotation];
      const { state } = path.at(-1) as Taken;
      try {
        const move = moveOf(state, notation);
        const next = this.#stepper.step(state, move);
        const reached = stateInWords(next.snapshot);
        if (expected !== undefined && reached !== expected)
          throw new Error(`${labelOf(move)} leads to ${reached}, not to ${expected}`);
        path.push({ move, state: next });
      } catch (error) {
        const where = `step ${i + 1} of ${steps.length} of ${this.machine.id}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
    }
    return [this.#path(path, this.#goals())];
  }

  /** Runs a path on a system; a failing one is made as short as possible. @throws PathFailure */
  async testPath<Instance>(path: SutPath, sut: Sut<Instance>): Promise<void> {
    const matcher = this.options.stateMatcher ?? matchesState;
    const failure = await runPath(sut, path, matcher);
    if (failure === undefined) return;
    const from = path.steps.length - 1;
    const { maxShrinkRuns = 200 } = this.options;
    if (maxShrinkRuns === 0) throw new PathFailure(path, failure);
    const shrunk = await shrink(path, failure, {
      sut,
      matcher,
      graph: this.#explored((move) => missingIn(sut, move)),
      maxRuns: maxShrinkRuns,
      pathOf: (moves) => {
        const taken = replay(this.#stepper, moves);
        return typeof taken === 'string' ? undefined : this.#path(taken, this.#goals());
      },
    });
    throw new PathFailure(shrunk.path, shrunk.failure, { from, runs: shrunk.runs });
  }

  #goals(criterion = this.options.coverage ?? 'transitions'): Goals {
    return new Goals(this.#scripted, criterion);
  }

  #middles(graph: Graph, goals: Goals, missing: (move: Move) => string | undefined): Middle[] {
    return this.options.timing === 'middles' ? middlesIn(graph, this.#stepper, goals, missing) : [];
  }

  #begun(goals: Goals): string[] {
    return coveredBy([{ move: START, state: this.#stepper.start() }], goals);
  }

  #graph(): Graph {
    this.#full ??= this.#explored(noneMissing);
    return this.#full;
  }

  #explored(missing: (move: Move) => string | undefined): Graph {
    const { events = {}, scripts = {}, serializeState } = this.options;
    return explore(this.#stepper, { events, scripts, serializeState, bounds: this.#limits, missing });
  }

  #paths(all: readonly (readonly Taken[])[], { allowDuplicatePaths = false }): TestPath[] {
    const goals = this.#goals();
    return (allowDuplicatePaths ? all : withoutPrefixes(all)).map((path) => this.#path(path, goals));
  }

  #path(taken: readonly Taken[], goals: Goals): TestPath {
    const steps = taken.map(({ move, state }): TestStep => ({
      ...move,
      state: state.snapshot,
      label: labelOf(move),
      transitions: goals.namesOf(state),
    }));
    const { state } = steps.at(-1) as TestStep;
    const how = steps.slice(1).map(({ label }) => label);
    const description = `reaches ${stateInWords(state)}: ${how.length === 0 ? 'start' : how.join(' → ')}`;
    const path = { state, steps, weight: steps.length - 1, description };
    return { ...path, test: (params) => this.testPath(path, sutOf(params)) };
  }
}

/**
 * A test model of a machine of XState v5. Delays, invoked actors, `always`, history and parallel states are all right.
 * @throws what the machine's own code throws when it starts, an `always` that never ends among it
 */
export function createTestModel(machine: AnyStateMachine, options: TestModelOptions = {}): TestModel {
  return new TestModel(machine, options);
}
