// Requests on their way into the keyspace and back: a bounded queue, batches, both time-outs, and one end for each.
// Invariant: a waiter is freed once; one that was freed as `notStarted` is never given to the backend.
import {
  proposalEffects,
  proposalMachine,
  type ProposalContext,
  type ProposalEvent,
} from '../../machines/proposal.ts';
import { Deadlines, type Waiting } from '../actors/deadlines.ts';
import { compile, type CompiledActor } from '../engine/compile.ts';
import type { Observer } from '../engine/table-records.ts';
import type { Clock, Timer } from '../ports.ts';
import type { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Backend, BatchOutcome } from './backend.ts';
import { isRefusal, type Answers, type Command } from './commands.ts';
import type { ProposalOptions } from './contract.ts';
import * as failure from './failure.ts';
import type { Change } from './keyspace.ts';

/** Between two attempts to hear from an engine that failed, in milliseconds. */
const RETRY_MS = 1_000;

export interface Proposal extends CompiledActor<ProposalContext>, Waiting {
  readonly command: Command;
  readonly bytes: number;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: HoldfastError) => void;
  unlisten: (() => void) | undefined;
  /** What it settles with, set before the event that settles it. */
  answer: unknown;
  error: HoldfastError | undefined;
}

type Grant = Extract<Command, { readonly type: 'grant' }>;

export interface ProposalsOptions {
  readonly clock: Clock;
  readonly backend: Backend;
  readonly proposeTimeoutMs: number;
  readonly applyTimeoutMs: number;
  readonly observer?: Observer<Proposal> | undefined;
  /** Is told of all changes of a batch before its answers are given. */
  committed(changes: readonly Change[]): void;
  /** Is told of each lease that was granted, also when whoever asked for it gave up meanwhile. */
  granted(command: Grant): void;
  /** Nobody knows whether a batch with grants was applied. */
  doubted(): void;
}

