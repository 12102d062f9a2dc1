// What a proxy costs between a client and an upstream: requests per second and added latency, for an answer of 1 KiB and for a
// stream of 200 events.
// Invariant: one client, one upstream, the same bytes for all; every answer is checked; all gateways take part in each round.

import {
  debianGateways,
  missing,
  processorSeconds,
  startDebian,
  type DebianGateway,
} from './proxies/debian.ts';
import type { Kind, TrafficRequest, TrafficResult } from './proxies/traffic.ts';
import { startRole } from './roles.ts';
import { median, percentile, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const ROLES = new URL('./proxies/roles.ts', import.meta.url);
const BASELINE = 'bare undici + node:http';
const CONNECTIONS = 32;
const KINDS: readonly Kind[] = ['json', 'stream'];

interface Subject {
  readonly name: string;
  start(upstreamPort: number): Promise<{ port: number; pids(): number[]; kill(): Promise<void> }>;
}

const role = (name: string, file: string): Subject => ({
  name,
  async start(upstreamPort) {
    const started = await startRole(ROLES, file, { upstreamPort });
    return { port: Number(started.info['port']), pids: () => [started.pid], kill: () => started.kill() };
  },
});

const debian = (name: DebianGateway): Subject => ({
  name,
  start: (upstreamPort) => startDebian(name, upstreamPort),
});

const subjects: readonly Subject[] = [
  { name: 'direct', start: async (port) => ({ port, pids: () => [], kill: async () => {} }) },
  role(BASELINE, 'bare'),
  role('holdfast', 'holdfast'),
  ...debianGateways.map(debian),
  role('@portkey-ai/gateway', 'portkey'),
];

/** Medians are over rounds; each of these is one value of a round. */
interface Measured {
  perSecond: number[];
  perProcessorSecond: number[];
  p50Us: number[];
  p99Us: number[];
}

const nothing = (): Measured => ({ perSecond: [], perProcessorSecond: [], p50Us: [], p99Us: [] });

/** Rows `<subject>@<json|stream>`: answers a second; the same for each second of the gateway's processor time; added latency. */
export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const chosen = subjects.filter(({ name }) => {
    if (only !== undefined && !only.includes(name)) return false;
    const problem = debianGateways.includes(name as DebianGateway)
      ? missing(name as DebianGateway)
      : undefined;
    if (problem !== undefined) say(problem);
    return problem === undefined;
  });
  const upstream = await startRole(ROLES, 'upstream');
  const upstreamPort = Number(upstream.info['port']);
  const client = await startRole(ROLES, 'client', { upstreamPort });
  const measure = (request: TrafficRequest): Promise<TrafficResult> => client.ask('run', request);
  const started = new Map<string, Awaited<ReturnType<Subject['start']>>>();
  const measured = new Map<string, Measured>();
  try {
    for (const subject of chosen) started.set(subject.name, await subject.start(upstreamPort));
    const times = quick ? { warmUpMs: 50, durationMs: 100 } : { warmUpMs: 1_000, durationMs: 3_000 };
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of KINDS) {
        for (const { name } of rotated(chosen, round)) {
          const { port = 0, pids = () => [] } = started.get(name) ?? {};
          const key = `${name}@${kind}`;
          try {
            await measure({ port, kind, connections: CONNECTIONS, ...times, durationMs: 0 });
          } catch (error) {
            if (measured.has(key) || name === 'holdfast') throw error;
            say(`${key} is left out: ${(error as Error).message.slice(0, 200)}`);
            continue;
          }
          const before = processorSeconds(pids());
          const busy = await measure({ port, kind, connections: CONNECTIONS, ...times, warmUpMs: 0 });
          const spent = processorSeconds(pids()) - before;
          const into = measured.get(key) ?? nothing();
          measured.set(key, into);
          into.perSecond.push((busy.answers / busy.elapsedMs) * 1_000);
          into.perProcessorSecond.push(spent > 0 ? busy.answers / spent : Number.NaN);
          const { latenciesUs } = await measure({ port, kind, connections: 1, ...times });
          into.p50Us.push(percentile(latenciesUs, 0.5));
          into.p99Us.push(percentile(latenciesUs, 0.99));
          say(`${key.padEnd(32)} ${Math.round(into.perSecond.at(-1) ?? 0)}/s`);
        }
      }
    }
  } finally {
    await Promise.all([...started.values()].map((each) => each.kill()));
    await Promise.all([client.kill(), upstream.kill()]);
  }
  return rowsOf(measured);
}

function rowsOf(measured: ReadonlyMap<string, Measured>): Row[] {
  const rows: Row[] = [];
  for (const kind of KINDS) {
    const of = [...measured].filter(([key]) => key.endsWith(`@${kind}`));
    const baseline = measured.get(`${BASELINE}@${kind}`);
    const direct = measured.get(`direct@${kind}`);
    const against = (value: number, base: readonly number[] = []): number | null =>
      base.length === 0 ? null : value / median(base);
    for (const [name, { perSecond }] of of) {
      const value = median(perSecond);
      rows.push({ name, value, unit: 'answers/s', ratio: against(value, baseline?.perSecond) });
    }
    for (const [name, { perProcessorSecond }] of of) {
      const value = median(perProcessorSecond);
      if (!Number.isNaN(value))
        rows.push({
          name,
          value,
          unit: 'answers/CPU-s',
          ratio: against(value, baseline?.perProcessorSecond),
        });
    }
    if (direct === undefined) continue;
    for (const [quantile, pick] of [
      ['p50', ({ p50Us }: Measured) => p50Us],
      ['p99', ({ p99Us }: Measured) => p99Us],
    ] as const)
      for (const [name, values] of of) {
        if (name.startsWith('direct@')) continue;
        const value = median(pick(values)) - median(pick(direct));
        rows.push({ name: `${name}, added ${quantile}`, value, unit: 'µs', ratio: null });
      }
  }
  return rows;
}
