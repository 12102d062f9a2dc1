// The faults of the demo: they come when training has got so far, so that they meet it on any machine.
// Invariant: a fault is over only when training goes on, or the demo says that it does not.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../fleet.ts';
import { MIN_NODES, RESUME_NODES } from './job.ts';
import type { Progress } from './progress.ts';

export interface FaultOptions {
  readonly fleet: Fleet;
  readonly progress: Progress;
  readonly rounds: number;
  say(message: string): void;
  readonly signal: AbortSignal;
}

/** What the faults came to. */
export interface FaultReport {
  /** The round that the hub died in. */
  readonly killedIn: number | undefined;
  /** What should have happened and did not, in time. */
  readonly missing: readonly string[];
}

export const KILLED_NODES = ['node-2', 'node-5', 'node-8'];

/** Between kills: training goes on with those that are left, until they are too few. */
const BETWEEN_MS = 700;
const PAUSED_MS = 2_000;
const RECOVERY_MS = 20_000;
const ROUND_MS = 60_000;

/** After so many rounds nodes are killed, and in this round the hub. */
export function scheduleOf(rounds: number): { readonly pauseAfter: number; readonly hubIn: number } {
  return { pauseAfter: Math.max(1, Math.floor(rounds / 5)), hubIn: Math.max(3, Math.ceil(rounds / 2)) };
}

/** Runs the faults; resolves when training goes on after the last one, or when the signal comes. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const missing: string[] = [];
  const report = { killedIn: undefined as number | undefined, missing };
  try {
    await pauseTraining(options, missing);
    report.killedIn = await killHub(options, missing);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
  return report;
}

async function pauseTraining(options: FaultOptions, missing: string[]): Promise<void> {
  const { fleet, progress, rounds, say, signal } = options;
  const expect = async (what: string, is: () => boolean, withinMs: number): Promise<void> => {
    if (!(await fleet.until(is, withinMs, signal)) && !signal.aborted) missing.push(what);
  };
  const { pauseAfter } = scheduleOf(rounds);
  await expect(`round ${pauseAfter} committed`, () => progress.committed.length >= pauseAfter, ROUND_MS);
  for (const id of KILLED_NODES) {
    say(`FAULT: ${id} (process ${fleet.stations.get(id)?.member.pid}) gets SIGKILL`);
    await fleet.stations.get(id)?.member.kill();
    progress.nodeKilled(id);
    await sleep(BETWEEN_MS, undefined, { signal });
  }
  const left = fleet.stations.size - KILLED_NODES.length;
  await expect(`a pause with ${left} nodes`, () => progress.gate === 'paused', RECOVERY_MS);
  await sleep(PAUSED_MS, undefined, { signal });
  const [first, second, ...others] = KILLED_NODES;
  const connected = (count: number) => (): boolean => fleet.connected >= count;
  for (const [id, count] of [
    [first, MIN_NODES],
    [second, RESUME_NODES],
  ] as const) {
    if (id === undefined) continue;
    say(`${id} comes back: a pause ends with ${RESUME_NODES} nodes`);
    fleet.startNode(id);
    await expect(`${id} connected`, connected(count), RECOVERY_MS);
    if (count < RESUME_NODES && progress.gate !== 'paused')
      missing.push(`a pause that ${count} nodes do not end`);
  }
  await expect(`training again with ${RESUME_NODES} nodes`, () => progress.gate === 'open', RECOVERY_MS);
  for (const id of others) {
    say(`${id} comes back`);
    fleet.startNode(id);
  }
}

/** Resolves with the round that it died in. */
async function killHub(options: FaultOptions, missing: string[]): Promise<number | undefined> {
  const { fleet, progress, rounds, say, signal } = options;
  const { hubIn } = scheduleOf(rounds);
  const expect = async (what: string, is: () => boolean, withinMs: number): Promise<void> => {
    if (!(await fleet.until(is, withinMs, signal)) && !signal.aborted) missing.push(what);
  };
  const all = fleet.stations.size;
  await expect('all nodes back', () => fleet.connected === all, RECOVERY_MS);
  const inMidRound = (): boolean =>
    progress.committed.length + 1 >= hubIn &&
    [...fleet.stations.keys()].some((id) => progress.trainsIn(id) === progress.committed.length + 1);
  await expect(`nodes that train in round ${hubIn}`, inMidRound, ROUND_MS);
  if (signal.aborted) return undefined;
  const round = progress.committed.length + 1;
  say(`FAULT: hub (process ${fleet.hub?.pid}) gets SIGKILL in the middle of round ${round}`);
  await fleet.hub?.kill();
  progress.hubKilled();
  await expect('links that notice', () => fleet.connected === 0, RECOVERY_MS);
  say(`all ${all} nodes have lost their link`);
  await sleep(500, undefined, { signal });
  say('a new hub starts on the same port, with the store of the old one');
  if (!(await fleet.startHub(signal))) missing.push('a new hub that listens');
  await expect('all links back', () => fleet.connected === all, RECOVERY_MS);
  say(`all ${all} nodes are connected again`);
  await expect('training again under the new hub', () => progress.gate === 'open', RECOVERY_MS);
  return round;
}
