// A counterexample as data: what was wrong and the moves that lead to it, so that it can be kept and made again.
// Invariant: plain JSON; what is read from a file is checked before anything else sees it.
import type { Change, Exchange, Violation } from './explain.ts';

/** Of the form of traces; it grows when an older program could not read a newer trace. */
const TRACE_VERSION = 1;

export interface TraceStep {
  /** What happened, in the words of the system. */
  readonly label: string;
  /** Which of the moves with this label it was, from 0. */
  readonly nth: number;
  readonly exchanges: readonly Exchange[];
  readonly changes: readonly Change[];
}

export interface Trace {
  readonly holdfast: 'trace';
  readonly version: typeof TRACE_VERSION;
  /** What the system is called, for people. */
  readonly system: string;
  readonly kind: Violation['kind'];
  /** Name of the property, or what was wrong. */
  readonly property: string;
  /** All parts, in the order of the definition, with the state that each was in at first. */
  readonly parts: readonly { readonly name: string; readonly state: string }[];
  readonly steps: readonly TraceStep[];
  /** For liveness: the number of the first step that repeats for ever; one more than the last step: it stays there. */
  readonly cycle?: number;
}

/** What is kept of a violation. `system` is what the system is called. */
export function toTrace(violation: Violation, system: string): Trace {
  const { kind, property, parts, start, steps, cycle } = violation;
  return {
    holdfast: 'trace',
    version: TRACE_VERSION,
    system,
    kind,
    property,
    parts: parts.map((name, i) => ({ name, state: (start[i] ?? '').slice(name.length + 2) })),
    steps: steps.map(({ label, nth, exchanges, changes }) => ({ label, nth, exchanges, changes })),
    ...(cycle === undefined ? {} : { cycle }),
  };
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const areTexts = (value: unknown, ...fields: readonly string[]): boolean =>
  isFields(value) && fields.every((field) => typeof value[field] === 'string');

function isStep(value: unknown): boolean {
  if (!isFields(value) || !areTexts(value, 'label') || !Number.isInteger(value['nth'])) return false;
  const { exchanges, changes } = value;
  return (
    Array.isArray(exchanges) &&
    exchanges.every((one) => areTexts(one, 'to', 'what')) &&
    Array.isArray(changes) &&
    changes.every((one) => areTexts(one, 'part', 'before', 'after'))
  );
}

/**
 * Reads a trace that was kept as JSON.
 *
 * @throws Error that says what is wrong with the text
 */
export function parseTrace(text: string): Trace {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`a trace is JSON, and this is not: ${String(cause)}`, { cause });
  }
  if (!isFields(value) || value['holdfast'] !== 'trace')
    throw new Error(
      "this JSON is no trace: it lacks `holdfast: 'trace'`; save one with `holdfast check --save`",
    );
  const { version, parts, steps, cycle } = value;
  if (version !== TRACE_VERSION)
    throw new Error(
      `the trace has version ${String(version)}, and this program reads ${TRACE_VERSION}; save it again`,
    );
  if (!areTexts(value, 'system', 'kind', 'property'))
    throw new Error('the trace does not say what was wrong: system, kind and property must be texts');
  if (!Array.isArray(parts) || !parts.every((part) => areTexts(part, 'name', 'state')))
    throw new Error('the trace does not say which parts there are: give each a name and a state');
  const broken = Array.isArray(steps) ? steps.findIndex((step) => !isStep(step)) : 0;
  if (broken !== -1)
    throw new Error(
      `step ${broken + 1} of the trace is incomplete: it needs label, nth, exchanges and changes`,
    );
  if (cycle !== undefined && !Number.isInteger(cycle))
    throw new Error(`the cycle of the trace begins at step ${String(cycle)}; give a whole number`);
  return value as unknown as Trace; // every field was looked at above
}
