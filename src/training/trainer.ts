// A training run from its start, or from where it was left, to its end.
// Invariant: it ends once, with an outcome or with an error, and nothing of it is left running then.
import type { GateEnd } from '../../machines/gate.ts';
import { createSystem, recordTransitions, type System } from '../actors/index.ts';
import type { Clock, Digest, Log, Random } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { TrainingSaid } from '../protocol/inspection.ts';
import { Budget } from './budget.ts';
import { Checkpoints, type Checkpoint } from './checkpoint.ts';
import type { Fleet, Weights } from './contract.ts';
import { Courier } from './courier.ts';
import { Evaluator } from './evaluation.ts';
import type { RoundReport, Trainer, TrainerStatus, TrainingEvent, TrainingOutcome } from './events.ts';
import { GateKeeper, type GateEnding } from './gate-keeper.ts';
import { hashOf } from './layout.ts';
import { Membership } from './membership.ts';
import { readRounds } from './metrics.ts';
import { resolveTrainerOptions, type ResolvedTrainerOptions, type TrainerOptions } from './options.ts';
import { Rounds } from './rounds.ts';
import { Tasks } from './tasks.ts';
import { copyWeights } from './weights.ts';

export interface TrainerPorts {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly log: Log;
  /** Shows those who look at the hub's machines this run too, until the function that it returns is called. @default nobody looks */
  show?(run: { readonly source: System; training(): TrainingSaid }): () => void;
  /** When training has ended, or failed. @default nothing */
  closeFleet?(): Promise<void>;
  /** Resolves when there is no fleet any more: training fails then, and may be resumed. @default never */
  readonly fleetStopped?: Promise<void>;
}

/** A run may be in the hands of another trainer, which saves meanwhile. */
const TAKE_UP_ATTEMPTS = 5;

/** Of a curve; the newest. */
const MAX_POINTS = 500;

function pointOf({ round, metrics, evaluation }: RoundReport): TrainingSaid['history'][number] {
  const { loss = metrics['loss'], accuracy = metrics['accuracy'] } = evaluation;
  return { round, ...(loss === undefined ? {} : { loss }), ...(accuracy === undefined ? {} : { accuracy }) };
}

/** All that lives between the start and the end. */
interface Crew {
  readonly rounds: Rounds;
  readonly keeper: GateKeeper;
  readonly members: Membership;
  close(): Promise<void>;
}

/** @throws HoldfastError `invalid_option` */
export function createTrainerOver(options: TrainerOptions, ports: TrainerPorts): Trainer {
  return new TrainingRun(options, resolveTrainerOptions(options), ports);
}

class TrainingRun implements Trainer {
  readonly run: string;
  readonly #given: TrainerOptions;
  readonly #options: ResolvedTrainerOptions;
  readonly #ports: TrainerPorts;
  readonly #checkpoints: Checkpoints;
  readonly #done = Promise.withResolvers<TrainingOutcome>();
  #state: 'idle' | 'starting' | 'running' | 'ended' | 'failed' = 'idle';
  #starting: Promise<void> | undefined;
  #crew: Crew | undefined;
  /** All rounds that will be. */
  #training: Promise<unknown> = Promise.resolve();
  #delivered: 'no' | 'yes' = 'no';
  /** Why a completed run did not deliver its model. */
  #undelivered: string | undefined;
  #unlisten: () => void = () => {};
  /** How the rounds of this life went, for those who look on. */
  #curve: TrainingSaid['history'] = [];

  constructor(given: TrainerOptions, options: ResolvedTrainerOptions, ports: TrainerPorts) {
    this.run = options.run;
    this.#given = given;
    this.#options = options;
    this.#ports = ports;
    const { store } = given;
    const { digest, random, log } = ports;
    this.#checkpoints = new Checkpoints({ store, run: options.run, digest, random, log });
    // Whoever does not ask must not be told as of a defect.
    this.done.catch(() => undefined);
  }

  get done(): Promise<TrainingOutcome> {
    return this.#done.promise;
  }

