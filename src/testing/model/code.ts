// Values as TypeScript that a person could have written.
// Invariant: what comes out compiles, and the same value gives the same text.

const quoted = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

function objectCode(value: object, above: readonly object[]): string {
  if (above.includes(value)) return 'undefined /* a cycle */';
  const code = (inner: unknown): string => valueCode(inner, [...above, value]);
  if (value instanceof Error) return `new Error(${quoted(value.message)})`;
  if (Object.prototype.toString.call(value) === '[object Date]') return `new Date(${Number(value)})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Map) return `new Map(${code([...value])})`;
  if (value instanceof Set) return `new Set(${code([...value])})`;
  if (ArrayBuffer.isView(value) && 'length' in value)
    return `new ${value.constructor.name}([${Array.from(value as unknown as ArrayLike<unknown>).join(', ')}])`;
  if (Array.isArray(value)) return `[${value.map(code).join(', ')}]`;
  const fields = Object.entries(value).map(([key, inner]) => `${keyCode(key)}: ${code(inner)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

function valueCode(value: unknown, above: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
    case 'symbol':
      return `undefined /* a ${typeof value} */`;
    case 'object':
      return value === null ? 'null' : objectCode(value, above);
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

/** A key of an object literal, quoted where it must be. */
export const keyCode = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key));

/** The value as an expression. Functions, symbols and cycles become `undefined`, with a comment. */
export const inCode = (value: unknown): string => valueCode(value, []);
