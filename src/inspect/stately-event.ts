// What `@statelyai/inspect` says on the wire, and the reader of what a stranger says in its name.
// Invariant: what the reader returns is plain JSON of known shape and bounded depth; all else is a sentence that says why not.
import { inspectLimits } from '../protocol/inspection.ts';
import { isHarmless } from '../protocol/messages.ts';

/** The version of the package whose messages these are. */
export const STATELY_VERSION = '0.7.2';

/** A snapshot as its `toJSON` leaves it; what is no machine has no value. */
export interface StatelySnapshot {
  readonly status?: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly [field: string]: unknown;
}

interface Said {
  /** `x:N`: unique within one process, and within no more than that. */
  readonly sessionId: string;
  /** The actor at the top of its system; `anonymous`, or nothing, for what was reported by hand. */
  readonly rootId?: string;
  /** Milliseconds since 1970, as text. */
  readonly createdAt: string;
  readonly id: string | null;
  readonly _version: string;
}

export interface StatelyActor extends Said {
  readonly type: '@xstate.actor';
  readonly name: string;
  readonly parentId?: string;
  /** The machine's config as JSON, functions as `{ type: name }`. */
  readonly definition?: string;
  readonly snapshot: StatelySnapshot;
}

export interface StatelyArrival extends Said {
  readonly type: '@xstate.event';
  readonly event: StatelyEventObject;
  /** The actor that sent it, if one did. */
  readonly sourceId?: string;
}

export interface StatelyChange extends Said {
  readonly type: '@xstate.snapshot';
  /** What led to it. */
  readonly event: StatelyEventObject;
  readonly snapshot: StatelySnapshot;
}

export type StatelyEvent = StatelyActor | StatelyArrival | StatelyChange;
export type StatelyEventObject = { readonly type: string; readonly [field: string]: unknown };

type Fields = Readonly<Record<string, unknown>>;

const LONGEST_ID = 256;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_ID;
const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isEvent = (value: unknown): value is StatelyEventObject =>
  isFields(value) && typeof value['type'] === 'string' && value['type'].length <= LONGEST_ID;

function fault(said: Fields): string | undefined {
  const { type, sessionId, rootId, name, parentId, sourceId, definition, event, snapshot } = said;
  if (type !== '@xstate.actor' && type !== '@xstate.event' && type !== '@xstate.snapshot')
    return 'its type is none of @xstate.actor, @xstate.event and @xstate.snapshot';
  if (!isId(sessionId)) return 'sessionId must be a short text';
  if (!isAbsent(rootId) && !isId(rootId)) return 'rootId must be a short text, or left out';
  if (type === '@xstate.actor') {
    if (!isId(name)) return 'name must be a short text';
    if (!isAbsent(parentId) && !isId(parentId)) return 'parentId must be a short text, or left out';
    if (!isAbsent(definition) && typeof definition !== 'string') return 'definition must be JSON in a text';
  } else if (!isEvent(event)) return 'event must be an object with a type';
  if (type === '@xstate.event')
    return isAbsent(sourceId) || isId(sourceId) ? undefined : 'sourceId must be a short text, or left out';
  return isFields(snapshot) ? undefined : 'snapshot must be an object';
}

/** @returns the message, or the sentence that says what is wrong with it */
export function readStatelyEvent(text: string): StatelyEvent | string {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isFields(said)) return 'it is not an object';
  if (!isHarmless(said, inspectLimits.maxDepth)) return 'it nests too deep or names a property of prototypes';
  const wrong = fault(said);
  if (wrong !== undefined) return wrong;
  // JSON knows no undefined: what is left out may come as null.
  const { rootId, parentId, sourceId, definition, createdAt, ...rest } = said;
  const given = Object.entries({ rootId, parentId, sourceId, definition }).filter(
    ([, one]) => !isAbsent(one),
  );
  return { ...rest, ...Object.fromEntries(given), createdAt: String(createdAt) } as unknown as StatelyEvent; // fault() looked
}
