// Brings the present model to nodes: to each that joins, and to each that is asked about a model that it does not have.
// Invariant: an instance is sent a model once at a time, and no more bytes are under way than a link may hold.
import type { Clock, Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Fleet, Weights } from './contract.ts';
import type { Membership, Trainee } from './membership.ts';
import { weightsBytes } from './weights.ts';
import { SYNC, type ModelName, type SyncAnswer, type SyncRequest } from './wire.ts';

/** Of models that are under way at once, all nodes together. */
const MAX_UNDER_WAY_BYTES = 268_435_456;
/**
 * Models of so many bytes begin one after the other: links that share a processor or an uplink would otherwise finish together, and
 * the first node would begin to train when the last one has its model.
 */
const PACED_BYTES = 262_144;
/** A model that takes longer does not hold up the next one, in milliseconds. */
const HEAD_START_MS = 20;
/** Waits between two attempts to bring a model to a joiner: the first, and the longest, in milliseconds. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** A model with its name. The weights never change. */
export interface Model extends ModelName {
  readonly weights: Weights;
}

export interface CourierOptions {
  readonly fleet: Fleet;
  readonly members: Membership;
  readonly clock: Clock;
  readonly log: Log;
  /** For a node to take a model, in milliseconds. */
  readonly deadlineMs: number;
  readonly model: Model;
}

export class Courier {
  readonly #options: CourierOptions;
  #model: Model;
  /** What is being sent, by instance and model. */
  readonly #underWay = new Map<string, Promise<void>>();
  #bytes = 0;
  readonly #waiting: (() => void)[] = [];
  /** When the next large model may begin. */
  #turn: Promise<void> = Promise.resolve();
  readonly #closed = new AbortController();

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#model = options.model;
  }

  get model(): Model {
    return this.#model;
  }

  advance(model: Model): void {
    this.#model = model;
  }

  /**
   * Has a joiner acknowledge the present model, for as long as it is there: resolves to `acknowledged`, or to `left`. Models that are made
   * meanwhile do not begin it anew: it is given the newest with its next task.
   */
  async welcome(trainee: Trainee): Promise<'acknowledged' | 'left'> {
    const { members, clock, log } = this.#options;
    const isHere = (): boolean => members.get(trainee.node)?.epoch === trainee.epoch;
    let waitMs = FIRST_RETRY_MS;
    while (isHere() && !this.#closed.signal.aborted) {
      try {
        await this.#confirm(trainee);
        return isHere() ? 'acknowledged' : 'left';
      } catch (error) {
        if (!isHere() || this.#closed.signal.aborted) break;
        log.warn(
          { node: trainee.node, error: String(error) },
          `${trainee.node} has not taken the model: ${String(error)}`,
        );
      }
      await this.#pause(clock, waitMs);
      waitMs = Math.min(LONGEST_RETRY_MS, 2 * waitMs);
    }
    return 'left';
  }

  /** Resolves when the instance has acknowledged this model. @throws HoldfastError of calls; `invalid_argument` for another hash */
  async bring(trainee: Trainee, model: Model): Promise<void> {
    const { members } = this.#options;
    const key = `${trainee.instance} ${model.model}`;
    while (members.modelOf(trainee) !== model.model) {
      const running = this.#underWay.get(key);
      if (running === undefined) {
        const sending = this.#send(trainee, model).finally(() => this.#underWay.delete(key));
        this.#underWay.set(key, sending);
        return sending;
      }
      // Whoever comes second tries for itself when the first did not succeed.
      await running.catch(() => undefined);
    }
  }

  close(): void {
    this.#closed.abort(new HoldfastError('training is over', { code: 'stopped' }));
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Asks an instance that should have it already; the others are sent it. */
  async #confirm(trainee: Trainee): Promise<void> {
    const { members } = this.#options;
    const model = this.#model;
    if (members.modelOf(trainee) === model.model) {
      const { run, round } = model;
      const has = await this.#ask(trainee, { run, round, model: model.model });
      members.keeps(trainee, has === '' ? undefined : has);
    }
    await this.bring(trainee, model);
  }

  async #send(trainee: Trainee, { run, round, model, weights }: Model): Promise<void> {
    const { members } = this.#options;
    const bytes = weightsBytes(weights);
    await this.#room(bytes);
    const over = Promise.withResolvers<void>();
    try {
      if (bytes >= PACED_BYTES) await this.#next(over.promise);
      const has = await this.#ask(trainee, { run, round, model, weights }, bytes);
      members.keeps(trainee, has);
      if (has === model) return;
    } finally {
      over.resolve();
      this.#leave(bytes);
    }
    const message = `${trainee.node} acknowledged another model than it was sent, ${model}: its hash is wrong`;
    throw new HoldfastError(message, { code: 'invalid_argument', blame: 'remote', node: trainee.node });
  }

  async #ask(trainee: Trainee, request: SyncRequest, bytes = 0): Promise<string> {
    const { fleet, deadlineMs } = this.#options;
    const options = { deadlineMs, signal: this.#closed.signal, bytes };
    const answer = (await fleet.call(trainee.node, SYNC, [request], options)) as SyncAnswer | undefined;
    return String(answer?.model);
  }

  /** Resolves when the model before has arrived, or has had its head start. */
  #next(over: Promise<void>): Promise<void> {
    const mine = this.#turn;
    this.#turn = mine.then(() => Promise.race([over, this.#pause(this.#options.clock, HEAD_START_MS)]));
    return mine;
  }

  async #room(bytes: number): Promise<void> {
    // One that is larger than all that is allowed travels alone.
    while (this.#bytes > 0 && this.#bytes + bytes > MAX_UNDER_WAY_BYTES && !this.#closed.signal.aborted)
      await new Promise<void>((go) => this.#waiting.push(go));
    this.#bytes += bytes;
  }

  #leave(bytes: number): void {
    this.#bytes -= bytes;
    for (const go of this.#waiting.splice(0)) go();
  }

  #pause(clock: Clock, ms: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const over = (): void => {
        clock.clearTimer(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = clock.setTimer(over, ms);
      signal.addEventListener('abort', over);
    });
  }
}