  start(): Promise<void> {
    if (this.#state !== 'idle') return this.#starting ?? this.done.then(() => undefined);
    this.#starting = this.#start().catch(async (error: unknown) => {
      // Whoever called is told.
      await this.#giveUp(error);
      throw error;
    });
    return this.#starting;
  }

  async stop(reason = 'it was asked to stop'): Promise<TrainingOutcome> {
    if (this.#state === 'idle') {
      await this.#close('failed');
      this.#done.reject(new HoldfastError('training was stopped before it began', { code: 'stopped' }));
    }
    await this.#starting;
    this.#crew?.keeper.terminate(reason);
    return this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'idle') await this.stop().catch(() => undefined);
  }

  weights(): Weights {
    return copyWeights(this.#crew?.rounds.checkpoint.weights ?? this.#options.model);
  }

  async history(): Promise<readonly RoundReport[]> {
    const reports: RoundReport[] = [];
    const { log } = this.#ports;
    for await (const report of readRounds(this.#given.store, this.run, { log })) reports.push(report);
    return reports;
  }

  status(): TrainerStatus {
    const { keeper, members, rounds } = this.#crew ?? {};
    return {
      run: this.run,
      state: this.#state === 'running' ? (keeper?.state ?? '') : this.#state,
      round: rounds?.checkpoint.round ?? 0,
      rounds: this.#options.rounds,
      epoch: rounds?.epoch ?? 0,
      model: rounds?.checkpoint.model ?? '',
      nodes: keeper?.nodes ?? [],
      online: members?.size ?? 0,
      ...(keeper?.pauses ?? { pauses: 0, pausedMs: 0 }),
      ...(rounds?.counts ?? { abandoned: 0, refused: 0, late: 0 }),
    };
  }

  async #start(): Promise<void> {
    this.#state = 'starting';
    const { store, signal } = this.#given;
    const checkpoint = await this.#takeUp();
    const budget = new Budget(store, this.run, this.#ports.log);
    const record = await budget.load();
    this.#crew = this.#gather(checkpoint, budget, record);
    this.#state = 'running';
    const stop = (): void => void this.stop('its signal was aborted').catch(() => undefined);
    signal?.addEventListener('abort', stop);
    this.#unlisten = () => signal?.removeEventListener('abort', stop);
    void this.#ports.fleetStopped?.then(() => {
      const message = 'the hub stopped; start it again and resume the run (option resume, --resume)';
      return this.#fail(new HoldfastError(message, { code: 'stopped' }));
    });
    this.#crew.keeper.open();
    this.#training = this.#train(this.#crew);
    if (signal?.aborted === true) stop();
  }

  /** The last checkpoint, or a first one: there always is one, and whoever else has this run cannot save any more. */
  async #takeUp(): Promise<Checkpoint> {
    for (let attempt = 1; ; attempt += 1) {
      const checkpoint = await this.#find();
      try {
        await this.#checkpoints.save(checkpoint);
        return checkpoint;
      } catch (error) {
        // The one that has it may have been quicker once more.
        const isTaken = error instanceof HoldfastError && error.code === 'store_failed' && !error.retryable;
        if (!isTaken || attempt === TAKE_UP_ATTEMPTS) throw error;
      }
    }
  }

  async #find(): Promise<Checkpoint> {
    const { model: weights, strategy, seed = 0 } = this.#options;
    const found = await this.#checkpoints.load({ strategy: strategy.name, weights });
    if (found !== undefined && this.#given.resume === true) return this.#checkSeed(found);
    if (found !== undefined) {
      const message = `run ${this.run} has a checkpoint of round ${found.round}; resume it (option resume, --resume), or name another run`;
      throw new HoldfastError(message, { code: 'invalid_option' });
    }
    const model = await hashOf(weights, this.#ports.digest);
    return { round: 0, epoch: 0, weights, model, state: [], strategy: strategy.name, seed, members: [] };
  }

  /** A run has one seed, else its replay would ask others. */
  #checkSeed(found: Checkpoint): Checkpoint {
    const { seed = found.seed } = this.#options;
    if (seed === found.seed) return found;
    const message = `option seed is ${seed}, and run ${this.run} began with ${found.seed}; leave it out, or name another run`;
    throw new HoldfastError(message, { code: 'invalid_option' });
  }

  #gather(checkpoint: Checkpoint, budget: Budget, record: Awaited<ReturnType<Budget['load']>>): Crew {
    const { clock, log, fleet, digest, random, closeFleet } = this.#ports;
    const options = this.#options;
    const { deadlineMs } = options.times;
    const inspect = recordTransitions(this.#given.transitions, random.id().slice(0, 8));
    const system = createSystem({ clock, log, inspect });
    const members = new Membership();
    const { round, model, weights } = checkpoint;
    const courier = new Courier({
      fleet,
      members,
      clock,
      log,
      deadlineMs,
      model: { run: this.run, round, model, weights },
    });
    const tasks = new Tasks({ fleet, members, courier, clock, freed: () => rounds.look() });
    const evaluator = new Evaluator({ fleet, courier, log, deadlineMs });
    const tell = (event: TrainingEvent): void => this.#tell(event);
    const keeper: GateKeeper = new GateKeeper({
      system,
      log,
      id: `gate/${this.run}`,
      input: { ...options.gate, ...record },
      budget,
      fleet,
      members,
      courier,
      listener: {
        moved: (state, nodes) => tell({ type: 'gate', state, nodes }),
        opened: () => rounds.opened(),
        paused: (reason) => rounds.paused(reason),
        counted: () => rounds.look(),
        joined: (trainee) => rounds.joined(trainee),
        left: (trainee) => {
          rounds.left(trainee);
          evaluator.left(trainee.node);
        },
        deliver: (end, reason) => this.#finish(end, reason),
        ended: (ending) => void this.#ended(ending),
        crashed: (error) => void this.#fail(error),
      },
    });
    const rounds: Rounds = new Rounds({
      options,
      given: { ...this.#given, onRound: (report) => this.#committed(report) },
      system,
      clock,
      digest,
      log,
      checkpoints: this.#checkpoints,
      store: this.#given.store,
      checkpoint,
      members,
      courier,
      tasks,
      evaluator,
      counted: () => keeper.nodes,
      tell,
      giveUp: (reason) => keeper.terminate(reason),
    });
    const training = (): TrainingSaid => this.#said(keeper, rounds);
    const hide = this.#ports.show?.({ source: system, training });
    const close = async (): Promise<void> => {
      hide?.();
      rounds.close();
      members.close();
      courier.close();
      tasks.close();
      evaluator.close();
      await system.stop();
      await budget.settled();
      await closeFleet?.();
    };
    return { rounds, keeper, members, close };
  }

  #said(keeper: GateKeeper, rounds: Rounds): TrainingSaid {
    const { minNodes, terminateAfterMs: budgetMs } = this.#options.gate;
    const { state, budgetUsedMs } = keeper;
    const round = rounds.present;
    return {
      gate: { state, online: keeper.nodes.length, minNodes, budgetUsedMs, budgetMs },
      ...(round === undefined ? {} : { round }),
      history: this.#curve,
    };
  }

  #committed(report: RoundReport): void {
    this.#curve = [...this.#curve, pointOf(report)].slice(-MAX_POINTS);
    this.#given.onRound?.(report);
  }

  async #train({ rounds, keeper }: Crew): Promise<void> {
    try {
      if ((await rounds.run()) === 'ended') return;
      await this.#deliver('completed', 'all rounds are committed').catch((error: unknown) => {
        this.#undelivered = `the model was not delivered: ${String(error)}`;
      });
      keeper.complete();
    } catch (error) {
      // The one that is waited for at the end must not be waited for by itself.
      void this.#fail(error);
    }
  }

  /** The gate terminates: the round in hand is the last one. */
  async #finish(end: GateEnd, reason: string): Promise<void> {
    this.#crew?.rounds.ending(reason);
    await this.#training;
    await this.#deliver(end, reason);
  }

  async #deliver(end: GateEnd, reason: string): Promise<void> {
    if (this.#delivered === 'yes' || this.#crew === undefined) return;
    this.#delivered = 'yes';
    const { round, model } = this.#crew.rounds.checkpoint;
    await this.#given.deliver?.({ end, reason, round, model, weights: this.weights() });
  }

  async #ended({ end, reason, model: delivery, pauses, pausedMs }: GateEnding): Promise<void> {
    // The gate tells of it while it is at it.
    await Promise.resolve();
    if (this.#crew === undefined || this.#state !== 'running') return;
    const { round, model } = this.#crew.rounds.checkpoint;
    const weights = this.weights();
    await this.#close('ended');
    const outcome = { end, reason, round, model, weights, delivery, pauses, pausedMs };
    const failure = this.#undelivered;
    if (failure === undefined) return this.#done.resolve(outcome);
    this.#done.resolve({ ...outcome, reason: `${reason}; ${failure}`, delivery: 'undelivered' });
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#state === 'ended' || this.#state === 'failed') return;
    this.#ports.log.error({ run: this.run, error: String(error) }, `training cannot go on: ${String(error)}`);
    await this.#giveUp(error);
  }

  async #giveUp(error: unknown): Promise<void> {
    if (this.#state === 'ended' || this.#state === 'failed') return;
    await this.#close('failed');
    this.#done.reject(error);
  }

  async #close(state: 'ended' | 'failed'): Promise<void> {
    this.#state = state;
    this.#unlisten();
    if (this.#crew !== undefined) await this.#crew.close();
    else await this.#ports.closeFleet?.();
  }

  #tell(event: TrainingEvent): void {
    try {
      this.#given.onEvent?.(event);
    } catch (error) {
      this.#ports.log.error({ error: String(error) }, `onEvent threw: ${String(error)}`);
    }
  }
}
