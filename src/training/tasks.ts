// What nodes are asked to do in a round, and what comes of it.
// Invariant: one task of a node at a time; each ends exactly once, as one of the answers below.
import type { Clock } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { AcceptedUpdate, Fleet, TrainingConfig } from './contract.ts';
import type { Courier, Model } from './courier.ts';
import type { Membership, Trainee } from './membership.ts';
import { checkUpdate, type Refusal } from './update.ts';
import { weightsBytes } from './weights.ts';
import { isUnknownModel, REFUSED, TRAIN, type RefusedUpdate, type TrainRequest } from './wire.ts';

/** For a node to hear that its update was refused, in milliseconds. */
const TELL_DEADLINE_MS = 10_000;

export type Answer =
  | { readonly kind: 'update'; readonly update: AcceptedUpdate }
  /** It was answered, and it cannot be used. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The node's function, or what it answered, failed there. */
  | { readonly kind: 'failed'; readonly error: HoldfastError }
  /** No answer will come. */
  | { readonly kind: 'lost'; readonly error: unknown };

export interface Task {
  readonly trainee: Trainee;
  readonly model: Model;
  readonly round: number;
  readonly epoch: number;
  readonly config: TrainingConfig;
  readonly deadlineMs: number;
}

export interface Asked {
  readonly answer: Promise<Answer>;
  /** The node is told to stop; the answer is `lost`, unless it is here already. */
  cancel(reason: string): void;
}

export interface TasksOptions {
  readonly fleet: Fleet;
  readonly members: Membership;
  readonly courier: Courier;
  readonly clock: Clock;
  /** A node is free again. */
  freed(): void;
}

export class Tasks {
  readonly #options: TasksOptions;
  /** Instances that work on something, and how to end that. */
  readonly #busy = new Map<string, AbortController>();

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  isFree({ instance }: Trainee): boolean {
    return !this.#busy.has(instance);
  }

  ask(task: Task): Asked {
    const end = new AbortController();
    const cancel = (reason: string): void => end.abort(new HoldfastError(reason, { code: 'cancelled' }));
    this.#busy.set(task.trainee.instance, end);
    return { answer: this.#answer(task, end.signal), cancel };
  }

  close(): void {
    for (const end of this.#busy.values())
      end.abort(new HoldfastError('training is over', { code: 'stopped' }));
  }

  /** Says to a node that its update was not used; that it cannot be told changes nothing. */
  tell(node: string, refused: RefusedUpdate): void {
    const telling = this.#options.fleet.call(node, REFUSED, [refused], { deadlineMs: TELL_DEADLINE_MS });
    telling.catch(() => undefined);
  }

  async #answer(task: Task, signal: AbortSignal): Promise<Answer> {
    try {
      return this.#check(task, await this.#train(task, signal));
    } catch (error) {
      return judge(error);
    } finally {
      this.#busy.delete(task.trainee.instance);
      this.#options.freed();
    }
  }

  async #train(task: Task, signal: AbortSignal): Promise<unknown> {
    const { trainee, model, round, epoch, config, deadlineMs } = task;
    const { fleet, members, courier, clock } = this.#options;
    const until = clock.now() + deadlineMs;
    const { run, model: hash } = model;
    const request: TrainRequest = { run, round, epoch, model: hash, config };
    // It may have forgotten what it acknowledged: then it is given the model once more.
    for (let attempt = 1; ; attempt += 1) {
      await courier.bring(trainee, model);
      signal.throwIfAborted();
      const leftMs = until - clock.now();
      if (leftMs <= 0) throw tooSlow(trainee, deadlineMs);
      const options = { deadlineMs: leftMs, signal, bytes: weightsBytes(model.weights) };
      const answer = await fleet.call(trainee.node, TRAIN, [request], options);
      if (!isUnknownModel(answer)) return answer;
      members.keeps(trainee, undefined);
      if (attempt > 1) throw tooSlow(trainee, deadlineMs);
    }
  }

  #check({ trainee, model }: Task, answer: unknown): Answer {
    const { accepted, refused } = checkUpdate(answer, model.weights);
    if (refused !== undefined) return { kind: 'refused', refusal: refused };
    return { kind: 'update', update: { node: trainee.node, ...accepted } };
  }
}

/** A function that failed will fail again elsewhere; whatever else ends a call is the way there. */
function judge(error: unknown): Answer {
  if (!(error instanceof HoldfastError)) return { kind: 'lost', error };
  if (error.code === 'value_too_large')
    return { kind: 'refused', refusal: { code: 'too_large', message: error.message } };
  const ownFault = error.code === 'function_failed' || error.code === 'invalid_argument';
  return ownFault ? { kind: 'failed', error } : { kind: 'lost', error };
}

function tooSlow({ node }: Trainee, deadlineMs: number): HoldfastError {
  const message = `${node} did not take the model and begin within ${deadlineMs} ms; raise deadlineMs`;
  return new HoldfastError(message, { code: 'timed_out', blame: 'remote', node });
}
