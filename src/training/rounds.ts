// Round after round while the gate is open: attempts, commits, evaluations.
// Invariant: what a round begins with is the last checkpoint that was written; nothing else of the past has to be known.
import type { System } from '../actors/index.ts';
import type { Clock, Digest, Log } from '../ports.ts';
import type { Store } from '../store/contract.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import type { Aggregated, TrainingConfig, TrainingMetrics } from './contract.ts';
import type { Courier, Model } from './courier.ts';
import type { Evaluator } from './evaluation.ts';
import type { RoundReport, TrainingEvent } from './events.ts';
import { hashOf } from './layout.ts';
import type { Membership, Trainee } from './membership.ts';
import { recordRound } from './metrics.ts';
import type { ResolvedTrainerOptions, TrainerOptions } from './options.ts';
import { chooseParticipants } from './participants.ts';
import { RoundRunner } from './round-runner.ts';
import type { Tasks } from './tasks.ts';
import { copyWeights } from './weights.ts';

/** Waits before a round is attempted again: the first, and the longest, in milliseconds. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export interface RoundsOptions {
  readonly options: ResolvedTrainerOptions;
  readonly given: Pick<TrainerOptions, 'evaluate' | 'onRound'>;
  readonly system: System;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly log: Log;
  readonly checkpoints: Checkpoints;
  readonly store: Store;
  readonly checkpoint: Checkpoint;
  readonly members: Membership;
  readonly courier: Courier;
  readonly tasks: Tasks;
  readonly evaluator: Evaluator;
  /** Nodes that count, in the order of their ids. */
  counted(): readonly string[];
  tell(event: TrainingEvent): void;
  /** A round came to nothing too often. */
  giveUp(reason: string): void;
}

export class Rounds {
  readonly counts = { abandoned: 0, refused: 0, late: 0 };
  readonly #of: RoundsOptions;
  #checkpoint: Checkpoint;
  #epoch: number;
  #gate: 'closed' | 'open' | 'ending' = 'closed';
  #runner: RoundRunner | undefined;
  #report: RoundReport | undefined;
  /** Attempts at the present round that came to nothing, and those of them that no pause ended. */
  #attempts = { abandoned: 0, failed: 0 };
  /** Those who wait for the gate, or for a while. */
  readonly #waiting = new Set<() => void>();

  constructor(options: RoundsOptions) {
    this.#of = options;
    this.#checkpoint = options.checkpoint;
    this.#epoch = options.checkpoint.epoch;
  }

  /** The last that was written. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** That runs now. */
  get present():
    | { readonly number: number; readonly state: string; asked: number; answered: number }
    | undefined {
    return this.#runner && { number: this.#checkpoint.round + 1, ...this.#runner.progress };
  }

  /** Of attempts at rounds, the last. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Until all rounds are committed, or the end is near. @throws what the store fails with for good */
  async run(): Promise<'completed' | 'ended'> {
    while (this.#checkpoint.round < this.#of.options.rounds) {
      while (this.#gate === 'closed') await new Promise<void>((go) => this.#waiting.add(go));
      if (this.#gate === 'ending') return 'ended';
      await this.#attempt();
    }
    return 'completed';
  }

  opened(): void {
    this.#turn('open');
  }

  paused(reason: string): void {
    this.#turn('closed');
    this.#runner?.abandon(`the gate paused: ${reason}`);
  }

  /** No more rounds; the present one is committed if it can be at once. */
  ending(reason: string): void {
    this.#turn('ending');
    this.#of.evaluator.close();
    this.#runner?.abandon(`training ends: ${reason}`);
  }

  /** Nodes that can be asked have become more, or fewer. */
  look(): void {
    this.#runner?.look();
  }

  /** It came online. */
  joined(trainee: Trainee): void {
    this.#runner?.placed('node.returned', trainee);
  }

  /** Its link broke. */
  left(trainee: Trainee): void {
    this.#runner?.placed('node.left', trainee);
  }

  close(): void {
    this.#turn('ending');
    this.#runner?.close();
  }

  #turn(gate: 'closed' | 'open' | 'ending'): void {
    if (this.#gate !== 'ending') this.#gate = gate;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const go of waiting) go();
  }

  async #attempt(): Promise<void> {
    const { options, system, log, clock, tasks } = this.#of;
    const { model, state } = { model: this.#model, state: this.#checkpoint.state };
    const round = this.#checkpoint.round + 1;
    this.#epoch += 1;
    const epoch = this.#epoch;
    const startedAt = clock.now();
    this.#runner = new RoundRunner({
      system,
      clock,
      log,
      id: `round/${options.run}/${round}/${epoch}`,
      input: { round, epoch, minUpdates: options.roundQuorum, ...options.times },
      model,
      state,
      strategy: options.strategy,
      config: this.#configOf(round),
      tasks,
      choose: () => this.#choose(round, epoch),
      save: (next, facts) =>
        this.#save(next, { round, epoch, ...facts, durationMs: toMicroseconds(clock.now() - startedAt) }),
      refused: (node, code, message) => this.#refused(round, epoch, node, code, message),
    });
    this.#runner.look();
    const outcome = await this.#runner.done;
    this.#runner = undefined;
    if (outcome.state === 'failed') throw outcome.error;
    if (outcome.state === 'abandoned') return this.#abandoned(round, epoch, outcome.reason);
    await this.#committed();
  }

