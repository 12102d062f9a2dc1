// The faults of the demo, on a fixed schedule, while work goes on.
// Invariant: a fault is over only when the fleet has recovered from it, or the demo says that it did not.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../fleet.ts';
import { times } from '../role.ts';

export const NODES = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
/** The demo's own client. */
export const CLIENT = 'client';
export const KILLED_NODE = 'node-3';
export const STOPPED_NODE = 'node-5';

/** One fault, and how the fleet came out of it. */
export interface FaultReport {
  readonly name: string;
  /** Milliseconds since the work began. */
  readonly atMs: number;
  /** Until every link stood again; undefined when that did not happen in time. */
  readonly recoveredMs: number | undefined;
  /** Whose links it breaks. */
  readonly breaks: readonly string[];
}

export interface FaultOptions {
  readonly fleet: Fleet;
  /** Milliseconds since the work began. */
  elapsedMs(): number;
  /** Whether the demo's own client is connected. */
  clientConnected(): boolean;
  say(message: string): void;
  readonly signal: AbortSignal;
}

/** A call that begins later cannot have been on the process that was killed. */
export const REPLACED_AFTER_MS = 700;
/** Longer than the heartbeat time-out, and the hub looks once in an interval. */
const STOPPED_MS = times.heartbeatTimeoutMs + 2 * times.heartbeatIntervalMs + 500;
const RECOVERY_MS = 12_000;

interface Fault {
  readonly atMs: number;
  readonly name: string;
  readonly breaks: readonly string[];
  run(options: FaultOptions): Promise<void>;
}

const EVERYONE = [...NODES, CLIENT];
export const NODE_KILLED = `${KILLED_NODE} killed`;

export const schedule: readonly Fault[] = [
  { atMs: 3_000, name: 'hub killed', breaks: EVERYONE, run: restartHub },
  { atMs: 8_000, name: NODE_KILLED, breaks: [], run: replaceNode },
  { atMs: 11_000, name: `${STOPPED_NODE} stopped`, breaks: [STOPPED_NODE], run: stopNode },
  { atMs: 19_500, name: 'hub killed again', breaks: EVERYONE, run: restartHub },
];

/** Runs the schedule; resolves when the last fault is over, or with those until then when the signal comes. */
export async function runFaults(options: FaultOptions): Promise<FaultReport[]> {
  const reports: FaultReport[] = [];
  try {
    await runAll(options, reports);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
  return reports;
}

async function runAll(options: FaultOptions, reports: FaultReport[]): Promise<void> {
  for (const { atMs, name, breaks, run } of schedule) {
    await sleep(Math.max(0, atMs - options.elapsedMs()), undefined, { signal: options.signal });
    const startedAt = options.elapsedMs();
    await run(options);
    const { fleet, signal, clientConnected } = options;
    const whole = (): boolean => fleet.connected === fleet.stations.size && clientConnected();
    const recovered = await fleet.until(whole, RECOVERY_MS, signal);
    const recoveredMs = recovered ? options.elapsedMs() - startedAt : undefined;
    const after =
      recoveredMs === undefined
        ? 'NOT whole again'
        : `whole again after ${(recoveredMs / 1_000).toFixed(1)} s`;
    options.say(`${name}: the fleet is ${after}`);
    reports.push({ name, atMs: startedAt, recoveredMs, breaks });
  }
}

async function restartHub({ fleet, clientConnected, say, signal }: FaultOptions): Promise<void> {
  say('FAULT: hub gets SIGKILL');
  await fleet.hub?.kill();
  // The links of all notice before a successor is there: what follows is a reconnect, not a delay.
  await fleet.until(() => fleet.connected === 0 && !clientConnected(), 2_000, signal);
  await sleep(500, undefined, { signal });
  say('a new hub starts on the same port, with an empty memory');
  if (!(await fleet.startHub(signal))) say('the new hub does NOT listen');
}

async function replaceNode({ fleet, say, signal }: FaultOptions): Promise<void> {
  const station = fleet.stations.get(KILLED_NODE);
  say(`FAULT: ${KILLED_NODE} (process ${station?.member.pid}) gets SIGKILL`);
  await station?.member.kill();
  await sleep(REPLACED_AFTER_MS, undefined, { signal });
  fleet.startNode(KILLED_NODE);
  say(`${KILLED_NODE} is replaced by process ${station?.member.pid}`);
}

async function stopNode({ fleet, say, signal }: FaultOptions): Promise<void> {
  const station = fleet.stations.get(STOPPED_NODE);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  say(
    `FAULT: ${STOPPED_NODE} gets SIGSTOP for ${seconds(STOPPED_MS)} (heartbeat time-out ${seconds(times.heartbeatTimeoutMs)})`,
  );
  fleet.hub?.guard(station?.member);
  station?.member.pause();
  try {
    await sleep(STOPPED_MS, undefined, { signal });
  } finally {
    station?.member.resume();
    fleet.hub?.guard(undefined);
  }
  say(`${STOPPED_NODE} gets SIGCONT`);
  // It still believes in its old link: wait until it knows better, and is back.
  const before = fleet.reconnects.length;
  const isBack = (): boolean => fleet.reconnects.slice(before).some(({ who }) => who === STOPPED_NODE);
  await fleet.until(isBack, RECOVERY_MS, signal);
}
