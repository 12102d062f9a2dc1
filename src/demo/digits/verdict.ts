// What the demo claims at its end, and whether it is true.
// Invariant: every claim is computed from what happened; one that does not hold is named, and fails the demo.
import type { Verdict } from '../stage.ts';
import { scheduleOf, type FaultReport } from './faults.ts';
import { TARGET } from './job.ts';
import { plot } from './plot.ts';
import { HUB_KILLED, percent, type Fate, type Pause, type Progress } from './progress.ts';

/** What there is to judge. */
export interface Evidence {
  readonly progress: Progress;
  readonly rounds: number;
  readonly faults: FaultReport;
  /** The model as it was delivered, and as the replay has it; undefined where there is none. */
  readonly delivered: Uint8Array | undefined;
  readonly replayed: Uint8Array | undefined;
  readonly unexpectedEvents: number;
  /** Processes that ended, or had to be ended, otherwise than they should. */
  readonly mishaps: readonly string[];
  /** Without the replay. */
  readonly tookMs: number;
  readonly limitMs: number;
  readonly replayMs: number;
  /** SHA-256 of bytes. */
  hash(bytes: Uint8Array): string;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const FATES: readonly Fate[] = [
  'in the model',
  'of an attempt that was redone',
  'gone with its node',
  'refused',
];

export function judge(evidence: Evidence): Verdict {
  const { progress, rounds, replayed, delivered, tookMs, replayMs, hash } = evidence;
  const { committed, pauses, redone } = progress;
  const equal = isEqual(delivered, replayed);
  const fates = FATES.map((fate) => `${progress.count(fate)} ${fate}`).join(', ');
  const lines = [
    ...curve(progress),
    '',
    `accuracy        ${percent(progress.accuracy)} of 10 000 digits that no node has, after ${committed.length} of ${rounds} rounds`,
    `pauses          ${pauses.length === 0 ? 'none' : pauses.map((it) => describePause(it)).join('; ')}`,
    `rounds redone   ${redone.length === 0 ? 'none' : redone.map(({ round, reason }) => `${round} (${reason.split(':')[0]})`).join(', ')}`,
    `updates         ${progress.count()}: ${fates}`,
    `updates lost    ${progress.count('pending')}`,
    `final weights   ${delivered === undefined ? 'not delivered' : `SHA-256 ${hash(delivered).slice(0, 16)}…`}`,
    `replay          ${equal ? `equal, bit for bit: the same participants in each round, without a fleet (${seconds(replayMs)})` : 'DIFFERENT'}`,
    `time            ${seconds(tookMs)}`,
  ];
  return {
    lines,
    broken: claimsOf(evidence)
      .filter(({ holds }) => !holds)
      .map(({ claim }) => claim),
  };
}

function claimsOf(evidence: Evidence): { readonly claim: string; readonly holds: boolean }[] {
  const { progress, rounds, faults, delivered, replayed, mishaps, unexpectedEvents, tookMs, limitMs } =
    evidence;
  const { committed, pauses, accuracy, ended } = progress;
  const inOrder = committed.every(({ round }, i) => round === i + 1);
  const target = rounds >= TARGET.rounds ? TARGET.accuracy : 0;
  return [
    {
      claim: `all ${rounds} rounds are committed, each once: ${committed.map(({ round }) => round).join(', ')} are`,
      holds: committed.length === rounds && inOrder && ended?.end === 'completed',
    },
    {
      claim: `test accuracy is at least ${percent(target)}: ${percent(accuracy)}`,
      holds: accuracy >= target,
    },
    {
      claim: `all faults come, and training goes on: no ${faults.missing.join(', no ')}`,
      holds: faults.missing.length === 0,
    },
    {
      claim: `training pauses when nodes are missing, and goes on: ${pauses.length} pauses`,
      holds: pauses.length > 0 && pauses.every(({ toMs }) => toMs !== undefined),
    },
    {
      claim: `the round that the hub died in, ${faults.killedIn}, is done again by its successor, and none before it`,
      holds:
        faults.killedIn !== undefined &&
        faults.killedIn >= scheduleOf(rounds).hubIn &&
        progress.lifeOf(faults.killedIn - 1) === 1 &&
        progress.lifeOf(faults.killedIn) === 2,
    },
    { claim: `no update is lost: ${progress.count('pending')} are`, holds: progress.count('pending') === 0 },
    {
      claim: 'the final weights equal those of the replay, bit for bit',
      holds: isEqual(delivered, replayed),
    },
    {
      claim: `no machine met an event that it did not expect: ${unexpectedEvents} did`,
      holds: unexpectedEvents === 0,
    },
    { claim: `every process ended when it was asked to: ${mishaps.join('; ')}`, holds: mishaps.length === 0 },
    { claim: `it takes less than ${seconds(limitMs)}: ${seconds(tookMs)}`, holds: tookMs < limitMs },
  ];
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined || one.length === 0) return false;
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function describePause({ fromMs, toMs }: Pause): string {
  return toMs === undefined
    ? `from ${seconds(fromMs)} on`
    : `${seconds(toMs - fromMs)} (${seconds(fromMs)} to ${seconds(toMs)})`;
}

/** Accuracy by round, with what happened in between. */
function curve({ committed, redone, pauses }: Progress): string[] {
  const values = committed.map(({ evaluation }) => evaluation['accuracy'] ?? 0);
  const marks = new Map(pauses.map(({ round }) => [round - 1, 'P']));
  for (const { round, reason } of redone) if (reason === HUB_KILLED) marks.set(round - 1, 'H');
  const least = Math.floor(50 * Math.min(0.9, ...values)) / 50;
  const label = (value: number): string => `${(100 * value).toFixed(0)} %`;
  return [
    'test accuracy by round (P: training paused, H: the hub was killed)',
    ...plot(values, {
      height: Math.min(16, Math.round((1 - least) * 100) + 1),
      least,
      most: 1,
      label,
      marks,
    }),
  ];
}
