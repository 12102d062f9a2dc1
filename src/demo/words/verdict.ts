// What the demo claims at its end, and whether it is true.
// Invariant: every claim is computed from what happened; one that does not hold is named, and fails the demo.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Documents } from './documents.ts';
import {
  KILLED_NODE,
  NODE_KILLED,
  REPLACED_AFTER_MS,
  STOPPED_NODE,
  schedule,
  type FaultReport,
} from './faults.ts';
import type { Reconnect } from '../fleet.ts';
import type { Verdict } from '../stage.ts';
import type { Receipt } from './ledger.ts';
import { statisticsOf, Tally } from './statistics.ts';
import type { Failure, Work } from './work.ts';

/** What there is to judge. */
export interface Evidence {
  readonly documents: Documents;
  readonly work: Work;
  /** The result of the plain run. */
  readonly plain: Tally;
  readonly retries: number;
  readonly faults: readonly FaultReport[];
  readonly reconnects: readonly Reconnect[];
  readonly ledgers: readonly Receipt[];
  readonly unexpectedEvents: number;
  /** What the hubs said of nodes: `node-5 absent`. */
  readonly hubSaw: ReadonlySet<string>;
  /** Processes that ended, or had to be ended, otherwise than they should. */
  readonly mishaps: readonly string[];
  readonly tookMs: number;
  readonly limitMs: number;
}

/** The same job in this process, without hub, nodes or calls. */
export function plainRun({ root, paths }: Documents): Tally {
  const tally = new Tally();
  for (const path of paths) tally.add(path, statisticsOf(readFileSync(join(root, path))));
  return tally;
}

/** Calls without a result that are listed one by one; the numbers are of all. */
const MAX_LISTED = 10;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const grouped = (n: number): string => n.toLocaleString('en');

export function judge(evidence: Evidence): Verdict {
  const { documents, work, plain, faults, reconnects, ledgers, retries, tookMs } = evidence;
  const claims = claimsOf(evidence);
  const broken = claims.filter(({ holds }) => !holds).map(({ claim }) => claim);
  const paths = documents.paths.length;
  const outcomes = countOutcomes(work.appendFailures, work.receipts.length);
  const executed = work.appendFailures.filter(({ path }) => ledgers.some((it) => it.path === path)).length;
  const twice = executedTwice(ledgers);
  const equal = plain.fingerprint() === work.tally.fingerprint();
  const lines = [
    `files                  ${grouped(paths)} of ${grouped(documents.found)}, ${(documents.bytes / 1e6).toFixed(1)} MB`,
    `calls                  ${grouped(work.calls)}: ${grouped(paths)} idempotent, ${grouped(paths)} not`,
    `retries                ${retries}`,
    ...faults.map(({ name, atMs, recoveredMs }, i) => {
      const back = reconnectsOf(i, evidence);
      const each = back.map(({ who, tookMs: ms }) => `${who} ${seconds(ms)}`).join(', ');
      const recovered =
        recoveredMs === undefined ? 'not whole again' : `whole again after ${seconds(recoveredMs)}`;
      return `  ${seconds(atMs).padStart(6)} ${name.padEnd(17)} ${recovered}${each === '' ? '' : `; reconnects: ${each}`}`;
    }),
    `reconnects             ${reconnects.length}`,
    `idempotent calls lost  ${work.statsFailures.length}`,
    `non-idempotent calls   ${[...outcomes].map(([how, n]) => `${grouped(n)} ${how}`).join(', ')}`,
    ...work.appendFailures.slice(0, MAX_LISTED).map(({ path, outcome, node }) => {
      const found = ledgers.some((it) => it.path === path) ? 'executed' : 'not executed';
      return `  ${outcome} on ${node ?? 'no node'}: ${path} (${found}, its ledger says)`;
    }),
    `executed               ${grouped(ledgers.length)} lines in the ledgers, ${executed} of them of calls without a result`,
    `executed twice         ${twice.length}`,
    `plain run              ${equal ? 'equal' : 'DIFFERENT'}: ${describe(plain)}${equal ? '' : ` against ${describe(work.tally)}`}`,
    `most frequent words    ${plain
      .top(8)
      .map(([word, n]) => `${word} ${grouped(n)}`)
      .join(', ')}`,
    `time                   ${seconds(tookMs)}`,
  ];
  return { lines, broken };
}

interface Claim {
  readonly claim: string;
  readonly holds: boolean;
}

