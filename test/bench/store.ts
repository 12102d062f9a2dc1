// Stores: writes with few and many writers, reads, what watchers hear and how soon, and opening again.
// Invariant: the same client code over the contract for every subject; every answer is checked; each load is bounded in
// count and in time, and each round begins with an empty store.
import type { KeyValue, Revision, Store } from '../../src/index.ts';
import { median, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';
import type { StoreSubject } from './subjects/place.ts';
import { subjects } from './subjects/stores.ts';

/** Ratios are to a real etcd, where it runs too. */
const BASELINE = 'etcd';
const WRITERS = [1, 64, 1_000];
const READERS = 64;
const WATCHERS = [10, 1_000];
const KEYS = 10_000;
const VALUE_BYTES = 100;

interface Size {
  readonly durationMs: number;
  /** Most requests of one load. */
  readonly count: number;
  /** Puts of which each is told to all watchers. */
  readonly deliveries: number;
  /** Revisions of the store that is opened again. */
  readonly revisions: number;
}

const full: Size = { durationMs: 2_000, count: 200_000, deliveries: 30, revisions: 1_000_000 };
const quick: Size = { durationMs: 200, count: 2_000, deliveries: 3, revisions: 10_000 };

const encoder = new TextEncoder();
const value = new Uint8Array(VALUE_BYTES).fill(0x78);
const prefix = { key: encoder.encode('/bench/'), end: encoder.encode('/bench0') };
const key = (number: number): Uint8Array => encoder.encode(`/bench/${String(number).padStart(8, '0')}`);
/** Neighbours are written far apart in time, as by users that know nothing of each other. */
const scattered = (number: number): Uint8Array => key((number * 7_919) % KEYS);

type Add = (label: string, unit: string, value: number) => void;

/** Requests per second of so many clients, each of which asks again when it has its answer. */
async function rate(
  clients: number,
  { count, durationMs }: Size,
  request: (client: number, number: number) => Promise<unknown>,
): Promise<number> {
  let begun = 0;
  let done = 0;
  const startedAt = performance.now();
  const client = async (number: number): Promise<void> => {
    while (begun < count && performance.now() - startedAt < durationMs) {
      await request(number, begun++);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return (done / (performance.now() - startedAt)) * 1_000;
}

const put = (store: Store, number: number): Promise<unknown> => store.put({ key: scattered(number), value });

/** Compares and swaps a key of its own. */
function swapper(store: Store): (client: number) => Promise<unknown> {
  const seen: Revision[] = [];
  return async (client) => {
    const own = key(KEYS + client);
    const { succeeded, revision } = await store.txn({
      compare: [{ key: own, target: 'modRevision', relation: 'equal', operand: seen[client] ?? 0 }],
      success: [{ type: 'put', key: own, value }],
    });
    if (!succeeded) throw new Error('someone else changed a key of its own');
    seen[client] = revision;
  };
}

async function readTen(store: Store, number: number): Promise<void> {
  const first = number % (KEYS - 10);
  const { entries } = await store.range({ key: key(first), end: key(first + 10) });
  if (entries.length !== 10) throw new Error(`ten entries are ${entries.length}`);
}

interface Watcher {
  cancel(): void;
}

/** Resolves when the watch is ready; then each event is told. */
function watch(store: Store, told: (entry: KeyValue) => void): Promise<Watcher> {
  return new Promise((resolve, reject) => {
    const handle = store.watch(prefix, {
      ready: () => resolve(handle),
      events(events) {
        for (const { entry } of events) told(entry);
        return 'more';
      },
      progress() {},
      ended(end) {
        if (end.reason !== 'cancelled') reject(new Error(`a watch ended: ${end.reason}`));
      },
    });
  });
}

/** Milliseconds from a put to the last of the watchers, the median of some. */
async function delivery(store: Store, watchers: number, { deliveries }: Size): Promise<number> {
  let left = 0;
  let all = (): void => {};
  const told = (): void => {
    left -= 1;
    if (left === 0) all();
  };
  const handles = await Promise.all(Array.from({ length: watchers }, () => watch(store, told)));
  const tookMs: number[] = [];
  for (let number = 0; number < deliveries; number++) {
    left = watchers;
    const everyone = new Promise<void>((resolve) => (all = resolve));
    const startedAt = performance.now();
    await Promise.all([put(store, number), everyone]);
    tookMs.push(performance.now() - startedAt);
  }
  for (const handle of handles) handle.cancel();
  return median(tookMs);
}

/** Events per second that one watcher is told while many write; it must be told all. */
async function eventRate(store: Store, size: Size): Promise<number> {
  let events = 0;
  let newest = 0;
  let lastAt = 0;
  let caughtUp = (): void => {};
  let until = Infinity;
  const handle = await watch(store, ({ modRevision }) => {
    events += 1;
    newest = modRevision;
    lastAt = performance.now();
    if (newest >= until) caughtUp();
  });
  const startedAt = performance.now();
  let puts = 0;
  await rate(READERS, size, (_, number) => {
    puts += 1;
    return put(store, number);
  });
  until = (await store.status()).revision;
  if (newest < until) await new Promise<void>((resolve) => (caughtUp = resolve));
  handle.cancel();
  if (events !== puts) throw new Error(`${puts} puts were ${events} events`);
  return (events / (lastAt - startedAt)) * 1_000;
}

async function loads({ open }: StoreSubject, size: Size, add: Add): Promise<void> {
  const { store, close } = await open();
  try {
    // What is read must be there, and the first requests pay for compiling.
    await rate(READERS, { ...size, count: KEYS, durationMs: Infinity }, (_, number) => put(store, number));
    for (const writers of WRITERS) {
      add(`put-${writers}`, 'puts/s', await rate(writers, size, (_, number) => put(store, number)));
    }
    const swap = swapper(store);
    for (const writers of WRITERS) add(`cas-${writers}`, 'txn/s', await rate(writers, size, swap));
    const ranges = await rate(READERS, size, (_, number) => readTen(store, number));
    add(`range10-${READERS}`, 'ranges/s', ranges);
    for (const watchers of WATCHERS) add(`told-${watchers}`, 'ms', await delivery(store, watchers, size));
    add('events', 'events/s', await eventRate(store, size));
  } finally {
    await close();
  }
}

/** Milliseconds to open a store of many revisions and to read the last of them. */
async function opening({ open }: StoreSubject, { revisions }: Size, add: Add): Promise<void> {
  const opened = await open();
  try {
    if (opened.reopen === undefined) return;
    const many = { durationMs: Infinity, count: revisions, deliveries: 0, revisions };
    await rate(1_000, many, (_, number) => put(opened.store, number));
    const startedAt = performance.now();
    const store = await opened.reopen();
    const { revision, entries } = await store.range({ key: scattered(revisions - 1) });
    add('open', 'ms', performance.now() - startedAt);
    if (revision !== revisions + 1 || entries.length !== 1)
      throw new Error(`${revisions} puts are at ${revision}`);
  } finally {
    await opened.close();
  }
}

export async function run({ rounds, quick: isQuick, only, say }: BenchOptions): Promise<Row[]> {
  const size = isQuick ? quick : full;
  const chosen = subjects.filter(({ name }) => only?.includes(name) ?? true);
  const units = new Map<string, string>();
  const values = new Map<string, number[]>();
  const adder = ({ name }: StoreSubject): Add => {
    return (label, unit, measured) => {
      const row = `${name}@${label}`;
      units.set(label, unit);
      values.set(row, [...(values.get(row) ?? []), measured]);
      say(`${row.padEnd(18)} ${measured.toFixed(measured < 100 ? 2 : 0)} ${unit}`);
    };
  };
  for (let round = 0; round < rounds; round++)
    for (const subject of rotated(chosen, round)) await loads(subject, size, adder(subject));
  // Once: to fill it takes long, and to open it does not depend on the machine's mood.
  for (const subject of chosen) await opening(subject, size, adder(subject));

  return [...units].flatMap(([label, unit]) =>
    chosen.flatMap(({ name }) => {
      const measured = values.get(`${name}@${label}`);
      if (measured === undefined) return [];
      const baseline = values.get(`${BASELINE}@${label}`);
      const ratio = baseline === undefined ? null : median(measured) / median(baseline);
      return [{ name: `${name}@${label}`, value: median(measured), unit, ratio }];
    }),
  );
}
