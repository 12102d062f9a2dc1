// Has nodes evaluate a model on their own data.
// Invariant: it waits for nobody who went away, and what a node answers wrongly is left out.
import type { Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Evaluation, Fleet, TrainingConfig, TrainingMetrics } from './contract.ts';
import type { Courier, Model } from './courier.ts';
import { averageMetrics } from './metrics.ts';
import type { Trainee } from './membership.ts';
import { EVALUATE, isUnknownModel, type EvaluateRequest } from './wire.ts';

export interface EvaluatorOptions {
  readonly fleet: Fleet;
  readonly courier: Courier;
  readonly log: Log;
  readonly deadlineMs: number;
}

export class Evaluator {
  readonly #options: EvaluatorOptions;
  readonly #running = new Map<string, AbortController>();
  #state: 'open' | 'closed' = 'open';

  constructor(options: EvaluatorOptions) {
    this.#options = options;
  }

  /** Means of what nodes measured, weighted by their samples, in the order of node ids. */
  async evaluate(
    trainees: readonly Trainee[],
    model: Model,
    round: number,
    config: TrainingConfig,
  ): Promise<TrainingMetrics> {
    const able = this.#state === 'closed' ? [] : trainees.filter(({ evaluates }) => evaluates === 'yes');
    const answers = await Promise.all(able.map((trainee) => this.#ask(trainee, model, round, config)));
    return averageMetrics(answers.flatMap((answer) => answer ?? []));
  }

  /** It went away: it is not waited for. */
  left(node: string): void {
    this.#running.get(node)?.abort(new HoldfastError(`${node} is away`, { code: 'cancelled' }));
  }

  /** Nothing is evaluated any more, and what is being evaluated is given up. */
  close(): void {
    this.#state = 'closed';
    for (const node of this.#running.keys()) this.left(node);
  }

  async #ask(
    trainee: Trainee,
    model: Model,
    round: number,
    config: TrainingConfig,
  ): Promise<(Evaluation & { readonly node: string }) | undefined> {
    const { fleet, courier, log, deadlineMs } = this.#options;
    const { node } = trainee;
    const end = new AbortController();
    this.#running.set(node, end);
    const aborted = new Promise<never>((_, reject) =>
      end.signal.addEventListener('abort', () => reject(end.signal.reason as Error)),
    );
    const request: EvaluateRequest = { run: model.run, round, model: model.model, config };
    try {
      await Promise.race([courier.bring(trainee, model), aborted]);
      const answer = await fleet.call(node, EVALUATE, [request], { deadlineMs, signal: end.signal });
      if (isEvaluation(answer)) return { node, samples: answer.samples, metrics: answer.metrics };
      const what = isUnknownModel(answer) ? 'has lost the model' : 'answered no evaluation';
      throw new HoldfastError(`${node} ${what}; answer { samples, metrics }`, { code: 'invalid_argument' });
    } catch (error) {
      log.info({ node, round, error: String(error) }, `no evaluation by ${node}: ${String(error)}`);
      return undefined;
    } finally {
      this.#running.delete(node);
    }
  }
}

function isEvaluation(answer: unknown): answer is Evaluation {
  if (typeof answer !== 'object' || answer === null) return false;
  const { samples, metrics } = answer as Partial<Evaluation>;
  if (!Number.isSafeInteger(samples) || (samples as number) < 1) return false;
  if (typeof metrics !== 'object' || metrics === null) return false;
  return Object.values(metrics).every((value) => Number.isFinite(value));
}
