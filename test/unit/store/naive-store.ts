// The store's rules once more, as plainly as possible: a copy of the whole state for each revision.
// Invariant: shares no code with the evaluator that it judges.
import type {
  Comparison,
  DeleteRequest,
  KeyRange,
  KeyValue,
  Operation,
  OperationResponse,
  PutRequest,
  RangeRequest,
  TxnResponse,
} from '../../../src/store/contract.ts';

type State = ReadonlyMap<string, KeyValue>;

/** Bytes as text of the same order; the tests' bytes are all below 128. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

class Refused extends Error {}

function within({ key, end }: KeyRange, candidate: string): boolean {
  if (end === undefined) return candidate === text(key);
  return candidate >= text(key) && (text(end) === '' || candidate < text(end));
}

function compare(relation: Comparison['relation'], a: number | string, b: number | string): boolean {
  if (relation === 'equal') return a === b;
  if (relation === 'notEqual') return a !== b;
  return relation === 'greater' ? a > b : a < b;
}

export class NaiveStore {
  states: State[] = [new Map(), new Map()];
  leases = new Set<string>();

  get revision(): number {
    return this.states.length - 1;
  }

  /** The response, or the code of the refusal. */
  apply(operation: Operation): OperationResponse | string {
    const before = this.states;
    try {
      const state = new Map(this.states.at(-1));
      const box = { state, changed: false };
      const planned = this.#plan([operation]);
      this.#check(planned);
      const response = this.#run(planned[0]!, box);
      if (box.changed) this.states = [...before, box.state];
      return operation.type === 'txn' ? this.#stamp(response as TxnResponse & { type: 'txn' }) : response;
    } catch (error) {
      if (error instanceof Refused) return error.message;
      throw error;
    }
  }

  /** Each transaction is replaced by the branch that it takes. */
  #plan(operations: readonly Operation[]): Planned[] {
    return operations.map((operation) => {
      if (operation.type !== 'txn') return { operation, succeeded: false, inner: [] };
      const succeeded = (operation.compare ?? []).every((comparison) => this.#holds(comparison));
      const branch = (succeeded ? operation.success : operation.failure) ?? [];
      return { operation, succeeded, inner: this.#plan(branch) };
    });
  }

  #holds(comparison: Comparison): boolean {
    const found = [...this.states.at(-1)!.values()].filter(({ key }) => within(comparison, text(key)));
    if (found.length === 0 && comparison.target === 'value') return false;
    const none = { value: bytes(''), version: 0, createRevision: 0, modRevision: 0, lease: undefined };
    return (found.length === 0 ? [none] : found).every((entry) => {
      if (comparison.target === 'value')
        return compare(comparison.relation, text(entry.value), text(comparison.operand));
      if (comparison.target === 'lease')
        return compare(comparison.relation, Number(entry.lease ?? 0), Number(comparison.operand));
      return compare(comparison.relation, entry[comparison.target], comparison.operand);
    });
  }

  #check(planned: readonly Planned[]): void {
    for (const { operation, inner } of planned) {
      if (operation.type === 'txn') this.#check(inner);
      if (operation.type === 'range' && (operation.revision ?? 0) > this.revision)
        throw new Refused('future_revision');
      if (operation.type !== 'put') continue;
      if ((operation.ignoreLease || operation.ignoreValue) && !this.states.at(-1)!.has(text(operation.key)))
        throw new Refused('key_not_found');
      if (operation.lease !== undefined && !this.leases.has(operation.lease))
        throw new Refused('lease_not_found');
    }
  }

  #run({ operation, succeeded, inner }: Planned, box: Box): OperationResponse {
    const now = () => this.revision + (box.changed ? 1 : 0);
    switch (operation.type) {
      case 'put':
        return { type: 'put', ...this.#put(operation, box) };
      case 'delete':
        return { type: 'delete', ...this.#delete(operation, box), revision: now() };
      case 'range': {
        const at = operation.revision;
        const state = at === undefined || at <= 0 ? box.state : this.states[at]!;
        return { type: 'range', ...range(operation, state), revision: now() };
      }
      case 'txn': {
        const responses = inner.map((part) => this.#run(part, box));
        return { type: 'txn', succeeded, responses, revision: 0 };
      }
    }
  }

  #put({ key, value, lease, ignoreLease, ignoreValue, previous: wanted }: PutRequest, box: Box) {
    const revision = this.revision + 1;
    const previous = box.state.get(text(key));
    box.state.set(text(key), {
      key,
      value: ignoreValue ? previous!.value : (value ?? bytes('')),
      createRevision: previous === undefined ? revision : previous.createRevision,
      modRevision: revision,
      version: previous === undefined ? 1 : previous.version + 1,
      lease: ignoreLease ? previous!.lease : lease,
    });
    box.changed = true;
    return wanted ? { revision, previous } : { revision };
  }

  #delete(request: DeleteRequest, box: Box) {
    const gone = inOrder(box.state).filter(({ key }) => within(request, text(key)));
    for (const { key } of gone) box.state.delete(text(key));
    if (gone.length > 0) box.changed = true;
    return { deleted: gone.length, previous: request.previous ? gone : [] };
  }

  #stamp(response: TxnResponse & { type: 'txn' }): TxnResponse & { type: 'txn' } {
    const responses = response.responses.map((inner) => (inner.type === 'txn' ? this.#stamp(inner) : inner));
    return { ...response, responses, revision: this.revision };
  }
}

interface Planned {
  readonly operation: Operation;
  readonly succeeded: boolean;
  readonly inner: readonly Planned[];
}

interface Box {
  readonly state: Map<string, KeyValue>;
  changed: boolean;
}

const inOrder = (state: State): KeyValue[] =>
  [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);

function range(request: RangeRequest, state: State) {
  const all = inOrder(state).filter(({ key }) => within(request, text(key)));
  if (request.countOnly) return { entries: [], more: false, count: all.length };
  let entries = all.filter(
    (entry) =>
      entry.modRevision >= (request.minModRevision || 0) &&
      entry.modRevision <= (request.maxModRevision || Infinity) &&
      entry.createRevision >= (request.minCreateRevision || 0) &&
      entry.createRevision <= (request.maxCreateRevision || Infinity),
  );
  const { by = 'key', descending = false } = request.sort ?? {};
  const of = (entry: KeyValue) => (by === 'key' || by === 'value' ? text(entry[by]) : entry[by]);
  const sign = descending ? -1 : 1;
  entries = entries.toSorted((a, b) => (of(a) < of(b) ? -sign : of(a) > of(b) ? sign : 0));
  const limit = request.limit || Infinity;
  const more = entries.length > limit;
  if (request.keysOnly) entries = entries.map((entry) => ({ ...entry, value: bytes('') }));
  return { entries: entries.slice(0, limit), more, count: all.length };
}
