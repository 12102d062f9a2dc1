// The last committed round of a run in a store: model, optimizer state, and what is needed to go on from there.
// Invariant: bytes are written first, under a prefix of their own, and count from the one transaction that writes the pointer
// to them, which also sweeps all others: whoever reads finds one whole checkpoint, or none.
import type { Digest, Log, Random } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { decodeText, utf8Encoder } from '../protocol/text.ts';
import {
  checkpointKey,
  checkpointRecord,
  piecesPrefix,
  type CheckpointRecord,
} from '../protocol/training-records.ts';
import { prefixEnd } from '../store/bytes.ts';
import type { Operation, Revision, Store, TxnResponse } from '../store/contract.ts';
import type { Weights } from './contract.ts';
import { decodeWeights, hashOf, weightsParts } from './layout.ts';
import { readPieces, writePieces } from './pieces.ts';
import { mismatch } from './weights.ts';

export interface Checkpoint {
  /** That was committed last; 0 is the model that training began with. */
  readonly round: number;
  /** Of the attempt that committed it. */
  readonly epoch: number;
  readonly weights: Weights;
  /** Hash of `weights`. */
  readonly model: string;
  /** The strategy's: moments and the like. */
  readonly state: Weights;
  /** Name of the strategy. */
  readonly strategy: string;
  readonly seed: number;
  /** Nodes that take part in training. */
  readonly members: readonly string[];
}

export interface CheckpointsOptions {
  readonly store: Store;
  readonly run: string;
  readonly digest: Digest;
  /** Names the bytes of this writer, so that no other writes over them. */
  readonly random: Random;
  readonly log: Log;
}

/** What the one who resumes brings; a checkpoint must fit it. */
export interface Expected {
  readonly strategy: string;
  /** A model of the same shapes. @default any */
  readonly weights?: Weights | undefined;
}

export interface SaveOptions {
  /** Done in the same transaction: what belongs to this round. At most 100 operations. @default none */
  readonly beside?: readonly Operation[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reading collides with a save, or with its compaction, so seldom that a few attempts always suffice. */
const ATTEMPTS = 5;

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #key: Uint8Array;
  readonly #writer: string;
  #saves = 0;
  /** Of the pointer, as it was read or written last; 0 when there is none. */
  #revision: Revision = 0;
  #superseded = 0;
  /** Of the checkpoint that the pointer names. */
  #bytes = 0;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.#key = utf8Encoder.encode(checkpointKey(options.run));
    this.#writer = options.random.id();
  }

