// Runs batches of commands over a keyspace in a file: one transaction a batch, so that all its writers share one flush.
// Invariant: what is answered as done is durable, and all that was committed is told once, in order; a command that
// fails takes no other of its batch with it.
import { HoldfastError } from '../protocol/errors.ts';
import { applyBatch } from '../store/apply.ts';
import type { BatchOutcome } from '../store/backend.ts';
import type { Command, Outcome } from '../store/commands.ts';
import type { Revision } from '../store/contract.ts';
import type { Change } from '../store/keyspace.ts';
import type { SqliteKeyspace } from './sqlite-keyspace.ts';
import type { Done, Failed } from './sqlite-messages.ts';

const everything = { key: new Uint8Array(0), end: new Uint8Array(0) };
const unbounded = { changes: Infinity, bytes: Infinity };

export class SqliteWriter {
  readonly #keyspace: SqliteKeyspace;
  /** Changes up to this revision were told. */
  #told: Revision;

  /** `told`: what a thread that is gone had told. */
  constructor(keyspace: SqliteKeyspace, told: Revision = keyspace.revision) {
    this.#keyspace = keyspace;
    this.#told = told;
  }

  get told(): Revision {
    return this.#told;
  }

  /** @throws what leaves the keyspace in an unknown state: it must be opened anew */
  run(commands: readonly Command[]): Done | Failed {
    const before = this.#keyspace.commits;
    try {
      const untold = this.#untold();
      const { changes, outcomes } = this.#apply(commands);
      this.#told = this.#keyspace.revision;
      return { type: 'done', changes: [...untold, ...changes], outcomes, told: this.#told };
    } catch (failure) {
      if (this.#keyspace.isBroken) throw failure;
      return { type: 'failed', ...this.#account(failure, before) };
    }
  }

  #account(failure: unknown, before: number): Omit<Failed, 'type'> {
    const message = failure instanceof Error ? failure.message : String(failure);
    if (this.#keyspace.commits > before) return { message, started: 'unknown' };
    const said = failure instanceof HoldfastError ? failure.started : undefined;
    return { message, started: said ?? 'notStarted' };
  }

  /** What a thread that is gone, or a batch whose answer failed, committed and did not tell. */
  #untold(): readonly Change[] {
    const { revision } = this.#keyspace;
    if (this.#told >= revision) return [];
    return this.#keyspace.history(everything, this.#told + 1, revision, unbounded).changes;
  }

  #apply(commands: readonly Command[]): BatchOutcome {
    const before = this.#keyspace.commits;
    const outcome = applyBatch(this.#keyspace, commands);
    // One of them cannot be written: which one shows when each is a transaction.
    return this.#keyspace.commits === before && commands.length > 1 ? this.#applyEach(commands) : outcome;
  }

  #applyEach(commands: readonly Command[]): BatchOutcome {
    const changes: Change[] = [];
    const outcomes: Outcome[] = [];
    for (const command of commands) {
      const alone = applyBatch(this.#keyspace, [command]);
      changes.push(...alone.changes);
      outcomes.push(...alone.outcomes);
    }
    return { changes, outcomes };
  }
}
