// The options of a trainer, their defaults, and what makes them invalid.
// Invariant: checked once, when the trainer is made, by an error that names option, value and remedy.
import type { GateTimes } from '../../machines/gate.ts';
import type { RoundTimes } from '../../machines/round.ts';
import type { TransitionSink } from '../engine/transition-record.ts';
import type { Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { defaults } from '../protocol/limits.ts';
import type { Store } from '../store/contract.ts';
import type { Strategy, TrainingConfig, TrainingMetrics, Weights } from './contract.ts';
import type { RoundReport, TrainingEvent, TrainingResult } from './events.ts';
import { fedAvg } from './strategies/fed-avg.ts';
import { checkModel, copyWeights } from './weights.ts';

/** How many nodes training needs, and how long it waits for them. All durations are milliseconds. */
export interface GateOptions extends Partial<GateTimes> {
  /** With fewer nodes, online and with the model, training pauses. @default what a round needs: minNodes or roundQuorum, else 1 */
  readonly minNodes?: number | undefined;
  /** A pause, and the wait at the beginning, end with so many. @default minNodes */
  readonly resumeNodes?: number | undefined;
}

export interface TrainerOptions {
  /** Where the model, the optimizer's state, the history and the gate's budget are kept. You close it. */
  readonly store: Store;
  /** Name of the training run; each has its own checkpoint. @default 'default' */
  readonly run?: string | undefined;
  /** The model to begin with. A run that is resumed goes on with the one that it has. */
  readonly model: Weights;
  /** How many rounds to commit, those before a resume included. */
  readonly rounds: number;
  /** Goes on from the checkpoint of this run, if there is one; without it a checkpoint is an error. @default false */
  readonly resume?: boolean | undefined;
  /** @default fedAvg() */
  readonly strategy?: Strategy | undefined;
  readonly gate?: GateOptions | undefined;
  /** Share of the nodes that count which is asked in a round, above 0, at most 1. @default 1 */
  readonly fraction?: number | undefined;
  /** So many are asked at least; at most gate.minNodes. @default gate.minNodes × fraction, rounded up, or roundQuorum */
  readonly minNodes?: number | undefined;
  /** No more are asked. @default no limit */
  readonly maxNodes?: number | undefined;
  /** Updates that it takes to commit a round. @default minNodes */
  readonly roundQuorum?: number | undefined;
  /** For the round quorum to answer, in milliseconds; then the round is abandoned, and done again. @default 300000 */
  readonly deadlineMs?: number | undefined;
  /**
   * How long a round with its quorum waits for the others, in milliseconds; and one without it for nodes whose link broke, when it needs
   * them. @default 10000
   */
  readonly stragglerGraceMs?: number | undefined;
  /** Attempts at one round, those that a pause ended aside; then training terminates. 0 = for ever. @default 10 */
  readonly maxAttempts?: number | undefined;
  /** Sent to nodes with each task, as JSON. @default {} */
  readonly config?: TrainingConfig | undefined;
  /**
   * Of the choice of participants: the same seed chooses the same among the same. A whole number. @default that of the run that is
   * resumed, else 0
   */
  readonly seed?: number | undefined;
  /** Evaluates a committed model in this process, on a copy. @default none */
  readonly evaluate?:
    | ((weights: Weights, round: number) => TrainingMetrics | Promise<TrainingMetrics>)
    | undefined;
  /** Rounds from one evaluation to the next, here and on the nodes that offer one; the last round is evaluated always. 0 = never. @default 1 */
  readonly evaluateEvery?: number | undefined;
  /** Gets the model at the end, whatever the end is; training has ended when it is done. @default nothing */
  readonly deliver?: ((result: TrainingResult) => void | Promise<void>) | undefined;
  /** After each committed round. @default nothing */
  readonly onRound?: ((report: RoundReport) => void) | undefined;
  /** What happens between rounds: the gate, rounds that are abandoned, updates that are refused. @default nothing */
  readonly onEvent?: ((event: TrainingEvent) => void) | undefined;
  /** Ends training as `stop` does. */
  readonly signal?: AbortSignal | undefined;
  /** @default a log on standard error */
  readonly log?: Log | undefined;
  /**
   * Gets a record of each event that the gate and the rounds took; it must read the record at once. @default none, which costs
   * nothing
   */
  readonly transitions?: TransitionSink | undefined;
}

export interface ResolvedTrainerOptions {
  readonly run: string;
  readonly model: Weights;
  readonly rounds: number;
  readonly strategy: Strategy;
  readonly gate: GateTimes & { readonly minNodes: number; readonly resumeNodes: number };
  readonly fraction: number;
  readonly minNodes: number;
  readonly maxNodes: number;
  readonly roundQuorum: number;
  readonly times: RoundTimes;
  readonly maxAttempts: number;
  readonly config: TrainingConfig;
  readonly seed: number | undefined;
  readonly evaluateEvery: number;
}

/** Between two tries to write a checkpoint, in milliseconds. */
const CHECKPOINT_RETRY_MS = 1_000;
const MAX_RUN_LENGTH = 128;

/** @throws HoldfastError `invalid_option` */
export function resolveTrainerOptions(options: TrainerOptions): ResolvedTrainerOptions {
  const run = checkRun(options.run ?? 'default');
  checkModel(options.model, 'option model');
  const fraction = options.fraction ?? 1;
  if (!(fraction > 0 && fraction <= 1)) throw invalid('fraction', fraction, 'a number above 0 and at most 1');
  const gate = resolveGate(options.gate ?? {}, Math.max(1, options.minNodes ?? 1, options.roundQuorum ?? 1));
  const share = Math.max(1, Math.ceil(gate.minNodes * fraction), options.roundQuorum ?? 1);
  const minNodes = count('minNodes', options.minNodes ?? share, 1);
  const maxNodes = options.maxNodes ?? Infinity;
  if (!(maxNodes >= minNodes)) throw invalid('maxNodes', maxNodes, `at least minNodes, ${minNodes}`);
  const roundQuorum = count('roundQuorum', options.roundQuorum ?? minNodes, 1);
  // Else a round would wait for nodes while the gate is open, and no budget would run.
  const least = Math.max(minNodes, roundQuorum);
  if (least > gate.minNodes)
    throw invalid(
      'gate.minNodes',
      gate.minNodes,
      `at least what a round needs, ${least} (minNodes, roundQuorum)`,
    );
  if (roundQuorum > maxNodes) throw invalid('roundQuorum', roundQuorum, `at most maxNodes, ${maxNodes}`);
  return {
    run,
    model: copyWeights(options.model),
    rounds: count('rounds', options.rounds, 1),
    strategy: checkStrategy(options.strategy ?? fedAvg()),
    gate,
    fraction,
    // No attempt begins that could not commit.
    minNodes: least,
    maxNodes,
    roundQuorum,
    times: {
      deadlineMs: duration('deadlineMs', options.deadlineMs ?? defaults.executionTimeoutMs, 1),
      stragglerGraceMs: duration('stragglerGraceMs', options.stragglerGraceMs ?? 10_000, 0),
      checkpointRetryMs: CHECKPOINT_RETRY_MS,
    },
    maxAttempts: count('maxAttempts', options.maxAttempts ?? 10, 0) || Infinity,
    config: checkConfig(options.config ?? {}),
    seed: options.seed === undefined ? undefined : count('seed', options.seed, Number.MIN_SAFE_INTEGER),
    evaluateEvery: count('evaluateEvery', options.evaluateEvery ?? 1, 0),
  };
}

function resolveGate(gate: GateOptions, needed: number): ResolvedTrainerOptions['gate'] {
  const minNodes = count('gate.minNodes', gate.minNodes ?? needed, 1);
  const resumeNodes = count('gate.resumeNodes', gate.resumeNodes ?? minNodes, 1);
  if (resumeNodes < minNodes)
    throw invalid('gate.resumeNodes', resumeNodes, `at least gate.minNodes, ${minNodes}`);
  const budget = gate.budget ?? 'perPause';
  if (budget !== 'perPause' && budget !== 'cumulative')
    throw invalid('gate.budget', budget, "'perPause' or 'cumulative'");
  const { gatherTimeoutMs } = gate;
  return {
    minNodes,
    resumeNodes,
    budget,
    pauseAfterMs: duration('gate.pauseAfterMs', gate.pauseAfterMs ?? 0, 0),
    terminateAfterMs: duration('gate.terminateAfterMs', gate.terminateAfterMs ?? 300_000, 1),
    gatherTimeoutMs:
      gatherTimeoutMs === undefined ? undefined : duration('gate.gatherTimeoutMs', gatherTimeoutMs, 1),
    deliveryTimeoutMs: duration('gate.deliveryTimeoutMs', gate.deliveryTimeoutMs ?? 60_000, 1),
  };
}

function checkRun(run: string): string {
  if (run.length <= MAX_RUN_LENGTH && /^[A-Za-z0-9._-]+$/.test(run)) return run;
  throw invalid('run', run, `at most ${MAX_RUN_LENGTH} letters, digits, dots, dashes and underscores`);
}

function checkStrategy(strategy: Strategy): Strategy {
  if (typeof strategy.aggregate === 'function' && typeof strategy.name === 'string') return strategy;
  throw invalid('strategy', typeof strategy, 'an object with a name and aggregate(input)');
}

function checkConfig(config: TrainingConfig): TrainingConfig {
  try {
    return JSON.parse(JSON.stringify(config)) as TrainingConfig;
  } catch (error) {
    throw invalid('config', String(error), 'what JSON can say');
  }
}

function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw invalid(name, value, least < 0 ? 'a whole number' : `a whole number of at least ${least}`);
}

function duration(name: string, value: number, leastMs: number): number {
  if (Number.isFinite(value) && value >= leastMs) return value;
  throw invalid(name, value, `at least ${leastMs} milliseconds`);
}

function invalid(name: string, value: unknown, wanted: string): HoldfastError {
  return new HoldfastError(`option ${name} is ${String(value)}; give ${wanted}`, { code: 'invalid_option' });
}
