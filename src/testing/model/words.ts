// Values and states in words: short ones for people, complete ones for keys.
// Invariant: equal values give equal texts, whatever the order of their fields; no value makes it throw.
import type { AnyMachineSnapshot, StateValue } from 'xstate';
import { statePath } from '../../engine/state-path.ts';

function objectText(value: object, above: readonly object[], loose: boolean): string {
  if (above.includes(value)) return '(cycle)';
  const inside = [...above, value];
  const text = (inner: unknown): string => valueText(inner, inside, loose);
  if ('sessionId' in value && 'send' in value) return `actor(${String((value as { id?: unknown }).id)})`;
  if (value instanceof Error) return `${value.name}(${JSON.stringify(value.message)})`;
  if (Object.prototype.toString.call(value) === '[object Date]') return `Date(${Number(value)})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Map)
    return `Map{${[...value].map(([k, v]) => `${text(k)} => ${text(v)}`).join(', ')}}`;
  if (value instanceof Set) return `Set{${[...value].map(text).join(', ')}}`;
  if (ArrayBuffer.isView(value) && 'length' in value)
    return `${value.constructor.name}[${Array.from(value as unknown as ArrayLike<unknown>).join(', ')}]`;
  if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
  const entries = Object.entries(value);
  const sorted = loose ? entries : entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fields = sorted.map(([key, inner]) => {
    const name = loose && /^[\w$]+$/.test(key) ? key : JSON.stringify(key);
    return `${name}: ${text(inner)}`;
  });
  if (fields.length === 0) return '{}';
  return loose ? `{ ${fields.join(', ')} }` : `{${fields.join(',')}}`;
}

function valueText(value: unknown, above: readonly object[], loose: boolean): string {
  switch (typeof value) {
    case 'string':
      return loose ? `'${value}'` : JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `function ${value.name}`;
    case 'object':
      return value === null ? 'null' : objectText(value, above, loose);
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

/** The whole value as text, its fields sorted. */
export const canonical = (value: unknown): string => valueText(value, [], false);

/** The value for a person to read, cut at 120 characters. */
export function inWords(value: unknown): string {
  const text = valueText(value, [], true);
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** The configuration of a snapshot; `error` when the machine failed. A machine without states is `(no states)`. */
export function stateInWords(snapshot: AnyMachineSnapshot): string {
  if (snapshot.status === 'error') return 'error';
  const text = statePath(snapshot.value as StateValue);
  return text === '' ? '(no states)' : text;
}
