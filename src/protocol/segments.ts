// Takes out of a value what neither JSON nor MessagePack can say, and puts it back.
// Invariant: the value that was given is never changed; a hostile table can reach own properties of the decoded value only.
import { HoldfastError } from './errors.ts';
import { limits } from './limits.ts';
import { copyBytes } from './read.ts';

/** Something that travels beside the encoded value; null stands in its place there. */
export interface Segment {
  readonly kind: string;
  readonly path: readonly (string | number)[];
  readonly bytes: Uint8Array;
}

type Encoding = 'json' | 'msgpack';
type Path = (string | number)[];
type View = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ArrayBufferView;

/** Segments without bytes: values that are what their kind says. */
const constants: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

const views = new Map<string, { readonly make: View; readonly elementBytes: number }>([
  ['Int8Array', { make: Int8Array, elementBytes: 1 }],
  ['Uint8Array', { make: Uint8Array, elementBytes: 1 }],
  ['Uint8ClampedArray', { make: Uint8ClampedArray, elementBytes: 1 }],
  ['Int16Array', { make: Int16Array, elementBytes: 2 }],
  ['Uint16Array', { make: Uint16Array, elementBytes: 2 }],
  ['Int32Array', { make: Int32Array, elementBytes: 4 }],
  ['Uint32Array', { make: Uint32Array, elementBytes: 4 }],
  ['Float32Array', { make: Float32Array, elementBytes: 4 }],
  ['Float64Array', { make: Float64Array, elementBytes: 8 }],
  ['BigInt64Array', { make: BigInt64Array, elementBytes: 8 }],
  ['BigUint64Array', { make: BigUint64Array, elementBytes: 8 }],
  ['DataView', { make: DataView, elementBytes: 1 }],
]);
// Younger than es2024: where the platform has it, it travels.
const float16 = (globalThis as unknown as { Float16Array?: View }).Float16Array;
if (float16 !== undefined) views.set('Float16Array', { make: float16, elementBytes: 2 });

/** They would silently become `{}`. */
const opaque = new Set([
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'Promise',
  'RegExp',
  'Error',
  'SharedArrayBuffer',
]);
const remedies = new Map([
  ['Promise', 'await it first'],
  ['Map', 'pass an array of its entries'],
  ['Set', 'pass an array of its members'],
  ['bigint', 'pass it as text, or as BigInt64Array'],
  ['Error', 'pass its message'],
  ['SharedArrayBuffer', 'pass a typed array over it'],
]);

/** Deeper values take the slow way, which knows cycles from depth. */
const QUICK_DEPTH = 32;
/** A segment lies in the received memory only when it is long, and that memory at most so many times as long. */
const MIN_ALIASED_BYTES = 4_096;
const MAX_RETAINED_SHARE = 4;
const EMPTY = new Uint8Array(0);

/** Whether JSON and MessagePack can say all of it as it is. Quick; false also where only the slow way can tell. */
export function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return value === 0 ? 1 / value > 0 : value - value === 0;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth > QUICK_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) if (!isPlain(value[index], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const record = value as Readonly<Record<string, unknown>>;
  for (const key in record) {
    const entry = record[key];
    if (entry !== undefined && !isPlain(entry, depth + 1)) return false;
  }
  return true;
}

/**
 * A copy of the value, as far as it must differ, with null where a segment was taken out.
 * @throws HoldfastError `invalid_argument` for what cannot travel.
 */
export function takeSegments(
  value: unknown,
  encoding: Encoding,
): { root: unknown; segments: readonly Segment[] } {
  const segments: Segment[] = [];
  const ancestors: object[] = [];
  const path: Path = [];

  const take = (kind: string, bytes: Uint8Array): null => {
    segments.push({ kind, bytes, path: [...path] });
    return null;
  };

  const visit = (given: unknown): unknown => {
    const entry = toPlain(given, path, encoding);
    switch (typeof entry) {
      case 'string':
      case 'boolean':
        return entry;
      case 'number':
        if (isPlain(entry, 0)) return entry;
        return take(Object.is(entry, -0) ? '-0' : String(entry), EMPTY);
      case 'undefined':
        return take('undefined', EMPTY);
      case 'object':
        break;
      default:
        throw cannotTravel(typeof entry, path);
    }
    if (entry === null) return null;
    if (ArrayBuffer.isView(entry)) return take(kindOf(entry, path), bytesOf(entry));
    if (entry instanceof ArrayBuffer) return take('ArrayBuffer', new Uint8Array(entry));
    // oxlint-disable-next-line no-restricted-globals -- a Date as a value, not as a clock
    if (entry instanceof Date) return entry;
    if (ancestors.includes(entry)) throw cannotTravel('a cycle', path);
    if (ancestors.length >= limits.maxValueDepth)
      throw cannotTravel(`more than ${limits.maxValueDepth} levels`, path);
    ancestors.push(entry);
    const copy = Array.isArray(entry) ? visitArray(entry) : visitObject(entry);
    ancestors.pop();
    return copy;
  };

  const visitArray = (entries: readonly unknown[]): unknown[] => {
    const copy: unknown[] = [];
    for (let index = 0; index < entries.length; index += 1) {
      path.push(index);
      copy.push(visit(entries[index]));
      path.pop();
    }
    return copy;
  };

  const visitObject = (entry: object): object => {
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(entry)) {
      const inner = (entry as Readonly<Record<string, unknown>>)[key];
      if (inner === undefined) continue;
      path.push(key);
      const visited = visit(inner);
      path.pop();
      // Plain assignment of `__proto__` would set the prototype.
      if (key !== '__proto__') copy[key] = visited;
      else
        Object.defineProperty(copy, key, {
          value: visited,
          enumerable: true,
          configurable: true,
          writable: true,
        });
    }
    return copy;
  };

  const root = value === undefined ? undefined : visit(value);
  return { root, segments };
}

