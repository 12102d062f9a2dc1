// Where two plain values differ first.
// Invariant: values are compared as JSON would give them back, since that is how a log holds them.

/** As text: big integers end in n, as they are written. */
export function inJson(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

export interface Difference {
  /** `control.epoch`; empty for the whole. */
  readonly path: string;
  readonly expected: unknown;
  readonly found: unknown;
}

/** `found` comes out of JSON; `expected` need not. @returns undefined when they are the same */
export function firstDifference(expected: unknown, found: unknown): Difference | undefined {
  const text = JSON.stringify(expected, inJson) as string | undefined;
  // Nearly always the same, and written in the same order: then the texts are equal.
  if (text === JSON.stringify(found)) return undefined;
  return differ(text === undefined ? undefined : JSON.parse(text), found, '');
}

function differ(expected: unknown, found: unknown, path: string): Difference | undefined {
  if (Object.is(expected, found)) return undefined;
  const bothObjects =
    typeof expected === 'object' && expected !== null && typeof found === 'object' && found !== null;
  if (!bothObjects || Array.isArray(expected) !== Array.isArray(found)) return { path, expected, found };
  const [one, other] = [expected as Record<string, unknown>, found as Record<string, unknown>];
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const inside = differ(one[key], other[key], path === '' ? key : `${path}.${key}`);
    if (inside !== undefined) return inside;
  }
  return undefined;
}
