// Durable calls in the store: each a JSON record, there from before it is sent until nobody asks for it any more.
// Invariant: a record is taken away only after the write that made it has ended, so none outlives its call.
import type { CallJournal, KeptCall } from '../calls/durables.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { callKey, callRecord, callsPrefix, type CallRecord } from '../protocol/records.ts';
import { utf8Encoder } from '../protocol/text.ts';
import type { Operation, Store } from '../store/contract.ts';
import type { Fence, Journal } from './journal.ts';
import { readRecords } from './read-records.ts';
import type { Log } from '../ports.ts';

export interface StoredCallsOptions {
  readonly store: Store;
  readonly log: Log;
  readonly hubId: string;
  readonly fence: Fence;
  readonly journal: Journal;
}

export class StoredCalls implements CallJournal {
  readonly #options: StoredCallsOptions;
  /** Writes that have not ended, by key. */
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(options: StoredCallsOptions) {
    this.#options = options;
  }

  /** What earlier starts of this hub kept, the oldest first. */
  async read(): Promise<KeptCall[]> {
    const { store, log, hubId } = this.#options;
    const found = await readRecords(store, callsPrefix(hubId), callRecord, log);
    return found.map(([, record]) => keptOf(record));
  }

  keep(call: KeptCall): Promise<void> {
    const name = callKey(this.#options.hubId, call.client.instance, call.attempt);
    const value = utf8Encoder.encode(JSON.stringify(recordOf(call)));
    return this.#write(name, { type: 'put', key: utf8Encoder.encode(name), value });
  }

  withdraw(client: string, attempt: number): Promise<void> {
    const name = callKey(this.#options.hubId, client, attempt);
    return this.#write(name, { type: 'delete', key: utf8Encoder.encode(name) });
  }

  async #write(name: string, operation: Operation): Promise<void> {
    const { store, fence, hubId } = this.#options;
    const write = () =>
      store.txn({
        compare: [{ key: fence.key, target: 'modRevision', relation: 'equal', operand: fence.revision }],
        success: [operation],
      });
    // One after the other: a store on a network may not keep their order, and the last one says which node has the call.
    const before = this.#writing.get(name);
    const written = before === undefined ? write() : before.then(write, write);
    this.#writing.set(name, written);
    try {
      const { succeeded } = await written;
      if (succeeded) return;
    } finally {
      if (this.#writing.get(name) === written) this.#writing.delete(name);
    }
    throw new HoldfastError(`another hub with the id ${hubId} has started on the store`, {
      code: 'store_failed',
      started: 'notStarted',
    });
  }

  forget(client: string, attempt: number): void {
    const { journal, hubId } = this.#options;
    const key = callKey(hubId, client, attempt);
    const remove = (): void => journal.write(key, undefined);
    const writing = this.#writing.get(key);
    if (writing === undefined) remove();
    else void writing.then(remove, remove);
  }
}

function recordOf({ frames, node, ...call }: KeptCall): CallRecord {
  const target = call.target === undefined ? null : { node: call.target.node, labels: call.target.labels };
  return {
    ...call,
    target,
    node: node ?? null,
    frames: frames.map(({ type, flags, bytes }) => ({ type, flags, base64: toBase64(bytes) })),
  };
}

function keptOf({ frames, node, target, ...call }: CallRecord): KeptCall {
  return {
    ...call,
    target: target === null ? undefined : (target as KeptCall['target']),
    node: node ?? undefined,
    frames: frames.map(({ type, flags, base64 }) => ({ type, flags, bytes: fromBase64(base64) })),
  };
}

/** `btoa` takes one character for each byte; so many at once lie on the stack. */
const CHUNK = 8_192;

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