/** Puts segments back into a decoded value. The table comes from the other side: nothing about it is known. */
export function insertSegments(
  root: unknown,
  table: readonly unknown[],
  bytes: Uint8Array,
  start: number,
  end: number,
): unknown {
  const holder: { root: unknown } = { root };
  let at = start;
  for (const row of table) {
    if (!Array.isArray(row)) throw new Error('a row of its table is no list');
    const [kind, size, ...path] = row as unknown[];
    if (typeof kind !== 'string' || typeof size !== 'number' || !Number.isInteger(size) || size < 0) {
      throw new Error('a row of its table is malformed');
    }
    if (size > end - at) throw new Error(`its segment ${kind} is truncated`);
    put(holder, path, segmentOf(kind, bytes, at, size));
    at += Math.ceil(size / 8) * 8;
  }
  if (at !== end) throw new Error('its segments do not end where it ends');
  return holder.root;
}

function put(holder: { root: unknown }, path: readonly unknown[], value: unknown): void {
  let target: unknown = holder;
  let key: string | number = 'root';
  for (const step of path) {
    target = entryOf(target, key);
    if (typeof step !== 'string' && typeof step !== 'number')
      throw new Error('a path of its table is malformed');
    key = step;
  }
  if (entryOf(target, key) !== null) throw new Error('a path of its table leads to something that is there');
  (target as Record<string | number, unknown>)[key] = value;
}

/** Own properties only: a path such as `constructor` leads nowhere. */
function entryOf(target: unknown, key: string | number): unknown {
  if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) {
    throw new Error('a path of its table leads nowhere');
  }
  return (target as Readonly<Record<string | number, unknown>>)[key];
}

function segmentOf(kind: string, bytes: Uint8Array, at: number, size: number): unknown {
  if (constants.has(kind)) {
    if (size !== 0) throw new Error(`its segment ${kind} has bytes`);
    return constants.get(kind);
  }
  if (kind === 'ArrayBuffer') return copyBytes(bytes, at, at + size).buffer;
  const view = views.get(kind);
  if (view === undefined) throw new Error(`its segment is of the unknown kind ${kind.slice(0, 40)}`);
  const { make: View, elementBytes } = view;
  if (size % elementBytes !== 0) throw new Error(`its segment ${kind} has ${size} bytes`);
  const length = size / elementBytes;
  const offset = bytes.byteOffset + at;
  const isWorthIt = size >= MIN_ALIASED_BYTES && size * MAX_RETAINED_SHARE >= bytes.buffer.byteLength;
  if (isWorthIt && offset % elementBytes === 0) return new View(bytes.buffer, offset, length);
  return new View(copyBytes(bytes, at, at + size).buffer, 0, length);
}

/** What JSON would make of an object before it looks inside; refuses what would silently become `{}`. */
function toPlain(given: unknown, path: Path, encoding: Encoding): unknown {
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given)) return given;
  const tag = Object.prototype.toString.call(given).slice(8, -1);
  if (opaque.has(tag)) throw cannotTravel(tag, path);
  if (tag === 'Number' || tag === 'String' || tag === 'Boolean') return given.valueOf();
  // oxlint-disable-next-line no-restricted-globals -- a Date as a value, not as a clock
  if (encoding === 'msgpack' && given instanceof Date) return given;
  const { toJSON } = given as { readonly toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON.call(given, String(path.at(-1) ?? '')) as unknown) : given;
}

function kindOf(view: ArrayBufferView, path: Path): string {
  // The getter of typed arrays answers their own kind also for subclasses, such as Node's Buffer.
  const kind = String((view as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]);
  if (!views.has(kind)) throw cannotTravel(kind, path);
  return kind;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function cannotTravel(what: string, path: Path): HoldfastError {
  const place = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return new HoldfastError(
    `${what} at value${place.slice(0, 200)} cannot be sent; ${remedies.get(what) ?? 'pass plain data'}`,
    {
      code: 'invalid_argument',
    },
  );
}
