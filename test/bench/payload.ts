// Large arguments: 1 MiB and 64 MiB of Float32Array through hub and node, the hub's memory meanwhile, and what small calls and
// heartbeats of the same node feel of it.
// Invariant: the bare relay runs in the same rounds; a `…-beside` row's ratio is against the same subject's `…-alone` row.

import type { LoadResult } from './load.ts';
import type { MemoryReading } from './memory.ts';
import { killAll, startRole } from './roles.ts';
import type { Role } from './roles.ts';
import { median, percentile, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const MIB = 1_048_576;
const SIZES = [1, 64];
const PAUSE_MS = 1;
const SUBJECTS = [
  { name: 'holdfast', file: './subjects/holdfast.ts' },
  { name: 'ws', file: './subjects/ws-payload.ts' },
];
/** Rows with µs: p99 of one call or heartbeat at a time, first without and then beside a transfer of 64 MiB arguments. */
const FELT = ['small', 'heartbeat'] as const;

interface Subject {
  readonly name: string;
  readonly hub: Role;
  readonly node: Role;
  /** Makes the large calls. */
  readonly bulk: Role;
  /** Makes the small ones, over a link of its own. */
  readonly small: Role;
}

type Samples = Map<string, number[]>;

async function start({ name, file }: { name: string; file: string }): Promise<Subject> {
  const url = new URL(file, import.meta.url);
  const hub = await startRole(url, 'hub', {}, { execArgv: ['--expose-gc'] });
  const config = { ...hub.info, heartbeatIntervalMs: 20 };
  const node = await startRole(url, 'node', config);
  return {
    name,
    hub,
    node,
    bulk: await startRole(url, 'caller', config),
    small: await startRole(url, 'caller', config),
  };
}

function note(samples: Samples, key: string, value: number): void {
  samples.set(key, [...(samples.get(key) ?? []), value]);
}

async function felt(subject: Subject, durationMs: number, label: string, samples: Samples): Promise<void> {
  await subject.node.ask('heartbeatsUs');
  const small = await subject.small.ask<LoadResult['latenciesUs']>('paced', {
    durationMs,
    pauseMs: PAUSE_MS,
  });
  const heartbeats = await subject.node.ask<Float64Array>('heartbeatsUs');
  note(samples, `${subject.name}@small-${label}`, percentile(small, 0.99));
  note(samples, `${subject.name}@heartbeat-${label}`, percentile(heartbeats, 0.99));
}

async function oneRound(subject: Subject, durationMs: number, samples: Samples): Promise<void> {
  const { name, hub, bulk } = subject;
  await bulk.ask('bulk', { bytes: MIB, durationMs: 200 });
  for (const size of SIZES) {
    const before = await hub.ask<MemoryReading>('memory');
    await hub.ask('watchPeak');
    const { megabytesPerSecond } = await bulk.ask<{ megabytesPerSecond: number }>('bulk', {
      bytes: size * MIB,
      durationMs,
    });
    note(samples, `${name}@${size}MiB`, megabytesPerSecond);
    note(
      samples,
      `${name}@${size}MiB-hub-rss`,
      ((await hub.ask<number>('peakBytes')) - before.rssBytes) / MIB,
    );
  }
  await felt(subject, durationMs, 'alone', samples);
  await bulk.ask('startBulk', 64 * MIB);
  await felt(subject, durationMs, 'beside', samples);
  await bulk.ask('stopBulk');
}

export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const durationMs = quick ? 700 : 2_500;
  const chosen = SUBJECTS.filter(({ name }) => only?.includes(name) ?? true);
  const samples: Samples = new Map();
  const subjects: Subject[] = [];
  for (const subject of chosen) subjects.push(await start(subject));
  for (let round = 0; round < rounds; round += 1) {
    for (const subject of rotated(subjects, round)) {
      await oneRound(subject, durationMs, samples);
      say(`round ${round + 1}/${rounds}  ${subject.name}`);
    }
  }
  await killAll(subjects.flatMap(({ hub, node, bulk, small }) => [bulk, small, node, hub]));

  const value = (key: string): number => median(samples.get(key) ?? []);
  const row = (key: string, unit: string, against: string): Row => {
    const ratio = value(key) / value(against);
    return { name: key, value: value(key), unit, ratio: Number.isFinite(ratio) ? ratio : null };
  };
  const rows: Row[] = [];
  const each = (label: string, unit: string, against: (name: string) => string): void => {
    for (const { name } of chosen) rows.push(row(`${name}@${label}`, unit, against(name)));
  };
  for (const size of SIZES) {
    each(`${size}MiB`, 'MB/s', () => `ws@${size}MiB`);
    each(`${size}MiB-hub-rss`, 'MiB', () => `ws@${size}MiB-hub-rss`);
  }
  for (const what of FELT) {
    each(`${what}-alone`, 'µs', () => `ws@${what}-alone`);
    each(`${what}-beside`, 'µs', (name) => `${name}@${what}-alone`);
  }
  return rows;
}
