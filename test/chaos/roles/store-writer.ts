// Writers of a store in a file that is killed under them: each changes two keys together and tells when that is acknowledged.
// Invariant: a writer has one transaction under way at most.
import { openSqliteBackend } from '../../../src/adapters/sqlite-backend.ts';
import { isRefusal, type Command } from '../../../src/store/commands.ts';
import type { Revision } from '../../../src/store/contract.ts';
import { roleOptions, tell } from './role.ts';

export interface StoreWriterOptions {
  readonly directory: string;
  readonly writers: number;
  /** What a writer counts on from, by writer. */
  readonly counts: readonly number[];
  /** `early` and `apart` are wrong: acknowledged before it is written; the second key in a transaction of its own. */
  readonly way: 'right' | 'early' | 'apart';
}

const { directory, writers, counts, way } = roleOptions<StoreWriterOptions>();
const encoder = new TextEncoder();

/** The first key is written anew each time and the second one comes and goes. */
function changes(
  writer: number,
  count: number,
): [Command & { type: 'put' }, Command & { type: 'put' | 'delete' }] {
  const value = encoder.encode(`${count}`.padEnd(100));
  const second = encoder.encode(`pair/${writer}/b`);
  return [
    { type: 'put', key: encoder.encode(`pair/${writer}/a`), value },
    count % 5 === 0 ? { type: 'delete', key: second } : { type: 'put', key: second, value },
  ];
}

process.on('disconnect', () => process.exit(1));
const backend = await openSqliteBackend({ directory });

let waiting: { command: Command; answered(): void }[] = [];
function run(command: Command): Promise<void> {
  return new Promise((answered) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push({ command, answered });
  });
}
function flush(): void {
  const batch = waiting;
  waiting = [];
  void backend.run(batch.map(({ command }) => command)).then(({ outcomes }) => {
    if (outcomes.some(isRefusal)) throw new Error(`refused: ${JSON.stringify(outcomes)}`);
    for (const { answered } of batch) answered();
  });
}

let acknowledged: [writer: number, count: number][] = [];
function acknowledge(writer: number, count: number): void {
  if (acknowledged.length === 0) {
    setImmediate(() => {
      tell({ event: 'acknowledged', counts: acknowledged });
      acknowledged = [];
    });
  }
  acknowledged.push([writer, count]);
}

async function write(writer: number): Promise<never> {
  for (let count = (counts[writer] ?? 0) + 1; ; count++) {
    const [first, second] = changes(writer, count);
    if (way === 'early') acknowledge(writer, count);
    if (way === 'apart') {
      await run(first);
      acknowledge(writer, count);
      await run(second);
    } else await run({ type: 'txn', success: [first, second] });
    if (way === 'right') acknowledge(writer, count);
  }
}

/** Keeps the sweep at work. */
async function compact(floor: Revision): Promise<never> {
  for (let revision = floor; ;) {
    const { outcomes } = await backend.run([{ type: 'status' }]);
    const [status] = outcomes;
    if (status !== undefined && 'compactRevision' in status && status.revision > revision + 100) {
      revision = status.revision - 20;
      await backend.run([{ type: 'compact', revision }]);
    }
  }
}

tell({ event: 'opened' });
await Promise.all([compact(0), ...Array.from({ length: writers }, (_, writer) => write(writer))]);
