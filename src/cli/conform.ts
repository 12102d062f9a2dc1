// `holdfast conform`: holds transition logs against the machines, ours and the user's.
// Invariant: status 0 means that every line was possible; what could not be checked is said, never passed over.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import type { AnyStateMachine } from 'xstate';
import { registry } from '../../machines/index.ts';
import { LogCheck, type Conformance, type Impossible, type LateDelay } from '../testing/index.ts';
import { parseDuration } from './arguments.ts';
import { loadMachine } from './machine-file.ts';
import { refusedFile } from './module-file.ts';
import { formatDuration, formatJson, printError, printLine } from './report.ts';

interface Flags {
  readonly machine?: readonly string[];
  readonly statesOnly?: true;
  readonly tolerance?: number;
  readonly strict?: true;
  readonly json?: true;
}

const examples = `
A log is what \`holdfast hub|node|call --transitions LOG\` or the option \`transitions\` writes: one JSON text a line, with
actor, machine, seq, at, event, from, to and context. Other fields are passed over; - is standard input. A log may begin in
the middle, and lines of different actors may stand in any order.

By \`at\`, in monotonic milliseconds, delays that end before their time are impossible, and those that take far too long are
mentioned. How long a delay takes is not known of one that began before the log or a gap, that is random or read from a
clock, or, with --states-only, that a function computes.

Examples:
  holdfast conform hub.ndjson node.ndjson
  holdfast conform orders.ndjson --machine machines.ts#order --machine machines.ts#payment`;

export function conformCommand(): Command {
  return new Command('conform')
    .description('check transition logs against the machines')
    .argument('<log...>', 'files of transition records')
    .option(
      '--machine <file#export>',
      'a machine of yours, found by its id; may be repeated',
      (spec: string, before: readonly string[] | undefined) => [...(before ?? []), spec],
    )
    .option('--states-only', 'compare states, not contexts: for machines whose assigns are not pure')
    .option('--tolerance <duration>', 'so much too early a delay may end (default: 50ms)', parseDuration)
    .option('--strict', 'missing and cut lines, and machines that are not known, fail too')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', examples)
    .action(run);
}

async function run(logs: readonly string[], flags: Flags): Promise<void> {
  const machines = new Map<string, AnyStateMachine>();
  for (const { machine } of Object.values(registry)) machines.set(machine.id, machine);
  for (const spec of flags.machine ?? []) {
    const { machine } = await loadMachine(spec);
    machines.set(machine.id, machine);
  }
  for (const log of logs) {
    const found = await check(log, [...machines.values()], flags);
    if (flags.json) printLine(formatJson({ log, ...found, unknown: Object.fromEntries(found.unknown) }));
    else for (const line of inWords(log, found)) printLine(line);
    if (!conforms(found, flags.strict === true)) process.exitCode = 1;
    if (found.checked === 0) printError(nothingChecked(log, found));
  }
}

/** @throws HoldfastError `invalid_option` when the file cannot be read */
async function check(log: string, machines: readonly AnyStateMachine[], flags: Flags): Promise<Conformance> {
  const lines = new LogCheck({
    machines,
    compare: flags.statesOnly ? 'states' : 'contexts',
    toleranceMs: flags.tolerance,
  });
  const input = log === '-' ? process.stdin : createReadStream(log);
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) lines.take(line);
  } catch (error) {
    throw refusedFile(`cannot read ${log}: ${(error as Error).message}`, error);
  }
  return lines.end();
}

function conforms(found: Conformance, strict: boolean): boolean {
  if (found.checked === 0 || found.impossible.length > 0 || found.unreadable.length > 0) return false;
  return !strict || (found.gaps.length === 0 && found.cut.length === 0 && found.unknown.size === 0);
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function* inWords(log: string, found: Conformance): Generator<string> {
  for (const one of found.impossible) yield* impossibleInWords(log, one);
  for (const { line, why } of found.unreadable) yield `${log}:${line}: no transition record: ${why}`;
  for (const { line, actor, missing } of found.gaps)
    yield `${log}:${line}: ${count(missing, 'line')} of ${actor} missing before this one; checked on from here`;
  for (const one of worst(found.late)) yield `${log}:${one}`;
  for (const line of found.cut) yield `${log}:${line}: cut off, as by a crash; passed over`;
  for (const [machine, lines] of found.unknown)
    yield `${log}: ${count(lines, 'line')} of machine ${machine}, which is not known; name it with --machine FILE#export`;
  const { lines, checked, actors, begunBefore, impossible, unreadable } = found;
  const before = begunBefore > 0 ? `, ${begunBefore} of them begun before the log` : '';
  const faults = impossible.length + unreadable.length;
  const verdict =
    checked === 0
      ? 'nothing checked'
      : faults === 0
        ? 'conforms'
        : `${count(impossible.length, 'impossible step')}`;
  yield `${log}: ${count(lines, 'line')}, ${checked} checked, ${count(actors, 'actor')}${before}: ${verdict}`;
}

/** Of each delay of a machine the one that took longest, in words, with how many there were. */
function worst(late: readonly LateDelay[]): string[] {
  const byDelay = Map.groupBy(late, ({ machine, delay }) => `${machine} ${delay}`);
  return [...byDelay.values()].map((all) => {
    const [one] = all.toSorted((a, b) => b.tookMs - b.delayMs - (a.tookMs - a.delayMs));
    if (one === undefined) return '';
    const { line, actor, machine, delay, delayMs, tookMs, state } = one;
    const how = state === 'ended' ? 'ended' : 'still runs';
    const times = all.length === 1 ? '' : `, the longest of ${all.length}`;
    return (
      `${line}: ${delay} of ${actor} (${machine}) takes ${formatDuration(delayMs)} and ${how} after ` +
      `${formatDuration(tookMs)}${times}: a busy or sleeping process, a lost timer, or another delay than the machine's`
    );
  });
}

function* impossibleInWords(
  log: string,
  { line, actor, machine, seq, state, what, possible }: Impossible,
): Generator<string> {
  yield `${log}:${line}: ${actor} (${machine}, number ${seq}, in ${state}): ${what}`;
  if (possible.length > 0) yield '  possible was:';
  for (const way of possible) yield `    ${way}`;
}

function nothingChecked(log: string, { unknown, lines }: Conformance): Error {
  const why =
    unknown.size > 0
      ? `no line is of a machine that is known; name yours with --machine FILE#export (the ids are ${[...unknown.keys()].join(', ')})`
      : lines === 0
        ? 'it is empty'
        : 'it holds no step that could be checked';
  return refusedFile(`nothing of ${log} was checked: ${why}`);
}
