// What of a payload a viewer may see: numbers, yes and no, and texts that look like ids. Secrets never.
// Invariant: what comes out is JSON of bounded size, whatever went in; nothing of the original is kept or changed.

export type Payloads = 'redacted' | 'shown';

/** Stands for what is not shown. */
const HIDDEN = '…';
/** Ids, names of states and functions, addresses. A token may look the same, but is longer than a UUID. */
const ID_LIKE = /^[\w.:/@#+-]{0,40}$/;
/** Fields that are not even shown when payloads are. */
const SECRET = /token|secret|passw|credential|authori[sz]ation|cookie|api-?_?key|private/i;

const MAX_DEPTH = 5;
const MAX_ENTRIES = 20;
const MAX_TEXT = 1_000;

/** A payload, or a context, as a viewer gets it. */
export function redact(value: unknown, payloads: Payloads, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      if (payloads === 'shown')
        return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}${HIDDEN}` : value;
      return ID_LIKE.test(value) ? value : HIDDEN;
    case 'number':
      // JSON knows neither; a machine may wait for ever.
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : object(value, payloads, depth);
    default:
      return HIDDEN;
  }
}

function object(value: object, payloads: Payloads, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (depth >= MAX_DEPTH) return HIDDEN;
  if (value instanceof Error) return { name: value.name, message: redact(value.message, payloads, depth) };
  if (value instanceof Map)
    return object(Object.fromEntries([...value].slice(0, MAX_ENTRIES)), payloads, depth);
  if (value instanceof Set) return object([...value].slice(0, MAX_ENTRIES), payloads, depth);
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ENTRIES).map((entry) => redact(entry, payloads, depth + 1) ?? null);
    return value.length > MAX_ENTRIES ? [...shown, `and ${value.length - MAX_ENTRIES} more`] : shown;
  }
  return fields(value, payloads, depth);
}

function fields(value: object, payloads: Payloads, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  let left = MAX_ENTRIES;
  for (const key of Object.keys(value)) {
    // Keys may be a stranger's: ids of nodes, words of a document.
    const name = payloads === 'shown' || ID_LIKE.test(key) ? key.slice(0, 100) : HIDDEN;
    if (name === '__proto__' || name === 'constructor' || name === 'prototype') continue;
    if (left-- === 0) {
      shown[HIDDEN] = `and ${Object.keys(value).length - MAX_ENTRIES} more`;
      break;
    }
    if (SECRET.test(key)) shown[name] = HIDDEN;
    else shown[name] = redact(read(value, key), payloads, depth + 1);
  }
  return shown;
}

/** A getter of somebody's object may throw. */
function read(value: object, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch {
    return undefined;
  }
}

/** The event's type is a name of the machine's author, not a payload. */
export function redactEvent(
  event: { readonly type: string },
  payloads: Payloads,
): { type: string; [field: string]: unknown } {
  const { type, ...rest } = event;
  return { ...fields(rest, payloads, 0), type: String(type) };
}