  get #model(): Model {
    const { round, model, weights } = this.#checkpoint;
    return { run: this.#of.options.run, round, model, weights };
  }

  #configOf(round: number): TrainingConfig {
    const { config, strategy } = this.#of.options;
    return { ...config, ...strategy.configure?.(round) };
  }

  #choose(round: number, epoch: number): readonly Trainee[] | undefined {
    const { members, tasks, options } = this.#of;
    const { fraction, minNodes } = options;
    const { seed } = this.#checkpoint;
    const counted = this.#of.counted();
    const free = counted.filter((node) => {
      const trainee = members.get(node);
      return trainee !== undefined && tasks.isFree(trainee);
    });
    if (free.length < minNodes) return undefined;
    // A share of all that count: those who still work on an older round are not there to be asked, and count all the same.
    const wanted = Math.max(minNodes, Math.round(fraction * counted.length));
    const maxNodes = Math.min(options.maxNodes, wanted);
    const chosen = chooseParticipants({ seed, round, epoch, candidates: free, minNodes, maxNodes });
    return chosen.flatMap((node) => members.get(node) ?? []);
  }

  /** From here on it is the model, whatever happens. */
  async #save(
    next: Aggregated,
    facts: Omit<RoundReport, 'abandoned' | 'model' | 'evaluation'>,
  ): Promise<void> {
    const { digest, checkpoints, counted, courier, options } = this.#of;
    const model = await hashOf(next.weights, digest);
    const { round, epoch } = facts;
    const { abandoned } = this.#attempts;
    const report: RoundReport = { ...facts, abandoned, model, evaluation: {} };
    const checkpoint = { ...this.#checkpoint, ...next, round, epoch, model, members: counted() };
    await checkpoints.save(checkpoint, { beside: recordRound(options.run, report) });
    this.#checkpoint = checkpoint;
    this.#report = report;
    courier.advance(this.#model);
  }

  async #committed(): Promise<void> {
    const { store, options, given, log } = this.#of;
    this.#attempts = { abandoned: 0, failed: 0 };
    if (this.#report === undefined) return;
    const report = { ...this.#report, evaluation: await this.#evaluate(this.#report) };
    if (Object.keys(report.evaluation).length > 0) {
      await store.txn({ success: recordRound(options.run, report) }).catch((error: unknown) => {
        log.warn(
          { round: report.round, error: String(error) },
          `the evaluation was not recorded: ${String(error)}`,
        );
      });
    }
    try {
      given.onRound?.(report);
    } catch (error) {
      log.error({ error: String(error) }, `onRound threw: ${String(error)}`);
    }
  }

  async #evaluate({ round, participants }: RoundReport): Promise<TrainingMetrics> {
    const { options, given, evaluator, members, log } = this.#of;
    const { evaluateEvery, rounds } = options;
    if (evaluateEvery === 0 || (round % evaluateEvery !== 0 && round !== rounds)) return {};
    const trainees = participants.flatMap((node) => members.get(node) ?? []);
    const onNodes = await evaluator.evaluate(trainees, this.#model, round, this.#configOf(round));
    try {
      return { ...onNodes, ...(await given.evaluate?.(copyWeights(this.#checkpoint.weights), round)) };
    } catch (error) {
      log.error({ round, error: String(error) }, `evaluate threw: ${String(error)}`);
      return onNodes;
    }
  }

  async #abandoned(round: number, epoch: number, reason: string): Promise<void> {
    const { tell, log, options, giveUp } = this.#of;
    this.counts.abandoned += 1;
    this.#attempts.abandoned += 1;
    log.warn({ round, epoch, reason }, `round ${round} is abandoned: ${reason}`);
    tell({ type: 'abandoned', round, epoch, reason });
    // A pause has a budget of its own.
    if (this.#gate !== 'open') return;
    this.#attempts.failed += 1;
    const { failed } = this.#attempts;
    if (failed >= options.maxAttempts)
      return giveUp(`round ${round} was abandoned ${failed} times: ${reason}`);
    await this.#sleep(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failed - 1)));
  }

  #refused(round: number, epoch: number, node: string, code: string, message: string): void {
    const { tell, log } = this.#of;
    this.counts[code === 'late' ? 'late' : 'refused'] += 1;
    log.warn({ node, round, epoch, code }, `the update of ${node} is not used: ${message} [${code}]`);
    tell({ type: 'refused', round, epoch, node, code, message });
  }

  /** Shorter when the gate turns. */
  #sleep(ms: number): Promise<void> {
    const { clock } = this.#of;
    return new Promise((resolve) => {
      const wake = (): void => {
        clock.clearTimer(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = clock.setTimer(wake, ms);
      this.#waiting.add(wake);
    });
  }
}

/** Milliseconds to the microsecond: a clock tells no more, and what it adds is noise in a history. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