  /**
   * The checkpoint that holds; undefined when the run has none. From then on this writer may save.
   * @throws HoldfastError `store_failed` for one that is damaged; `invalid_option` for one of another strategy or model; of the
   * store
   */
  async load(expected?: Expected): Promise<Checkpoint | undefined> {
    const { store } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#point();
      if (found === undefined) {
        this.#adopt(0, undefined);
        return undefined;
      }
      const { record, revision } = found;
      try {
        const bytes = await readPieces(store, record.place, record.bytes, revision);
        const weights = decodeWeights(bytes.subarray(0, record.modelBytes));
        const state = decodeWeights(bytes.subarray(record.modelBytes));
        await this.#verify('model', weights, record.model);
        await this.#verify('state', state, record.state);
        const { round, epoch, model, strategy, seed, members } = record;
        const checkpoint = { round, epoch, weights, model, state, strategy, seed, members };
        if (expected !== undefined) this.#checkFits(checkpoint, expected);
        this.#adopt(found.at, record);
        return checkpoint;
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        // Superseded and compacted while it was read: the newer one is there.
        if (error.code === 'compacted' && attempt < ATTEMPTS) continue;
        throw error.code === 'invalid_argument' ? this.#damaged(`its round ${record.round}`, error) : error;
      }
    }
  }

  /**
   * Makes this the checkpoint that holds. When it fails, the one before holds, and the next save starts afresh.
   * @throws HoldfastError `store_failed` when another trainer has written this run; of the store
   */
  async save(checkpoint: Checkpoint, { beside = [], signal }: SaveOptions = {}): Promise<void> {
    const { store, run, digest } = this.#options;
    const modelParts = weightsParts(checkpoint.weights);
    const stateParts = weightsParts(checkpoint.state);
    const modelBytes = total(modelParts);
    const bytes = modelBytes + total(stateParts);
    const state = await digest.sha256(stateParts);
    const { round, epoch, strategy, seed, members, model } = checkpoint;
    for (;;) {
      this.#saves += 1;
      const place = `${piecesPrefix(run)}${round}/${this.#writer}-${this.#saves}/`;
      await writePieces(store, place, [...modelParts, ...stateParts], bytes, signal);
      const supersededBytes = this.#superseded + this.#bytes;
      const facts = { round, epoch, strategy, seed, members: [...members], model, state };
      const record = { format: 1 as const, ...facts, place, bytes, modelBytes, supersededBytes };
      const outcome = await this.#commit(record, beside, signal);
      if (outcome === 'again') continue;
      this.#adopt(outcome, record);
      if (supersededBytes > limits.keptCheckpointBytes) void this.#forget(outcome);
      return;
    }
  }

  /** Answers the pointer's new revision; `again` when an earlier write of this writer has come true late, and swept the pieces. */
  async #commit(
    record: CheckpointRecord,
    beside: readonly Operation[],
    signal: AbortSignal | undefined,
  ): Promise<Revision | 'again'> {
    const { store, run } = this.#options;
    const all = utf8Encoder.encode(piecesPrefix(run));
    const own = utf8Encoder.encode(record.place);
    let answer: TxnResponse;
    try {
      answer = await store.txn(
        {
          compare: [{ key: this.#key, target: 'modRevision', relation: 'equal', operand: this.#revision }],
          success: [
            { type: 'put', key: this.#key, value: utf8Encoder.encode(JSON.stringify(record)) },
            { type: 'delete', key: all, end: own },
            { type: 'delete', key: prefixEnd(own), end: prefixEnd(all) },
            ...beside,
          ],
        },
        { signal },
      );
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.started !== 'unknown') throw error;
      const found = await this.#point();
      if (found?.record.place === record.place) return found.at;
      throw error;
    }
    if (answer.succeeded) return answer.revision;
    const found = await this.#point();
    if (found === undefined || !found.record.place.includes(`/${this.#writer}-`))
      throw this.#foreign(found?.record);
    this.#adopt(found.at, found.record);
    return 'again';
  }

  /** The pointer: what it says, since when, and as of which revision. */
  async #point(): Promise<{ record: CheckpointRecord; at: Revision; revision: Revision } | undefined> {
    const { entries, revision } = await this.#options.store.range({ key: this.#key });
    const [entry] = entries;
    if (entry === undefined) return undefined;
    try {
      const record = checkpointRecord.parse(JSON.parse(decodeText(entry.value, 0, entry.value.length)));
      return { record, at: entry.modRevision, revision };
    } catch (error) {
      throw this.#damaged(`what stands at ${checkpointKey(this.#options.run)}`, error);
    }
  }

  #adopt(revision: Revision, record: CheckpointRecord | undefined): void {
    this.#revision = revision;
    this.#bytes = record?.bytes ?? 0;
    this.#superseded = record?.supersededBytes ?? 0;
  }

  /** Old checkpoints are large, and an embedded store keeps what was deleted until it is told to forget it. */
  async #forget(revision: Revision): Promise<void> {
    const { store, log, run } = this.#options;
    try {
      // A real etcd is compacted by those who run it.
      if ((await store.status()).engine !== 'etcd') await store.compact(revision);
    } catch (error) {
      if (error instanceof HoldfastError && (error.code === 'compacted' || error.code === 'stopped')) return;
      log.warn({ run, error }, 'old checkpoints could not be compacted; the store grows until they can');
      return;
    }
    this.#superseded = 0;
  }

  async #verify(what: string, weights: Weights, hash: string): Promise<void> {
    const found = await hashOf(weights, this.#options.digest);
    if (found === hash) return;
    throw new HoldfastError(`its ${what} has the hash ${found} where ${hash} was written`, {
      code: 'invalid_argument',
    });
  }

  #checkFits({ round, strategy, weights }: Checkpoint, expected: Expected): void {
    const name = `run ${this.#options.run} has a checkpoint of round ${round}`;
    if (strategy !== expected.strategy)
      throw new HoldfastError(
        `${name} of the strategy ${strategy}, and ${expected.strategy} cannot go on from it; resume with ${strategy}, or start another run`,
        { code: 'invalid_option' },
      );
    const fault = expected.weights === undefined ? undefined : mismatch(expected.weights, weights);
    if (fault === undefined) return;
    throw new HoldfastError(
      `${name} of another model (given: ${fault.message} of the checkpoint); resume with that model, or start another run`,
      { code: 'invalid_option' },
    );
  }

  #damaged(what: string, cause: unknown): HoldfastError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new HoldfastError(
      `the checkpoint of run ${this.#options.run} is damaged: ${what}: ${why}; restore the store from a backup, or start another run`,
      { code: 'store_failed', cause },
    );
  }

  #foreign(found: CheckpointRecord | undefined): HoldfastError {
    const { run } = this.#options;
    const why =
      found === undefined
        ? `run ${run} lost its checkpoint: somebody deleted it`
        : `run ${run} has a checkpoint of round ${found.round} that this trainer did not write; resume the run, or start another`;
    return new HoldfastError(why, { code: 'store_failed', started: 'notStarted' });
  }
}

function total(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
