// `holdfast store export` and `import`: the entries of a store as lines of JSON.
// Invariant: an export is as of one revision, however long it takes; an import says how many entries it wrote.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { HoldfastError, type KeyRange, type Operation, type Store } from '../index.ts';
import { printLine } from './report.ts';
import {
  addRangeFlags,
  bytesOf,
  jsonEntry,
  rangeOf,
  addStoreFlags,
  withStore,
  type RangeFlags,
  type StoreFlags,
} from './store-flags.ts';

const PAGE = 500;
/** A transaction takes 128 operations and 1.5 MiB. */
const TOGETHER = 100;
const TOGETHER_BYTES = 1_000_000;

export function exportCommand(): Command {
  const command = new Command('export')
    .description('print all entries as lines of JSON, as of one revision')
    .argument('[key]', 'only this one; or with --prefix, those that begin with it', '');
  return addRangeFlags(addStoreFlags(command)).action((key: string, flags: StoreFlags & RangeFlags) =>
    withStore(command, flags, (store) =>
      exportEntries(store, rangeOf(key, undefined, key === '' ? { prefix: true } : flags)),
    ),
  );
}

async function exportEntries(store: Store, range: KeyRange): Promise<void> {
  let revision: number | undefined;
  let next = range;
  for (;;) {
    const page = await store.range({ ...next, revision, limit: PAGE });
    revision ??= page.revision;
    for (const entry of page.entries) await write(`${JSON.stringify(jsonEntry(entry))}\n`);
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return;
    // The first possible key after it.
    next = { ...range, key: Uint8Array.from([...last.key, 0]) };
  }
}

/** Waits while the reader is slow. */
async function write(line: string): Promise<void> {
  if (process.stdout.write(line)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', () => resolve()));
}

export function importCommand(): Command {
  const command = new Command('import')
    .description('put the entries of an export; those that belonged to a lease are left out')
    .argument('[file]', 'without it, standard input')
    .option('--json', 'print JSON');
  return addStoreFlags(command).action((file: string | undefined, flags: StoreFlags) =>
    withStore(command, flags, (store) => importAll(store, file, flags), 'writes'),
  );
}

async function importAll(store: Store, file: string | undefined, { json }: StoreFlags): Promise<void> {
  const { written, leftOut } = await importEntries(store, file);
  if (json) return printLine(JSON.stringify({ written, leftOut }));
  printLine(`${written} entries written${leftOut === 0 ? '' : `, ${leftOut} left out: they had a lease`}`);
}

interface Counts {
  written: number;
  leftOut: number;
}

/** @throws HoldfastError that says what was written before */
async function importEntries(store: Store, file: string | undefined): Promise<Counts> {
  const counts = { written: 0, leftOut: 0 };
  try {
    await importLines(store, file, counts);
    return counts;
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : 'invalid_argument';
    const message = `${(error as Error).message}; ${counts.written} entries were written before`;
    throw new HoldfastError(message, { code, cause: error });
  }
}

async function importLines(store: Store, file: string | undefined, counts: Counts): Promise<void> {
  const lines = createInterface({ input: file === undefined ? process.stdin : createReadStream(file) });
  let together: Operation[] = [];
  let bytes = 0;
  let lineNumber = 0;
  const flush = async (): Promise<void> => {
    if (together.length > 0) await store.txn({ success: together });
    counts.written += together.length;
    together = [];
    bytes = 0;
  };
  for await (const line of lines) {
    lineNumber++;
    if (line.trim() === '') continue;
    const { key, value, lease } = readLine(line, lineNumber);
    if (lease !== undefined) {
      counts.leftOut++;
      continue;
    }
    const size = key.length + value.length;
    // A key that comes twice in a file may not come twice in a transaction.
    const twice = together.some((one) => one.type === 'put' && Buffer.compare(one.key, key) === 0);
    if (twice || together.length === TOGETHER || bytes + size > TOGETHER_BYTES) await flush();
    together.push({ type: 'put', key, value });
    bytes += size;
  }
  await flush();
}

function readLine(line: string, lineNumber: number): { key: Uint8Array; value: Uint8Array; lease: unknown } {
  try {
    const { key, value, lease } = JSON.parse(line) as { key: unknown; value: unknown; lease: unknown };
    return { key: bytesOf(key), value: bytesOf(value), lease };
  } catch (error) {
    throw new HoldfastError(`line ${lineNumber} is no entry of an export: ${(error as Error).message}`, {
      code: 'invalid_argument',
      cause: error,
    });
  }
}
