// A counterexample of the checker as a recording, so that the page shows it like a fleet: step by step, in its words.
// Invariant: what happened in one step of the trace has one moment; within it, causes come before effects.
import { INSPECT_VERSION, type StateValue, type Step, type Told } from '../protocol/inspection.ts';
import type { MachineDocument } from './document.ts';
import { withState } from './seen-document.ts';

/** What is read of a trace; `Trace` of `holdfast/testing` is one. */
export interface TraceText {
  readonly system: string;
  readonly kind: string;
  readonly property: string;
  readonly parts: readonly { readonly name: string; readonly state: string }[];
  readonly steps: readonly {
    readonly label: string;
    readonly exchanges: readonly {
      readonly from?: string;
      readonly to: string;
      readonly what: string;
      readonly unexpected?: true;
    }[];
    readonly changes: readonly { readonly part: string; readonly before: string; readonly after: string }[];
  }[];
  readonly cycle?: number;
}

/** Between two steps, so that the time line has room for each: the checker knows order, and no time. */
const STEP_MS = 1_000;

interface Part {
  clock: number;
  seq: number;
  now: string;
}

export function traceRecording(trace: TraceText): Told[] {
  const process = `checker/${trace.system}`;
  const writer = new Writer(process);
  for (const { name, state } of trace.parts) writer.begin(name, state);
  for (const [index, step] of trace.steps.entries()) writer.step(step, index + 1, wordsOf(trace, index));
  const who = { process, role: 'checker', name: trace.system, at: 0 } as const;
  return [
    { kind: 'hello', version: INSPECT_VERSION, ...who, may: [] },
    { kind: 'process', ...who, state: 'here' },
    ...[...writer.machines].map(([machine, document]): Told => ({
      kind: 'machine',
      machine,
      process,
      document: { ...document },
    })),
    ...writer.told,
  ];
}

function wordsOf({ steps, kind, property, cycle }: TraceText, index: number): string {
  const number = index + 1;
  const from = cycle === number ? ' (from here on it repeats for ever)' : '';
  const end = number === steps.length ? `; violated (${kind}): ${property}` : '';
  return `${number}. ${steps[index]?.label ?? ''}${from}${end}`;
}

class Writer {
  readonly told: Told[] = [];
  readonly machines = new Map<string, MachineDocument>();
  readonly #process: string;
  readonly #parts = new Map<string, Part>();
  #clock = 0;

  constructor(process: string) {
    this.#process = process;
  }

  begin(name: string, state: string): void {
    this.#parts.set(name, { clock: 0, seq: 0, now: state });
    this.#tell(name, { event: { type: 'xstate.init' }, from: null, to: this.#state(name, state), at: 0 });
  }

  step({ exchanges, changes }: TraceText['steps'][number], number: number, words: string): void {
    const at = number * STEP_MS;
    const after = new Map(changes.map((change) => [change.part, change.after]));
    // Of several things that a part hears, the last one ends where the step ends; to await an answer changes no state.
    const places = (part: string): number[] => {
      const heardAt = exchanges.flatMap(({ to }, index) => (to === part ? [index] : []));
      const events = heardAt.filter((index) => exchanges[index]?.what.startsWith('awaits ') === false);
      return events.length === 0 ? heardAt : events;
    };
    const say = exchanges.map(({ from, to, what, unexpected }, index) => {
      const isLast = places(to).at(-1) === index;
      return { from, part: to, type: what, unexpected, to: isLast ? after.get(to) : undefined };
    });
    const heard = new Set(exchanges.map(({ to }) => to));
    const unsaid = changes.filter(({ part }) => !heard.has(part));
    const alone = unsaid.map(({ part, after: to }) => ({
      from: undefined,
      part,
      type: 'changes',
      unexpected: undefined,
      to,
    }));
    for (const [index, { from, part, type, unexpected, to }] of [...say, ...alone].entries()) {
      const known = this.#part(part);
      const before = this.#state(part, known.now);
      known.now = to ?? known.now;
      const cause = from === undefined ? undefined : this.#parts.get(from);
      this.#tell(part, {
        at,
        event: { type },
        from: before,
        to: this.#state(part, known.now),
        ...(cause === undefined || from === undefined
          ? {}
          : { cause: { process: this.#process, actor: from, clock: cause.clock } }),
        ...(unexpected === undefined ? {} : { unexpected }),
        ...(index === 0 ? { words } : {}),
      });
    }
  }

  #part(name: string): Part {
    let part = this.#parts.get(name);
    if (part === undefined) this.#parts.set(name, (part = { clock: 0, seq: 0, now: '?' }));
    return part;
  }

  #tell(name: string, step: Pick<Step, 'at' | 'event' | 'from' | 'to'> & Partial<Step>): void {
    const part = this.#part(name);
    this.#clock += 1;
    part.clock = this.#clock;
    part.seq += 1;
    const known = described(part.now).context;
    const context = known === undefined ? {} : { context: known };
    const who = { kind: 'step', process: this.#process, actor: name, machine: name } as const;
    this.told.push({ ...who, seq: part.seq, clock: part.clock, ...context, ...step });
  }

  #state(name: string, text: string): StateValue {
    const { state } = described(text);
    this.machines.set(name, withState(this.machines.get(name) ?? { id: name }, state));
    return state;
  }
}

interface Described {
  readonly state: StateValue;
  readonly context: Readonly<Record<string, unknown>> | undefined;
}

const LEAF = String.raw`[\w-]+(?:\.[\w-]+)*`;
const MACHINE = new RegExp(String.raw`^(${LEAF}(?: \+ ${LEAF})*)(?: \((.*)\))?(?: awaiting .*)?$`, 's');

/**
 * `up.a.on + up.b.off (epoch 1, list [2,3]) awaiting timeout`: how a machine's state is put into words, its regions joined
 * by `+`. Other parts say theirs as they like: then all of it is the state.
 */
function described(text: string): Described {
  const [, leaves, fields] = MACHINE.exec(text) ?? [];
  if (leaves === undefined) return { state: text === '' ? 'nothing' : text, context: undefined };
  const paths = leaves.split(' + ').map((leaf) => leaf.split('.'));
  return { state: valueOf(paths), context: fields === undefined ? undefined : fieldsOf(fields) };
}

/** The state value whose innermost states have these paths. */
function valueOf(paths: readonly (readonly string[])[]): StateValue {
  const below = new Map<string, (readonly string[])[]>();
  for (const [key = '', ...rest] of paths) below.set(key, [...(below.get(key) ?? []), rest]);
  const [[only = '', rest = []] = []] = below;
  if (below.size === 1 && rest.every((path) => path.length === 0)) return only;
  return Object.fromEntries(
    [...below].map(([key, inner]) => [key, inner.every((path) => path.length === 0) ? {} : valueOf(inner)]),
  );
}

/** `epoch 1, list [2,3], from "a, b"`: names and values, of which some are JSON. */
function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  const found = text.matchAll(/([^\s,]+) (\{.*?\}(?=, \S+ |$)|\[.*?\](?=, \S+ |$)|.*?)(?:, (?=\S+ )|$)/gs);
  return Object.fromEntries([...found].map(([, name = '', value = '']) => [name, parsed(value)]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
