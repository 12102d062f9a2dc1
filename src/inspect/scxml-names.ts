// How names of a machine are written in SCXML, whose ids and events allow fewer characters, and read again.
// Invariant: reading undoes writing, for every name.

/** The namespace of SCXML. */
export const SCXML = 'http://www.w3.org/2005/07/scxml';
/** The namespace of what SCXML has no word for. */
export const EXTRA = 'urn:holdfast:scxml:1';

/** Letters, digits, `_` and `-` stay; everything else, and what would read as an escape, is `_xHHHH_`. */
export function escapeName(text: string): string {
  if (text === '') return '_x_';
  return text
    .replace(/_(?=x[0-9A-F]*_)/g, '_x005F_')
    .replace(/[^A-Za-z0-9_-]/g, (it) => `_x${it.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`);
}

export function unescapeName(text: string): string {
  return text.replace(/_x([0-9A-F]*)_/g, (_, hex: string) =>
    hex === '' ? '' : String.fromCharCode(parseInt(hex, 16)),
  );
}

/** An event descriptor: the parts between its dots, and a wildcard at its end. */
export function escapeEvent(type: string): string {
  if (type === '*') return '*';
  if (type.endsWith('.*')) return `${escapeEvent(type.slice(0, -2))}.*`;
  return type.split('.').map(escapeName).join('.');
}

export function unescapeEvent(type: string): string {
  return type.split('.').map(unescapeName).join('.');
}

/** A call of one of the three functions that an interpreter must offer: `guard('mayRetry')`, with parameters as JSON. */
export function callOf(kind: 'action' | 'guard' | 'delay', name: string, params?: unknown): string {
  const text = JSON.stringify(name).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `${kind}('${text}'${params === undefined ? '' : `, ${JSON.stringify(params)}`})`;
}

/** The name and parameters of such a call; undefined for any other text. */
export function readCall(
  kind: 'action' | 'guard' | 'delay',
  text: string,
): { name: string; params?: unknown } | undefined {
  const found = /^(\w+)\('((?:[^'\\]|\\.)*)'(?:, (.*))?\)$/s.exec(text.trim());
  if (found === null || found[1] !== kind) return undefined;
  const [, , name = '', params] = found;
  const json = name.replace(/\\.|"/gs, (it) => (it === "\\'" ? "'" : it === '"' ? '\\"' : it));
  try {
    const called = { name: JSON.parse(`"${json}"`) as string };
    return params === undefined ? called : { ...called, params: JSON.parse(params) as unknown };
  } catch {
    return undefined;
  }
}
