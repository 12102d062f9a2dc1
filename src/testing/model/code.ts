// Values as TypeScript that a person could have written, laid out as a formatter would.
// Invariant: what comes out compiles, and the same value gives the same text.

/** Longest line, where a line can be broken. */
const WIDTH = 110;

/** A piece of code: on one line if there is room, else one item a line. */
export type Piece = string | Group;

interface Group {
  readonly open: string;
  readonly items: readonly Piece[];
  readonly close: string;
  /** Spaces inside the brackets, as objects have them. */
  readonly padding: '' | ' ';
  readonly layout: 'fitting' | 'broken';
}

export const quoted = (text: string): string => {
  const body = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return body.includes("'") && !body.includes('"') ? `"${body}"` : `'${body.replaceAll("'", "\\'")}'`;
};

/** A key of an object literal, quoted where it must be. */
const keyCode = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key));

/** `before` written in front of the piece. */
export const prefixed = (before: string, piece: Piece): Piece =>
  typeof piece === 'string' ? before + piece : { ...piece, open: before + piece.open };

const suffixed = (piece: Piece, after: string): Piece =>
  typeof piece === 'string' ? piece + after : { ...piece, close: piece.close + after };

export function object(
  entries: readonly (readonly [string, Piece])[],
  layout: Group['layout'] = 'fitting',
): Piece {
  if (entries.length === 0) return '{}';
  const items = entries.map(([key, piece]) => prefixed(`${keyCode(key)}: `, piece));
  return { open: '{', items, close: '}', padding: ' ', layout };
}

export function array(items: readonly Piece[]): Piece {
  if (items.length === 0) return '[]';
  // Lists of lists, or of objects, go one a line, as formatters have it.
  const rows = items.length > 1 && items.every((item) => typeof item !== 'string' && item.items.length > 1);
  const alike = new Set(items.map((item) => (typeof item === 'string' ? '' : item.open.at(0)))).size === 1;
  return { open: '[', items, close: ']', padding: '', layout: rows && alike ? 'broken' : 'fitting' };
}

function objectPiece(value: object, above: readonly object[]): Piece {
  if (above.includes(value)) return 'undefined /* a cycle */';
  const piece = (inner: unknown): Piece => valuePiece(inner, [...above, value]);
  const wrapped = (name: string, inner: unknown): Piece =>
    suffixed(prefixed(`new ${name}(`, piece(inner)), ')');
  if (value instanceof Error) return `new Error(${quoted(value.message)})`;
  if (Object.prototype.toString.call(value) === '[object Date]') return `new Date(${Number(value)})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Map) return wrapped('Map', [...value]);
  if (value instanceof Set) return wrapped('Set', [...value]);
  if (ArrayBuffer.isView(value) && 'length' in value)
    return wrapped(value.constructor.name, Array.from(value as unknown as ArrayLike<unknown>));
  if (Array.isArray(value)) return array(value.map(piece));
  return object(Object.entries(value).map(([key, inner]) => [key, piece(inner)]));
}

function valuePiece(value: unknown, above: readonly object[]): Piece {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
    case 'symbol':
      return `undefined /* a ${typeof value} */`;
    case 'object':
      return value === null ? 'null' : objectPiece(value, above);
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

/** The value as an expression. Functions, symbols and cycles become `undefined`, with a comment. */
export const pieceOf = (value: unknown): Piece => valuePiece(value, []);

function flat(piece: Piece): string {
  if (typeof piece === 'string') return piece;
  const { open, items, close, padding } = piece;
  return `${open}${padding}${items.map(flat).join(', ')}${padding}${close}`;
}

const mustBreak = (piece: Piece): boolean =>
  typeof piece !== 'string' && (piece.layout === 'broken' || piece.items.some(mustBreak));

/** The piece as text. `indent` is that of its first line, `after` how much follows on its last one. */
export function laidOut(piece: Piece, indent = 0, after = 0): string {
  const line = flat(piece);
  if (typeof piece === 'string' || (!mustBreak(piece) && indent + line.length + after <= WIDTH)) return line;
  const inner = ' '.repeat(indent + 2);
  const items = piece.items.map((item) => `${inner}${laidOut(item, indent + 2, 1)},\n`);
  return `${piece.open}\n${items.join('')}${' '.repeat(indent)}${piece.close}`;
}

/** The value on one line. */
export const inCode = (value: unknown): string => flat(pieceOf(value));
