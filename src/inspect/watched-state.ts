// What a snapshot of `@statelyai/inspect` says of an actor: its state, its context, how it ended.
// Invariant: what comes out is fit for the inspection stream, whatever stood in the snapshot.
import type { StateValue, Step } from '../protocol/inspection.ts';
import type { StatelySnapshot } from './stately-event.ts';

export interface WatchedState {
  readonly state: StateValue;
  readonly context?: unknown;
  readonly status?: 'done' | 'stopped' | 'error' | undefined;
  readonly error?: string | undefined;
}

/** Longer contexts and payloads, as JSON, are not shown: a page that keeps them all would grow without bound. */
const LONGEST_PAYLOAD = 65_536;
const LEFT_OUT = '…';
const LONGEST_ERROR = 1_000;

/** Fields of a snapshot that are XState's own, and not what the actor knows. */
const BOOKKEEPING = new Set(['status', 'value', 'context', 'children', 'historyValue', 'tags']);

export function stateOf(snapshot: StatelySnapshot): WatchedState {
  const { value, status, context } = snapshot;
  const ended = status === 'done' || status === 'stopped' || status === 'error' ? status : undefined;
  const rest = Object.entries(snapshot).filter(([field, one]) => !BOOKKEEPING.has(field) && one !== null);
  const known = context ?? (value === undefined && rest.length > 0 ? Object.fromEntries(rest) : undefined);
  return {
    // What is no machine has no state but its status.
    state: isStateValue(value) ? value : (ended ?? 'active'),
    ...(known === undefined ? {} : { context: readable(known) }),
    ...(ended === undefined ? {} : { status: ended }),
    ...(ended === 'error' ? { error: errorOf(snapshot['error']) } : {}),
  };
}

export function eventOf(event: Step['event']): Step['event'] {
  const fields = readable(event);
  return fields === LEFT_OUT ? { type: event.type, payload: LEFT_OUT } : event;
}

function readable(value: unknown): unknown {
  return JSON.stringify(value).length > LONGEST_PAYLOAD ? LEFT_OUT : value;
}

function isStateValue(value: unknown): value is StateValue {
  if (typeof value === 'string') return value !== '';
  return typeof value === 'object' && value !== null && Object.values(value).every(isStateValue);
}

/** An Error becomes `{}` in JSON: its message is lost before it reaches us. */
function errorOf(error: unknown): string {
  if (typeof error === 'string') return error.slice(0, LONGEST_ERROR);
  const text = JSON.stringify(error) as string | undefined;
  return text === undefined || text === '{}' ? 'an error' : text.slice(0, LONGEST_ERROR);
}
