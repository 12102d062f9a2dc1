// A transition log (`--transitions LOG`) as a recording, so that the page shows what happened then.
// Invariant: lines that are no records are passed over and counted; a log of several runs has a process for each.
import { readLogLine } from '../../engine/log-line.ts';
import type { TransitionRecord } from '../../engine/transition-record.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { INSPECT_VERSION, type StateValue, type Step, type Told } from '../../protocol/inspection.ts';
import type { Recording } from '../../protocol/recording.ts';
import type { MachineDocument } from '../document.ts';
import { withState } from '../seen-document.ts';

export interface LogRecordingOptions {
  /** What the process is called in which the log was written, when its lines do not say it. */
  readonly name: string;
  /** Charts of machines that are known. Of others, the states that the log shows are drawn. */
  documentOf(machine: string): MachineDocument | undefined;
}

/** @throws HoldfastError `invalid_argument` when no line is a transition record */
export function logRecording(text: string, { name, documentOf }: LogRecordingOptions): Recording {
  const steps: Step[] = [];
  let unread = 0;
  let why: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const record = readLogLine(line);
    if (typeof record === 'string') {
      unread += 1;
      why ??= `line ${index + 1}: ${record}`;
    } else steps.push(stepOf(record, processOf(record, name), index + 1, steps.at(-1)?.at ?? 0));
  }
  const [first] = steps;
  if (first === undefined)
    throw new HoldfastError(`this is no transition log: ${why ?? 'it is empty'}`, {
      code: 'invalid_argument',
    });
  const at = steps.reduce((least, step) => Math.min(least, step.at), first.at);
  const processes = [...new Set(steps.map(({ process }) => process))];
  const messages: Told[] = [
    { kind: 'hello', version: INSPECT_VERSION, process: first.process, role: 'app', name, at, may: [] },
    ...processes.map((process): Told => ({
      kind: 'process',
      process,
      role: 'app',
      name: process,
      at,
      state: 'here',
    })),
    ...charts(steps, documentOf),
    ...steps,
  ];
  return { messages, unread, why };
}

function processOf({ run }: TransitionRecord, name: string): string {
  return run === undefined ? `log/${name}` : `log/${name}/${run}`;
}

/** The log knows no clocks of Lamport's: its own order is the only one. */
function stepOf(record: TransitionRecord, process: string, clock: number, lastAt: number): Step {
  const { actor, machine, seq, at, event, from, to, context, status, error } = record;
  return {
    kind: 'step',
    process,
    actor,
    machine,
    seq,
    at: at ?? lastAt,
    clock,
    event: { ...event },
    from: from as StateValue | null,
    to: to as StateValue | null,
    ...(context === undefined ? {} : { context }),
    ...(status === undefined || (status as string) === 'active' ? {} : { status }),
    ...(error === undefined ? {} : { error }),
  };
}

function charts(steps: readonly Step[], documentOf: LogRecordingOptions['documentOf']): Told[] {
  const known = new Map<string, MachineDocument>();
  const seen = new Map<string, MachineDocument>();
  for (const { machine, from, to } of steps) {
    if (known.has(machine)) continue;
    const document = seen.has(machine) ? undefined : documentOf(machine);
    if (document !== undefined) {
      known.set(machine, document);
      continue;
    }
    for (const state of [from, to])
      if (state !== null) seen.set(machine, withState(seen.get(machine) ?? { id: machine }, state));
  }
  return [...known, ...seen].map(([machine, document]) => ({
    kind: 'machine',
    machine,
    document: { ...document },
  }));
}
