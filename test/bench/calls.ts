// Small calls: caller → hub → node → hub → caller, three processes on loopback, `add(1, 2)`.
// Invariant: every round runs every subject once, in rotating order, so that the machine's moods hit all of them.

import type { LoadRequest, LoadResult } from './load.ts';
import { killAll, startRole } from './roles.ts';
import type { Role } from './roles.ts';
import { median, percentile, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const BASELINE = 'ws';
const LOADS = [1, 64, 512];
const SUBJECTS = ['holdfast', 'ws', 'socket.io', 'moleculer', 'batched'];

interface Subject {
  readonly name: string;
  readonly caller: Role;
  readonly roles: readonly Role[];
}

async function startRelay(name: string): Promise<Subject> {
  const file = new URL(`./subjects/${name}.ts`, import.meta.url);
  const hub = await startRole(file, 'hub');
  const node = await startRole(file, 'node', hub.info);
  const caller = await startRole(file, 'caller', hub.info);
  return { name, caller, roles: [caller, node, hub] };
}

async function startMoleculer(): Promise<Subject> {
  const file = new URL('./subjects/moleculer.ts', import.meta.url);
  const node = await startRole(file, 'node');
  const caller = await startRole(file, 'caller', node.info);
  return { name: 'moleculer', caller, roles: [caller, node] };
}

export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const request = quick ? { warmUpMs: 300, durationMs: 500 } : { warmUpMs: 500, durationMs: 2_000 };
  const names = SUBJECTS.filter((name) => only?.includes(name) ?? true);
  const subjects: Subject[] = [];
  for (const name of names) subjects.push(await (name === 'moleculer' ? startMoleculer() : startRelay(name)));

  const rates = new Map<string, number[]>();
  const latencies = new Map<string, { p50: number[]; p99: number[] }>();
  for (let round = 0; round < rounds; round += 1) {
    for (const inFlight of LOADS) {
      for (const { name, caller } of rotated(subjects, round)) {
        const load: LoadRequest = { inFlight, ...request };
        const result = await caller.ask<LoadResult>('load', load);
        const key = `${name}@${inFlight}`;
        rates.set(key, [...(rates.get(key) ?? []), result.callsPerSecond]);
        if (inFlight === 1) {
          const entry = latencies.get(name) ?? { p50: [], p99: [] };
          entry.p50.push(median(result.latenciesUs));
          entry.p99.push(percentile(result.latenciesUs, 0.99));
          latencies.set(name, entry);
        }
        say(`round ${round + 1}/${rounds}  ${key.padEnd(14)} ${Math.round(result.callsPerSecond)} calls/s`);
      }
    }
  }
  await killAll(subjects.flatMap((subject) => subject.roles));

  const rows: Row[] = [];
  const add = (label: string, unit: string, value: (name: string) => number): void => {
    const baseline = names.includes(BASELINE) ? value(BASELINE) : Number.NaN;
    for (const name of names) {
      const ratio = value(name) / baseline;
      rows.push({
        name: `${name}@${label}`,
        value: value(name),
        unit,
        ratio: Number.isNaN(ratio) ? null : ratio,
      });
    }
  };
  // One call at a time is about waiting: `<subject>@1` is the median latency, the rate is a row of its own.
  add('1', 'µs', (name) => median(latencies.get(name)?.p50 ?? []));
  add('1-p99', 'µs', (name) => median(latencies.get(name)?.p99 ?? []));
  add('1-rate', 'calls/s', (name) => median(rates.get(`${name}@1`) ?? []));
  for (const inFlight of LOADS.slice(1)) {
    add(String(inFlight), 'calls/s', (name) => median(rates.get(`${name}@${inFlight}`) ?? []));
  }
  return rows;
}
