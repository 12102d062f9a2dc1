// What being looked at costs: small calls as in `calls`, where nobody can look, where nobody does, and with a viewer attached.
// Invariant: all three take turns in one run. What counts is the time of the threads for one call, hub, node and caller
// together, by the kernel's count: on a machine that does other things, too, the rate says little.
import { readFileSync } from 'node:fs';

import { WebSocket } from 'ws';

import { INSPECT_PATH, INSPECT_SUBPROTOCOL } from '../../src/protocol/inspection.ts';
import type { LoadRequest, LoadResult } from './load.ts';
import { killAll, startRole } from './roles.ts';
import type { Role } from './roles.ts';
import { median, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const BASELINE = 'off';
const SUBJECTS = ['off', 'idle', 'viewed'];
const LOADS = [64, 512];

interface Subject {
  readonly name: string;
  readonly url: string;
  readonly caller: Role;
  readonly roles: readonly Role[];
}

async function start(name: string): Promise<Subject> {
  const file = new URL('./subjects/holdfast.ts', import.meta.url);
  const inspect = name !== BASELINE;
  const hub = await startRole(file, 'hub', { inspect });
  const { url } = hub.info as { url: string };
  const node = await startRole(file, 'node', { url, inspect });
  const caller = await startRole(file, 'caller', { url, inspect });
  return { name, url, caller, roles: [caller, node, hub] };
}

/** Of the main threads, in µs; undefined where the kernel does not say. */
function threadTimeUs(roles: readonly Role[]): number | undefined {
  try {
    const times = roles.map(({ pid }) =>
      Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]),
    );
    return times.reduce((sum, ns) => sum + ns / 1_000, 0);
  } catch {
    return undefined;
  }
}

interface View {
  messages(): number;
  close(): void;
}

/** Takes all that it is told, as the page does. */
async function attach(url: string): Promise<View> {
  const socket = new WebSocket(`${url}${INSPECT_PATH}`, INSPECT_SUBPROTOCOL);
  let messages = 0;
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => {
      socket.send('{"kind":"open"}');
      resolve();
    });
    socket.once('error', reject);
  });
  socket.on('message', () => (messages += 1));
  return { messages: () => messages, close: () => socket.terminate() };
}

export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const load = quick ? { warmUpMs: 50, durationMs: 300 } : { warmUpMs: 50, durationMs: 2_000 };
  const names = SUBJECTS.filter((name) => only?.includes(name) ?? true);
  const subjects: Subject[] = [];
  for (const name of names) subjects.push(await start(name));
  const views: View[] = [];
  for (const { name, url } of subjects) if (name === 'viewed') views.push(await attach(url));
  for (const { caller } of subjects)
    await caller.ask<LoadResult>('load', { ...load, inFlight: 512 } satisfies LoadRequest);

  const rates = new Map<string, number[]>();
  const costs = new Map<string, number[]>();
  const note = (map: Map<string, number[]>, key: string, value: number): void =>
    void map.set(key, [...(map.get(key) ?? []), value]);
  for (let round = 0; round < rounds; round += 1) {
    for (const inFlight of LOADS) {
      for (const { name, caller, roles } of rotated(subjects, round)) {
        const before = threadTimeUs(roles);
        const { callsPerSecond } = await caller.ask<LoadResult>('load', { ...load, inFlight });
        const after = threadTimeUs(roles);
        const key = `${name}@${inFlight}`;
        note(rates, key, callsPerSecond);
        const calls = (callsPerSecond * (load.warmUpMs + load.durationMs)) / 1_000;
        if (before !== undefined && after !== undefined) note(costs, key, (after - before) / calls);
        say(`round ${round + 1}/${rounds}  ${key.padEnd(12)} ${Math.round(callsPerSecond)} calls/s`);
      }
    }
  }
  for (const view of views) {
    say(`the viewer was told ${view.messages()} messages`);
    if (view.messages() === 0)
      throw new Error('the viewer was told nothing: what was measured is worth nothing');
    view.close();
  }
  await killAll(subjects.flatMap((subject) => subject.roles));

  const rows: Row[] = [];
  const add = (label: string, unit: string, map: Map<string, number[]>): void => {
    for (const inFlight of LOADS) {
      const baseline = median(map.get(`${BASELINE}@${inFlight}`) ?? []);
      for (const name of names) {
        const value = median(map.get(`${name}@${inFlight}`) ?? []);
        const ratio = Number.isNaN(baseline) ? null : value / baseline;
        if (!Number.isNaN(value)) rows.push({ name: `${name}@${inFlight}${label}`, value, unit, ratio });
      }
    }
  };
  add('-time', 'µs/call', costs);
  add('', 'calls/s', rates);
  return rows;
}