function claimsOf(evidence: Evidence): Claim[] {
  const { documents, work, plain, faults, ledgers, hubSaw, mishaps, unexpectedEvents } = evidence;
  const { paths } = documents;
  const known = new Set(paths);
  const twice = executedTwice(ledgers);
  const written = new Map(ledgers.map((receipt) => [receipt.path, receipt]));
  const strayLosses = work.appendFailures.filter((failure) => !isLossOfKilled(failure, faults));
  const wrongReceipts = work.receipts.filter(({ path, ledger, call }) => {
    const line = written.get(path);
    return line?.ledger !== ledger || line.call !== call;
  });
  const wrongLines = ledgers.filter(({ path, sha256 }) => !known.has(path) || plain.hashOf(path) !== sha256);
  const missing = faults.flatMap(({ name, breaks }, i) => {
    const back = new Set(reconnectsOf(i, evidence).map(({ who }) => who));
    return breaks.filter((who) => !back.has(who)).map((who) => `${who} (${name})`);
  });
  const first = (items: readonly { path: string; message?: string }[]): string =>
    items.length === 0 ? '' : ` (first: ${items[0]?.path} ${items[0]?.message ?? ''})`;
  return [
    {
      claim: `every call ends once: ${work.settled} of ${work.calls} did`,
      holds: work.settled === work.calls,
    },
    {
      claim: `no idempotent call is lost: ${work.statsFailures.length} were${first(work.statsFailures)}`,
      holds: work.statsFailures.length === 0 && work.tally.files === paths.length,
    },
    {
      claim:
        `a non-idempotent call ends without result only as lost (unknown), on ${KILLED_NODE} when it was killed: ` +
        `${strayLosses.length} did otherwise${first(strayLosses)}`,
      holds: strayLosses.length === 0 && work.receipts.length + work.appendFailures.length === paths.length,
    },
    {
      claim: `nothing is executed twice: ${twice.length} were (${twice.slice(0, 3).join(', ')})`,
      holds: twice.length === 0,
    },
    {
      claim: `every result is in the ledger of the node that gave it, once: ${wrongReceipts.length} are not`,
      holds: wrongReceipts.length === 0,
    },
    {
      claim: `every line of a ledger is of a file of ours, with its hash: ${wrongLines.length} are not`,
      holds: wrongLines.length === 0,
    },
    {
      claim: 'the result equals that of a plain run',
      holds: plain.fingerprint() === work.tally.fingerprint(),
    },
    {
      claim: `all ${schedule.length} faults were done, and the fleet was whole again after each`,
      holds:
        faults.length === schedule.length && faults.every(({ recoveredMs }) => recoveredMs !== undefined),
    },
    {
      claim: `every link that a fault broke came back by itself: ${missing.join(', ')} did not`,
      holds: missing.length === 0,
    },
    {
      claim: `the hub gave ${STOPPED_NODE} up while it was stopped`,
      holds: hubSaw.has(`${STOPPED_NODE} absent`),
    },
    {
      claim: `no machine met an event that it did not expect: ${unexpectedEvents} did`,
      holds: unexpectedEvents === 0,
    },
    { claim: `every process ended when it was asked to: ${mishaps.join('; ')}`, holds: mishaps.length === 0 },
    {
      claim: `it takes less than ${seconds(evidence.limitMs)}: ${seconds(evidence.tookMs)}`,
      holds: evidence.tookMs < evidence.limitMs,
    },
  ];
}

/** Links that broke after this fault and before the next one, and came back. */
function reconnectsOf(fault: number, { faults, reconnects }: Evidence): Reconnect[] {
  const from = faults[fault]?.atMs ?? 0;
  const until = faults[fault + 1]?.atMs ?? Infinity;
  return reconnects.filter(({ lostAt }) => lostAt >= from && lostAt < until);
}

/** Lost, perhaps executed, on the process that was killed: begun before its successor was there. */
function isLossOfKilled({ outcome, node, startedMs }: Failure, faults: readonly FaultReport[]): boolean {
  const killedAtMs = faults.find(({ name }) => name === NODE_KILLED)?.atMs ?? -Infinity;
  return outcome === 'lost (unknown)' && node === KILLED_NODE && startedMs < killedAtMs + REPLACED_AFTER_MS;
}

/** Paths with more than one line in the ledgers. */
export function executedTwice(ledgers: readonly Receipt[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of ledgers) counts.set(path, (counts.get(path) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([path]) => path);
}

function countOutcomes(failures: readonly Failure[], results: number): Map<string, number> {
  const counts = new Map<string, number>([
    ['succeeded', results],
    ['lost (unknown)', 0],
  ]);
  for (const { outcome } of failures) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

function describe(tally: Tally): string {
  const { files, words, lines } = tally;
  return `${grouped(files)} files, ${grouped(words)} words, ${grouped(lines)} lines, fingerprint ${tally.fingerprint().slice(0, 12)}`;
}
