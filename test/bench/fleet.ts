// A fleet at rest and the restart of its hub: 5 000 registered idle nodes from two processes, through the real node code.
// Invariant: the bare `ws` server goes through exactly the same: same numbers, same kill, same backoff.

import { execFileSync } from 'node:child_process';

import type { MemoryReading } from './memory.ts';
import { killAll, startRole } from './roles.ts';
import type { Role } from './roles.ts';
import { median, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const PROCESSES = 2;
const SPARE_FILES = 200;
const SUBJECTS = [
  { name: 'holdfast', file: './subjects/holdfast.ts' },
  { name: 'ws', file: './subjects/ws-fleet.ts' },
];

interface Result {
  readonly rssKib: number;
  readonly heapKib: number;
  readonly recoveryMs: number;
  readonly eventLoopDelayMs: number;
}

/** Node raises its soft limit to the hard one by itself; a hard limit that is too low can be raised by root only. */
function openFiles(needed: number): number | undefined {
  const shell = (script: string): string =>
    execFileSync('/bin/sh', ['-c', script], { stdio: 'pipe' }).toString().trim();
  const hard = shell('ulimit -Hn');
  if (hard === 'unlimited' || Number(hard) >= needed) return undefined;
  try {
    shell(`ulimit -n ${needed}`);
    return needed;
  } catch {
    throw new Error(
      `a process may open ${hard} files here, the hub needs ${needed}: raise the hard limit (ulimit -Hn) first`,
    );
  }
}

async function measure(file: string, nodes: number): Promise<Result> {
  const url = new URL(file, import.meta.url);
  const limit = openFiles(nodes + SPARE_FILES);
  const roles: Role[] = [];
  const start = async (role: string, config: Record<string, unknown>): Promise<Role> => {
    const started = await startRole(url, role, config, { execArgv: ['--expose-gc'], openFiles: limit });
    roles.push(started);
    return started;
  };
  try {
    const hub = await start('hub', {});
    const before = await hub.ask<MemoryReading>('memory');
    const count = nodes / PROCESSES;
    const starting = Array.from({ length: PROCESSES }, (_, i) =>
      start('fleet', { ...hub.info, first: i * count, count }),
    );
    const fleets = await Promise.all(starting);
    const after = await hub.ask<MemoryReading>('memory');

    await Promise.all(fleets.map((fleet) => fleet.ask('arm')));
    const back = Promise.all(fleets.map((fleet) => fleet.ask('allBack')));
    const killedAt = performance.now();
    await hub.kill();
    const next = await start('hub', hub.info);
    await next.ask('eventLoopDelayMs');
    await back;
    const recoveryMs = performance.now() - killedAt;
    return {
      rssKib: (after.rssBytes - before.rssBytes) / nodes / 1_024,
      heapKib: (after.heapBytes - before.heapBytes) / nodes / 1_024,
      recoveryMs,
      eventLoopDelayMs: await next.ask<number>('eventLoopDelayMs'),
    };
  } finally {
    await killAll(roles);
  }
}

export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const nodes = quick ? 500 : 5_000;
  const chosen = SUBJECTS.filter(({ name }) => only?.includes(name) ?? true);
  const results = new Map<string, Result[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, file } of rotated(chosen, round)) {
      const result = await measure(file, nodes);
      results.set(name, [...(results.get(name) ?? []), result]);
      const { rssKib, recoveryMs } = result;
      say(
        `round ${round + 1}/${rounds}  ${name.padEnd(9)} ${rssKib.toFixed(1)} KiB a node, back in ${recoveryMs.toFixed(0)} ms`,
      );
    }
  }
  const value = (name: string, read: (result: Result) => number): number =>
    median((results.get(name) ?? []).map(read));
  const rows: Row[] = [];
  const each = (label: string, unit: string, read: (result: Result) => number): void => {
    for (const { name } of chosen) {
      const ratio = value(name, read) / value('ws', read);
      const row = { name: `${name}@${nodes}-${label}`, value: value(name, read), unit };
      rows.push({ ...row, ratio: Number.isFinite(ratio) ? ratio : null });
    }
  };
  each('rss', 'KiB/node', (result) => result.rssKib);
  each('heap', 'KiB/node', (result) => result.heapKib);
  each('recovery', 'ms', (result) => result.recoveryMs);
  each('hub-delay-p99', 'ms', (result) => result.eventLoopDelayMs);
  return rows;
}