export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #deadlines: Deadlines<Proposal>;
  /** Those that were withdrawn stay in it until they are passed over. */
  #queue: Proposal[] = [];
  #head = 0;
  #waiting = 0;
  #waitingBytes = 0;
  /** Proposals of the batches that the backend has. */
  readonly #batches = new Set<readonly Proposal[]>();
  #pumping = false;
  /** Until the engine is asked again for what it committed and did not tell. */
  #untold: Timer | undefined;
  #end: HoldfastError | undefined;
  // One object for each event that every proposal brings: the machine reads it and does not keep it.
  readonly #taken = { type: 'submission.taken' as const, epoch: 0, at: 0 };
  readonly #applied = { type: 'submission.applied' as const, epoch: 0, at: 0 };

  constructor(options: ProposalsOptions) {
    this.#options = options;
    this.#machine.observe(options.observer);
    this.#deadlines = new Deadlines(options.clock, (proposal) => {
      const { proposeTimeoutMs, applyTimeoutMs } = this.#timesOf(proposal);
      const queued = this.#isQueued(proposal);
      proposal.error = failure.timedOut(queued ? proposeTimeoutMs : applyTimeoutMs, queued);
      this.#machine.expire(proposal);
    });
  }

  readonly #machine = compile<typeof proposalMachine, typeof proposalEffects, Proposal>(
    proposalMachine,
    proposalEffects,
    {
      enqueue: (proposal) => this.#enqueue(proposal),
      withdraw: (proposal) => {
        this.#waiting -= 1;
        this.#waitingBytes -= proposal.bytes;
      },
      // The backend goes on with it; what it answers then finds nobody.
      abandon: () => {},
      settle: (proposal) => this.#settle(proposal),
    },
    {
      entered: (proposal) => {
        const delayMs = this.#machine.delayMs(proposal);
        if (delayMs < 0) this.#deadlines.clear(proposal);
        else this.#deadlines.set(proposal, proposal.context.ledger.at + delayMs);
      },
    },
  );

  /** Those that have not settled. */
  get size(): number {
    let size = this.#waiting;
    for (const batch of this.#batches)
      for (const { state } of batch) if (this.#machine.final[state] === false) size += 1;
    return size;
  }

  /** @throws HoldfastError what the contract's `ProposalOptions` say, the refusal of the command, `queue_full`, `stopped` */
  propose<T extends keyof Answers>(
    command: Extract<Command, { readonly type: T }>,
    bytes = 0,
    options: ProposalOptions = {},
  ): Promise<Answers[T]> {
    return new Promise((resolve, reject) => {
      const error = this.#refusal(bytes, options);
      if (error === undefined) this.#begin(command, bytes, options, resolve, reject);
      else reject(error);
    });
  }

  /** Frees all waiters; nothing is proposed any more. */
  end(error: HoldfastError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    const at = this.#options.clock.now();
    for (const proposal of [...this.#queue.slice(this.#head), ...[...this.#batches].flat()]) {
      if (this.#machine.final[proposal.state]) continue;
      proposal.error = failure.ended(error, this.#isQueued(proposal));
      this.#machine.send(proposal, { type: 'engine.ended', at });
    }
    this.#queue = [];
    this.#head = 0;
    this.#deadlines.stop();
    this.#forgetUntold();
  }

  #refusal(
    bytes: number,
    { signal, proposeTimeoutMs, applyTimeoutMs }: ProposalOptions,
  ): HoldfastError | undefined {
    if (this.#end !== undefined) return failure.ended(this.#end, true);
    if (signal?.aborted) return failure.cancelled(signal.reason, true);
    if (proposeTimeoutMs !== undefined && !(proposeTimeoutMs > 0))
      return failure.badTimeout('proposeTimeoutMs', proposeTimeoutMs);
    if (applyTimeoutMs !== undefined && !(applyTimeoutMs > 0))
      return failure.badTimeout('applyTimeoutMs', applyTimeoutMs);
    if (this.#waiting >= limits.maxProposals || this.#waitingBytes + bytes > limits.maxProposalBytes)
      return failure.queueFull(this.#waiting, this.#waitingBytes);
    return undefined;
  }

  #begin(
    command: Command,
    bytes: number,
    { signal, proposeTimeoutMs, applyTimeoutMs }: ProposalOptions,
    resolve: (answer: never) => void,
    reject: (error: HoldfastError) => void,
  ): void {
    const context = this.#machine.initialContext({
      proposeTimeoutMs: proposeTimeoutMs ?? this.#options.proposeTimeoutMs,
      applyTimeoutMs: applyTimeoutMs ?? this.#options.applyTimeoutMs,
      startedAt: this.#options.clock.now(),
    });
    const proposal: Proposal = {
      state: 0,
      context,
      dueAt: 0,
      earlier: undefined,
      later: undefined,
      bucket: undefined,
      command,
      bytes,
      resolve,
      reject,
      unlisten: undefined,
      answer: undefined,
      error: undefined,
    };
    if (signal !== undefined) {
      const abort = (): void => this.#cancel(proposal, signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      proposal.unlisten = () => signal.removeEventListener('abort', abort);
    }
    this.#machine.enter(proposal);
  }

  #enqueue(proposal: Proposal): void {
    this.#queue.push(proposal);
    this.#waiting += 1;
    this.#waitingBytes += proposal.bytes;
    if (this.#pumping || this.#batches.size >= this.#options.backend.maxBatches) {
      this.#dropWithdrawn();
      return;
    }
    this.#pumping = true;
    // What is proposed in the same go travels together.
    void Promise.resolve().then(() => this.#pump());
  }

  /** While a backend stalls, the queue must not fill with those that gave up. */
  #dropWithdrawn(): void {
    const held = this.#queue.length - this.#head;
    if (held < 1_024 || held < 2 * this.#waiting) return;
    this.#queue = this.#queue.slice(this.#head).filter((proposal) => !this.#machine.final[proposal.state]);
    this.#head = 0;
  }

  #pump(): void {
    this.#pumping = false;
    while (this.#waiting > 0 && this.#batches.size < this.#options.backend.maxBatches) {
      this.#submit(this.#take());
    }
  }

  #submit(batch: readonly Proposal[]): void {
    this.#batches.add(batch);
    this.#run(batch.map(({ command }) => command)).then(
      (outcome) => this.#committed(batch, outcome),
      (error: unknown) => this.#failed(batch, failure.ofEngine(error)),
    );
  }

  /**
   * What the engine committed and could not answer it tells with the next batch. Watches must not wait until somebody has
   * one, so it gets an empty one; again and again, while it cannot take that.
   */
  #askForUntold(when: 'now' | 'later'): void {
    this.#forgetUntold();
    if (when === 'now') return this.#submit([]);
    this.#untold = this.#options.clock.setTimer(() => this.#askForUntold('now'), RETRY_MS);
  }

  #forgetUntold(): void {
    if (this.#untold !== undefined) this.#options.clock.clearTimer(this.#untold);
    this.#untold = undefined;
  }

  /** What a backend throws at once is a failure like any other. */
  async #run(commands: readonly Command[]): Promise<BatchOutcome> {
    return this.#options.backend.run(commands);
  }

  #take(): readonly Proposal[] {
    const batch: Proposal[] = [];
    let bytes = 0;
    this.#taken.at = this.#options.clock.now();
    while (
      this.#head < this.#queue.length &&
      batch.length < limits.maxBatch &&
      bytes < limits.maxBatchBytes
    ) {
      const proposal = this.#queue[this.#head++] as Proposal;
      if (this.#machine.final[proposal.state]) continue;
      this.#waiting -= 1;
      this.#waitingBytes -= proposal.bytes;
      bytes += proposal.bytes;
      this.#taken.epoch = proposal.context.control.epoch;
      this.#machine.send(proposal, this.#taken);
      batch.push(proposal);
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 65_536) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  #committed(batch: readonly Proposal[], { changes, outcomes }: BatchOutcome): void {
    this.#batches.delete(batch);
    if (this.#end !== undefined) return;
    this.#forgetUntold();
    if (changes.length > 0) this.#options.committed(changes);
    const at = this.#options.clock.now();
    for (let index = 0; index < batch.length; index++) {
      const proposal = batch[index] as Proposal;
      const outcome = outcomes[index];
      const { epoch } = proposal.context.control;
      const { command } = proposal;
      if (command.type === 'grant' && outcome !== undefined && !isRefusal(outcome))
        this.#options.granted(command);
      if (outcome === undefined) {
        proposal.error ??= failure.ofEngine(new Error('the engine left out an answer'));
        this.#machine.send(proposal, { type: 'submission.vanished', epoch, at });
      } else if (isRefusal(outcome)) {
        proposal.error ??= failure.refused(outcome);
        this.#machine.send(proposal, { type: 'submission.rejected', epoch, at });
      } else {
        proposal.answer = outcome;
        this.#applied.epoch = epoch;
        this.#applied.at = at;
        this.#machine.send(proposal, this.#applied);
      }
    }
    this.#pump();
  }

  #failed(batch: readonly Proposal[], error: HoldfastError): void {
    this.#batches.delete(batch);
    if (this.#end !== undefined) return;
    const at = this.#options.clock.now();
    const type: ProposalEvent['type'] =
      error.started === 'notStarted' ? 'submission.rejected' : 'submission.vanished';
    for (const proposal of batch) {
      proposal.error ??= error;
      this.#machine.send(proposal, { type, epoch: proposal.context.control.epoch, at });
    }
    if (type === 'submission.vanished' && batch.some(({ command }) => command.type === 'grant'))
      this.#options.doubted();
    if (batch.length === 0) this.#askForUntold('later');
    else if (type === 'submission.vanished') this.#askForUntold('now');
    this.#pump();
  }

  #cancel(proposal: Proposal, reason: unknown): void {
    if (this.#machine.final[proposal.state]) return;
    proposal.error = failure.cancelled(reason, this.#isQueued(proposal));
    this.#machine.send(proposal, { type: 'cancel.requested', at: this.#options.clock.now() });
  }

  #settle(proposal: Proposal): void {
    this.#deadlines.clear(proposal);
    proposal.unlisten?.();
    if (proposal.error === undefined) proposal.resolve(proposal.answer as never);
    else proposal.reject(proposal.error);
  }

  #isQueued({ state }: Proposal): boolean {
    return this.#machine.states[state] === 'queued';
  }

  #timesOf({ context: { ledger } }: Proposal): { proposeTimeoutMs: number; applyTimeoutMs: number } {
    return {
      proposeTimeoutMs: ledger.proposeDeadlineAt - ledger.startedAt,
      applyTimeoutMs: ledger.applyTimeoutMs,
    };
  }
}
