// One line of a transition log: what an actor was given, where it stood, and where it went.
// Invariant: a line says all that the next one needs, so a log can be checked from any line on.
import type { AnyMachineSnapshot, EventObject, StateValue } from 'xstate';
import { inJson } from './difference.ts';

/**
 * What one actor did with one event. A log of them is NDJSON: one record a line. It names the whole context after the
 * event, not its `control` part alone: delays and effects read the ledger, so a check that begins in the middle needs both.
 */
export interface TransitionRecord {
  /** Which process wrote it; ids of actors are unique within one run. A log without it is taken as one run. */
  readonly run?: string | undefined;
  readonly actor: string;
  /** Id of the machine. */
  readonly machine: string;
  /** Counts the records of one actor, from 1. */
  readonly seq: number;
  /** Monotonic milliseconds of the writer's clock. */
  readonly at: number;
  /** `xstate.init` starts an actor; `xstate.stop` ends one from outside; `xstate.after.…` is a delay that ran out. */
  readonly event: EventObject;
  /** State value before the event; null for the start. */
  readonly from: StateValue | null;
  /** State value when all that the event led to was done; null for a start that crashed. */
  readonly to: StateValue | null;
  /** Context after the event. */
  readonly context?: unknown;
  /** What the actor was started with; at its start only. */
  readonly input?: unknown;
  /** What history states remember: ids of state nodes, by the id of the history state. Left out when there is none. */
  readonly history?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Left out while the actor lives. */
  readonly status?: 'done' | 'stopped' | 'error' | undefined;
  /** What it crashed of, with status `error`. */
  readonly error?: string | undefined;
}

/** Takes records as they come. Must read what it needs at once: the context may be reused for the next event. */
export type TransitionSink = (record: TransitionRecord) => void;

export const INIT = 'xstate.init';
export const STOP = 'xstate.stop';

/** What the history states of a snapshot remember; undefined for none. */
export function historyOf(snapshot: AnyMachineSnapshot): TransitionRecord['history'] {
  const remembered = Object.entries(
    (snapshot.historyValue ?? {}) as Record<string, readonly { readonly id: string }[]>,
  );
  if (remembered.length === 0) return undefined;
  return Object.fromEntries(remembered.map(([id, nodes]) => [id, nodes.map((node) => node.id)]));
}

/** The record as a line of NDJSON, with its newline. What JSON cannot say (a circle) is left out and named. */
export function transitionLine(record: TransitionRecord): string {
  const rounded = { ...record, at: Math.round(record.at * 1_000) / 1_000 };
  try {
    return `${JSON.stringify(rounded, inJson)}\n`;
  } catch (error) {
    const { context: _context, input: _input, event, ...rest } = rounded;
    const unprintable = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return `${JSON.stringify({ ...rest, event: { type: event.type }, unprintable })}\n`;
  }
}
