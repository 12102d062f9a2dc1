// Runs one attempt at a round: asks nodes, collects what they answer, aggregates, and has the result written down.
// Invariant: what is aggregated depends on who was accepted, never on the order in which they answered.
import { roundEffects, roundMachine, type RoundEvent, type RoundInput } from '../../machines/round.ts';
import type { Unstamped } from '../../machines/types.ts';
import type { Actor, System } from '../actors/index.ts';
import { drive } from '../engine/drive.ts';
import { statePath } from '../engine/state-path.ts';
import type { Clock, Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { RoundRecord } from '../protocol/training-records.ts';
import type { AcceptedUpdate, Aggregated, Strategy, TrainingConfig, Weights } from './contract.ts';
import type { Model } from './courier.ts';
import type { Trainee } from './membership.ts';
import { averageMetrics } from './metrics.ts';
import { turnByTurn } from './slices.ts';
import type { Answer, Asked, Tasks } from './tasks.ts';
import { malformedWeights, mismatch, notFinite } from './weights.ts';

export type RoundOutcome =
  | { readonly state: 'committed' }
  | { readonly state: 'abandoned'; readonly reason: string }
  /** It cannot go on, and no other attempt could. */
  | { readonly state: 'failed'; readonly error: unknown };

/** How it went until its model was made. */
export type RoundFacts = Pick<
  RoundRecord,
  'asked' | 'answered' | 'refused' | 'late' | 'lost' | 'samples' | 'participants' | 'metrics'
>;

export interface RoundOptions {
  readonly system: System;
  readonly clock: Clock;
  readonly log: Log;
  /** Address of the actor. */
  readonly id: string;
  readonly input: RoundInput;
  readonly model: Model;
  /** The strategy's, of the round before. */
  readonly state: Weights;
  readonly strategy: Strategy;
  readonly config: TrainingConfig;
  readonly tasks: Tasks;
  /** Those who are to be asked; undefined while there are too few that are free. */
  choose(): readonly Trainee[] | undefined;
  /** Writes it down: it is the model from then on. */
  save(next: Aggregated, facts: RoundFacts): Promise<void>;
  /** A node answered what is not used. */
  refused(node: string, code: string, message: string): void;
}

export class RoundRunner {
  readonly done: Promise<RoundOutcome>;
  readonly #options: RoundOptions;
  readonly #actor: Actor<typeof roundMachine>;
  readonly #resolve: (outcome: RoundOutcome) => void;
  #asked: ReadonlyMap<string, Trainee> | undefined;
  readonly #working = new Map<string, Asked>();
  /** Updates that the machine was told of, and that it keeps. */
  readonly #updates = new Map<string, AcceptedUpdate>();
  readonly #kept = new Map<string, AcceptedUpdate>();
  #next: Aggregated | undefined;

  constructor(options: RoundOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<RoundOutcome>();
    this.done = promise;
    this.#resolve = resolve;
    this.#actor = this.#spawn();
    this.#actor.onDone((ending) => {
      if (ending.status === 'error') this.#fail(ending.error);
      // Those who are late may hold on to this for long; updates are large.
      this.#updates.clear();
      this.#kept.clear();
      this.#next = undefined;
    });
  }

  /** Whether it waits for nodes that can be asked: look again. */
  look(): void {
    if (this.#asked !== undefined || this.#actor.status !== 'active') return;
    const chosen = this.#options.choose();
    if (chosen === undefined) return;
    this.#asked = new Map(chosen.map((trainee) => [trainee.node, trainee]));
    this.#tell({ type: 'participants.chosen', nodes: [...this.#asked.keys()], ...this.#attempt });
  }

  /** Its link broke, or stands again. */
  placed(where: 'node.left' | 'node.returned', { node, instance }: Trainee): void {
    // Of another instance no answer is awaited.
    const isAsked = this.#working.has(node) && this.#asked?.get(node)?.instance === instance;
    if (isAsked) this.#tell({ type: where, node, ...this.#attempt });
  }

  /** For those who look on. */
  get progress(): { readonly state: string; readonly asked: number; readonly answered: number } {
    const asked = this.#asked?.size ?? 0;
    const state = statePath(this.#actor.snapshot().value);
    return { state, asked, answered: asked - this.#working.size };
  }

  /** The gate paused, or training ends: it is abandoned, unless it has enough already. */
  abandon(reason: string): void {
    this.#tell({ type: 'abandon.requested', reason });
  }

  /** Ends it as it stands. Nodes that work for it are told to stop. */
  close(): void {
    this.#actor.stop();
    for (const node of this.#working.keys()) this.#cancel(node);
    this.#resolve({ state: 'failed', error: new HoldfastError('training was stopped', { code: 'stopped' }) });
  }

  get #attempt(): { readonly round: number; readonly epoch: number } {
    const { round, epoch } = this.#options.input;
    return { round, epoch };
  }

  #tell(event: Unstamped<RoundEvent>): void {
    if (this.#actor.status === 'active') this.#actor.send(event);
  }

  #spawn(): Actor<typeof roundMachine> {
    const { system, id, input } = this.#options;
    return system.spawn(
      drive(roundMachine, roundEffects, {
        // `look` does, as soon as there are enough.
        chooseParticipants: () => {},
        sendTasks: ({ nodes }) => nodes.forEach((node) => void this.#ask(node)),
        keepUpdate: ({ node }) => this.#keep(node),
        refuseLate: ({ node }) => this.#refuseLate(node),
        aggregate: ({ nodes }) => void this.#aggregate(nodes),
        writeCheckpoint: () => void this.#save(),
        cancelTasks: ({ nodes }) => nodes.forEach((node) => this.#cancel(node)),
        announceCommitted: () => this.#resolve({ state: 'committed' }),
        announceAbandoned: ({ reason }) => this.#resolve({ state: 'abandoned', reason }),
      }),
      { id, input },
    );
  }

  async #ask(node: string): Promise<void> {
    const trainee = this.#asked?.get(node);
    if (trainee === undefined) return;
    const { tasks, model, config, input } = this.#options;
    const { round, epoch, deadlineMs } = input;
    const asked = tasks.ask({ trainee, model, round, epoch, config, deadlineMs });
    this.#working.set(node, asked);
    const answer = await asked.answer;
    this.#working.delete(node);
    this.#answered(node, answer);
  }

  #answered(node: string, answer: Answer): void {
    const { log, refused } = this.#options;
    if (answer.kind === 'update') {
      if (this.#actor.status !== 'active') return this.#refuse(node, 'late', this.#lateText());
      this.#updates.set(node, answer.update);
      this.#tell({ type: 'update.accepted', node, ...this.#attempt });
    } else if (answer.kind === 'refused') {
      this.#refuse(node, answer.refusal.code, answer.refusal.message);
      this.#tell({ type: 'update.refused', node, ...this.#attempt });
    } else if (answer.kind === 'failed') {
      refused(node, answer.error.code, answer.error.message);
      this.#tell({ type: 'update.refused', node, ...this.#attempt });
    } else {
      log.debug({ node, error: String(answer.error), ...this.#attempt }, `${node} will not answer`);
      this.#tell({ type: 'node.lost', node, ...this.#attempt });
    }
  }

  #keep(node: string): void {
    const update = this.#updates.get(node);
    if (update !== undefined) this.#kept.set(node, update);
  }

  #refuseLate(node: string): void {
    this.#refuse(node, 'late', this.#lateText());
  }

  #lateText(): string {
    const { round, epoch } = this.#attempt;
    return `the update is for attempt ${epoch} at round ${round}, which is over; answer sooner, or raise deadlineMs or stragglerGraceMs`;
  }

  #refuse(node: string, code: Parameters<Tasks['tell']>[1]['code'], message: string): void {
    const { tasks, model, refused } = this.#options;
    refused(node, code, message);
    tasks.tell(node, { run: model.run, ...this.#attempt, code, message });
  }

  #cancel(node: string): void {
    const { round, epoch } = this.#attempt;
    this.#working.get(node)?.cancel(`attempt ${epoch} at round ${round} is over`);
  }

  #inOrder(nodes: readonly string[]): AcceptedUpdate[] {
    return nodes.flatMap((node) => this.#kept.get(node) ?? []);
  }

  async #aggregate(nodes: readonly string[]): Promise<void> {
    const { strategy, model, state, input } = this.#options;
    const { inSlices } = strategy.aggregate;
    try {
      const given = { round: input.round, weights: model.weights, state, updates: this.#inOrder(nodes) };
      const next =
        inSlices === undefined
          ? strategy.aggregate(given)
          : await turnByTurn(inSlices(given), () => this.#turn());
      const fault =
        malformedWeights(next.weights) ?? mismatch(next.weights, model.weights) ?? notFinite(next.weights);
      if (fault !== undefined)
        throw new HoldfastError(`the weights of ${strategy.name} cannot be used: ${fault.message}`, {
          code: 'invalid_argument',
        });
      this.#next = next;
      this.#tell({ type: 'aggregation.finished', ...this.#attempt });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#tell({ type: 'aggregation.failed', reason, ...this.#attempt });
    }
  }

  /** Rejects when nobody waits for what comes after it any more. */
  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.endOfTurn(resolve));
    if (this.#actor.status !== 'active') throw new HoldfastError('training was stopped', { code: 'stopped' });
  }

  async #save(): Promise<void> {
    const { save, log } = this.#options;
    // While effects are performed the actor's snapshot is the one before.
    await Promise.resolve();
    if (this.#next === undefined) return;
    try {
      await save(this.#next, this.#facts());
      this.#tell({ type: 'checkpoint.written', ...this.#attempt });
    } catch (error) {
      if (isFinal(error)) return this.#fail(error);
      log.warn(
        { error: String(error), ...this.#attempt },
        `the checkpoint is not known to be written: ${String(error)}`,
      );
      this.#tell({ type: 'checkpoint.failed', ...this.#attempt });
    }
  }

  #facts(): RoundFacts {
    const { control, ledger } = this.#actor.snapshot().context;
    const { asked, refused, lost } = ledger;
    const participants = [...control.accepted];
    const updates = this.#inOrder(participants);
    const answered = participants.length;
    return {
      asked,
      answered,
      refused,
      lost,
      late: asked - answered - refused - lost,
      samples: updates.reduce((sum, { samples }) => sum + samples, 0),
      participants,
      metrics: averageMetrics(updates),
    };
  }

  #fail(error: unknown): void {
    this.#resolve({ state: 'failed', error });
    this.close();
  }
}

/** Whether the store will never take it: what was refused once is refused again. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return true;
  return error.code === 'stopped' || (error.started === 'notStarted' && !error.retryable);
}
