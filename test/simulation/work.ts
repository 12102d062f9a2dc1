// The functions that nodes offer, and the callers that use them and look at every answer.
// Invariant: a value says by itself whether it is right: it names its call, and its bytes follow from the name.
import { withCall, type CallFacts, type NodeFunctions } from '../../src/calls/functions.ts';
import type { Client } from '../../src/client/client.ts';
import { HoldfastError } from '../../src/protocol/errors.ts';
import { fnv1a } from '../../src/testing/prng.ts';
import type { Host } from '../../src/testing/index.ts';
import type { Entry, Ledger, Outcome } from './ledger.ts';
import type { CallPlan, Kind } from './scenario.ts';

/** What goes with a call. */
interface Task {
  readonly key: string;
  readonly load: Uint8Array;
  readonly resultBytes: number;
  readonly workMs: number;
  readonly rows: number;
}

/** A prime, so that chunks do not begin alike. */
const PERIOD = 251;

function loadOf(key: string, bytes: number): Uint8Array {
  const load = new Uint8Array(bytes);
  let word = fnv1a(key);
  for (let index = 0; index < Math.min(PERIOD, bytes); index += 1) {
    load[index] = word;
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 8;
  }
  for (let filled = PERIOD; filled < bytes; filled *= 2) load.copyWithin(filled, 0, filled);
  return load;
}

function isLoad(given: unknown, key: string, bytes: number): boolean {
  return given instanceof Uint8Array && Buffer.compare(given, loadOf(key, bytes)) === 0;
}

function sleep(host: Host, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = host.setTimer(resolve, ms);
    signal.addEventListener('abort', () => {
      host.clearTimer(timer);
      reject(new Error('aborted'));
    });
  });
}

/** The functions of one life of a node. */
export function functionsOf(
  host: Host,
  ledger: Ledger,
  kinds: readonly Kind[],
  broken: (what: string) => void,
) {
  const begin = ({ attempt }: CallFacts, task: Task): void => {
    // What a killed process still computes happened nowhere.
    if (host.state === 'killed') return;
    ledger.execute(task.key, host.name, attempt);
    const plan = ledger.entries.get(task.key)?.plan;
    if (plan !== undefined && !isLoad(task.load, task.key, plan.argumentBytes))
      broken(`${host.name} got ${task.key} with another argument than was sent`);
  };
  const answer = ({ key, resultBytes }: Task) => ({ key, load: loadOf(key, resultBytes) });
  const all: Record<Kind, NodeFunctions[string]> = {
    echo: withCall((call, task: Task) => {
      begin(call, task);
      return answer(task);
    }),
    wait: withCall(async (call, task: Task) => {
      begin(call, task);
      await sleep(host, task.workMs, call.signal);
      return answer(task);
    }),
    fail: withCall(async (call, task: Task) => {
      begin(call, task);
      await sleep(host, task.workMs / 10, call.signal);
      const error = new RangeError(`no ${task.key}`);
      // A stack names this machine's folders: the same seed would send other bytes elsewhere.
      delete error.stack;
      throw error;
    }),
    rows: withCall(async function* (call, task: Task) {
      begin(call, task);
      for (let row = 0; row < task.rows; row += 1) {
        if (task.workMs > 1) await sleep(host, task.workMs, call.signal);
        yield { row, ...answer(task) };
      }
    }),
  };
  return Object.fromEntries(kinds.map((kind) => [kind, all[kind]]));
}

/** Asks for what the plan says, and writes down what comes of it. */
export function ask(
  client: Client,
  host: Host,
  ledger: Ledger,
  plan: CallPlan,
  broken: (what: string) => void,
): Entry {
  const entry = ledger.ask(host.name, plan);
  const { key } = entry;
  const { kind, deadlineMs, idempotent, durable, node, labels, resultBytes, workMs, rows } = plan;
  const task: Task = { key, load: loadOf(key, plan.argumentBytes), resultBytes, workMs, rows };
  const abort = new AbortController();
  const { signal } = abort;
  if (plan.cancelAfterMs !== undefined) {
    host.setTimer(() => {
      entry.cancelledAt ??= host.now();
      abort.abort();
    }, plan.cancelAfterMs);
  }
  const options = { deadlineMs, idempotent, durable, node, labels, signal };
  const succeeded = (): void => {
    settle({ code: 'succeeded', started: undefined, node: undefined, message: '' });
    if (kind === 'fail') broken(`${key} succeeded, and its function always fails`);
  };
  const settle = (outcome: Omit<Outcome, 'at'>): void => ledger.settle(entry, { ...outcome, at: host.now() });
  const check = (value: unknown, row?: number): void => {
    const given = value as { key?: unknown; load?: unknown; row?: unknown };
    const isRight = given?.key === key && given.row === row && isLoad(given.load, key, resultBytes);
    if (!isRight) broken(`${key} got a wrong value${row === undefined ? '' : ` in place of row ${row}`}`);
  };
  const done =
    kind === 'rows'
      ? consume(client.stream('rows', [task], options), entry, host, check)
      : client.call(kind, [task], options).then((value) => check(value));
  done.then(succeeded, (error: unknown) => settle(outcomeOf(error, broken)));
  return entry;
}

async function consume(
  stream: AsyncIterableIterator<unknown>,
  entry: Entry,
  host: Host,
  check: (value: unknown, row: number) => void,
): Promise<void> {
  const { rows, leaveAfter, consumeMs } = entry.plan;
  let row = 0;
  for await (const value of stream) {
    check(value, row);
    row += 1;
    if (consumeMs > 0) await new Promise<void>((resolve) => void host.setTimer(resolve, consumeMs));
    if (leaveAfter !== undefined && row > leaveAfter) {
      entry.cancelledAt ??= host.now();
      return;
    }
  }
  if (row !== rows) throw new Error(`${row} rows came of ${rows}`);
}

function outcomeOf(error: unknown, broken: (what: string) => void): Omit<Outcome, 'at'> {
  if (!(error instanceof HoldfastError)) {
    broken(`a call ended with what is no HoldfastError: ${String(error)}`);
    return { code: 'none', started: undefined, node: undefined, message: String(error) };
  }
  const { code, started, node, message } = error;
  return { code, started, node, message };
}
