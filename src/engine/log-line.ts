// One line of a transition log, read back.
// Invariant: a line is a record or a sentence that says why it is none; fields that nobody knows are passed over.
import type { StateValue } from 'xstate';
import type { TransitionRecord } from './transition-record.ts';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isStateValue(value: unknown): value is StateValue {
  if (typeof value === 'string') return value !== '';
  return isObject(value) && Object.values(value).every(isStateValue);
}

const isOptional = (value: unknown, type: 'string'): boolean => value === undefined || typeof value === type;

/** What is wrong with the fields; undefined when nothing is. */
function fault(fields: Fields): string | undefined {
  const { run, actor, machine, seq, at, event, from, to, status, history } = fields;
  if (typeof actor !== 'string') return 'actor must be a text';
  if (typeof machine !== 'string') return 'machine must be a text';
  if (!Number.isSafeInteger(seq) || Number(seq) < 1) return 'seq must be a whole number of at least 1';
  if (!isObject(event) || typeof event['type'] !== 'string') return 'event must be an object with a type';
  if (from !== null && !isStateValue(from)) return 'from must be a state value, or null for a start';
  if (!isStateValue(to) && !(to === null && status === 'error')) return 'to must be a state value';
  if (at !== undefined && typeof at !== 'number') return 'at must be a number of milliseconds';
  if (!isOptional(run, 'string')) return 'run must be a text';
  if (status !== undefined && !['active', 'done', 'stopped', 'error'].includes(String(status)))
    return 'status must be done, stopped or error, or left out';
  if (history !== undefined && !(isObject(history) && Object.values(history).every(Array.isArray)))
    return 'history must hold a list of state ids for each history state';
  return undefined;
}

/** @returns the record, or the sentence that says what the line lacks */
export function readLogLine(line: string): TransitionRecord | string {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return 'it is not JSON';
  }
  if (!isObject(fields)) return 'it is not an object';
  const wrong = fault(fields);
  return wrong === undefined ? (fields as unknown as TransitionRecord) : wrong;
}
