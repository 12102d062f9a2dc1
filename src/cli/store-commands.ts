// `holdfast store get`, `put`, `del`, `watch`, `compact`: one request to a store.
// Invariant: standard output carries the answer and nothing else.
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { watchEvents, type RangeRequest, type Store, type WatchEvent } from '../index.ts';
import { parseCount } from './arguments.ts';
import { printLine } from './report.ts';
import { onStopSignal } from './signals.ts';
import {
  addRangeFlags,
  jsonEntry,
  jsonOf,
  printable,
  rangeOf,
  addStoreFlags,
  withStore,
  type RangeFlags,
  type StoreFlags,
} from './store-flags.ts';

interface GetFlags extends StoreFlags, RangeFlags {
  readonly rev?: number;
  readonly limit?: number;
  readonly keysOnly?: true;
  readonly count?: true;
}

export function getCommand(): Command {
  const command = new Command('get')
    .description('print the value of a key; of more than one, KEY<tab>VALUE a line')
    .argument('<key>')
    .argument('[end]', 'all keys from KEY on that lie before this one')
    .option('--rev <revision>', 'as of this revision', parseCount)
    .option('--limit <number>', 'most entries to print', parseCount)
    .option('--keys-only', 'print no values')
    .option('--count', 'print how many there are')
    .option('--json', 'print an object a line, with revisions');
  return addRangeFlags(addStoreFlags(command)).action(
    (key: string, end: string | undefined, flags: GetFlags) =>
      withStore(command, flags, (store) => get(store, rangeOf(key, end, flags), flags)),
  );
}

async function get(store: Store, range: RangeRequest, flags: GetFlags): Promise<void> {
  const answer = await store.range({
    ...range,
    revision: flags.rev,
    limit: flags.limit,
    keysOnly: flags.keysOnly,
    countOnly: flags.count,
  });
  if (flags.count)
    return printLine(flags.json ? JSON.stringify({ count: answer.count }) : String(answer.count));
  const one = range.end === undefined;
  for (const entry of answer.entries) {
    if (flags.json) printLine(JSON.stringify(jsonEntry(entry)));
    else if (flags.keysOnly) printLine(printable(entry.key));
    else if (one) printLine(Buffer.from(entry.value).toString());
    else printLine(`${printable(entry.key)}\t${printable(entry.value)}`);
  }
  // Scripts ask whether there is one.
  if (one && answer.count === 0) process.exitCode = 1;
}

interface PutFlags extends StoreFlags {
  readonly lease?: string;
}

export function putCommand(): Command {
  const command = new Command('put')
    .description('set the value of a key')
    .argument('<key>')
    .argument('[value]', 'without it, standard input')
    .option('--lease <id>', 'the key goes when this lease goes: its id, a decimal number')
    .option('--json', 'print JSON');
  return addStoreFlags(command).action((key: string, value: string | undefined, flags: PutFlags) =>
    withStore(command, flags, (store) => put(store, key, value, flags), 'writes'),
  );
}

async function put(
  store: Store,
  key: string,
  value: string | undefined,
  { lease, json }: PutFlags,
): Promise<void> {
  const encoder = new TextEncoder();
  const { revision } = await store.put({
    key: encoder.encode(key),
    value: encoder.encode(value ?? (await text(process.stdin))),
    lease,
  });
  printLine(json ? JSON.stringify({ revision }) : `revision ${revision}`);
}

export function delCommand(): Command {
  const command = new Command('del')
    .description('delete keys')
    .argument('<key>')
    .argument('[end]', 'all keys from KEY on that lie before this one')
    .option('--json', 'print JSON');
  return addRangeFlags(addStoreFlags(command)).action(
    (key: string, end: string | undefined, flags: StoreFlags & RangeFlags) =>
      withStore(command, flags, async (store) => {
        const { deleted, revision } = await store.delete(rangeOf(key, end, flags));
        printLine(flags.json ? JSON.stringify({ deleted, revision }) : `deleted ${deleted}`);
      }),
  );
}

interface WatchFlags extends StoreFlags, RangeFlags {
  readonly rev?: number;
  readonly previous?: true;
}

export function watchCommand(): Command {
  const command = new Command('watch')
    .description('print changes as they happen, until Ctrl-C')
    .argument('<key>')
    .argument('[end]', 'all keys from KEY on that lie before this one')
    .option('--rev <revision>', 'begin with this revision, which may be past', parseCount)
    .option('--previous', 'print what was there before, too')
    .option('--json', 'print an object a line');
  return addRangeFlags(addStoreFlags(command)).action(
    (key: string, end: string | undefined, flags: WatchFlags) =>
      withStore(command, flags, async (store) => {
        const stop = new AbortController();
        const release = onStopSignal(() => stop.abort());
        try {
          const request = { ...rangeOf(key, end, flags), startRevision: flags.rev, previous: flags.previous };
          for await (const { events } of watchEvents(store, request, { signal: stop.signal })) {
            for (const event of events) printLine(flags.json ? jsonEvent(event) : textEvent(event));
          }
        } catch (error) {
          if (!stop.signal.aborted) throw error;
        } finally {
          release();
        }
      }),
  );
}

function jsonEvent({ type, entry, previous }: WatchEvent): string {
  const before = previous === undefined ? {} : { previous: jsonEntry(previous) };
  const { key, modRevision } = entry;
  const what = type === 'put' ? jsonEntry(entry) : { key: jsonOf(key), modRevision };
  return JSON.stringify({ type, ...what, ...before });
}

function textEvent({ type, entry, previous }: WatchEvent): string {
  const value = type === 'put' ? `\t${printable(entry.value)}` : '';
  const before = previous === undefined ? '' : `\t(before: ${printable(previous.value)})`;
  return `${type}\t${printable(entry.key)}${value}${before}`;
}

export function compactCommand(): Command {
  const command = new Command('compact')
    .description('forget what was overwritten or deleted before a revision')
    .argument('[revision]', 'without it, the newest', parseCount)
    .option('--json', 'print JSON');
  return addStoreFlags(command).action((revision: number | undefined, flags: StoreFlags) =>
    withStore(command, flags, async (store) => {
      const now = await store.status();
      const floor = revision ?? now.revision;
      // All of it is compacted already: nothing is wrong with a plan that runs every night.
      if (revision !== undefined || now.compactRevision !== floor) await store.compact(floor);
      printLine(flags.json ? JSON.stringify({ compactRevision: floor }) : `compacted to revision ${floor}`);
    }),
  );
}
