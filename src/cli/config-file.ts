// A JSON file that people write: read, held against a schema, and every mistake told with its place, its value and a remedy.
// Invariant: what may be a secret is never repeated: not the text around a syntax error, not a value of a field that is named so.
//
// A schema's messages are the remedies: `z.int('it must be a whole number')`.
import { z } from 'zod';
import { HoldfastError } from '../index.ts';
import type { StampedFiles } from './file-changes.ts';
import { nearest } from './nearest.ts';

/** @throws HoldfastError `invalid_option` with one line for each mistake */
export function readConfig<T>(
  file: string,
  files: StampedFiles,
  schema: z.ZodType<T>,
  misplaced: Misplaced,
): T {
  return checkConfig(file, parse(file, read(file, files)), schema, misplaced);
}

/** Fields that people look for in the file and that belong elsewhere: what to do instead, by name. */
export type Misplaced = Readonly<Record<string, string>>;

/** `source` is what the mistakes are said to be in. @throws HoldfastError `invalid_option` */
export function checkConfig<T>(
  source: string,
  value: unknown,
  schema: z.ZodType<T>,
  misplaced: Misplaced,
): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw refused(
    source,
    error.issues.flatMap((issue) => linesOf(issue, { value, schema, misplaced })),
  );
}

/** One mistake stands on the line of its source; several have a line each. */
export function refused(source: string, mistakes: readonly string[], cause?: unknown): HoldfastError {
  const [only] = mistakes;
  const message =
    mistakes.length === 1 && only !== undefined
      ? `${source}: ${only}`
      : `${source}: ${mistakes.length} mistakes${mistakes.map((mistake) => `\n  ${mistake}`).join('')}`;
  return new HoldfastError(message, { code: 'invalid_option', cause });
}

function read(file: string, files: StampedFiles): string {
  try {
    return files.read(file);
  } catch (error) {
    throw refused(file, [`it cannot be read: ${(error as Error).message}`], error);
  }
}

function parse(file: string, text: string): unknown {
  try {
    // Editors of some systems begin a file with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw refused(file, [`it is no JSON: ${syntaxProblem(text, (error as Error).message)}`]);
  }
}

/** V8 says what it met, and either the place or the text around it: that text is looked up here, and left out. */
function syntaxProblem(text: string, message: string): string {
  const [, what = message] =
    /^(.*?)(?:, (?:\.\.\.)?"| in JSON at | after JSON| is not valid JSON|$)/s.exec(message) ?? [];
  const [, at] = /at position (\d+)/.exec(message) ?? [];
  const [, around] = /, (?:\.\.\.)?"(.*?)"(?:\.\.\.)? is not valid JSON$/s.exec(message) ?? [];
  const position = at === undefined ? (around === undefined ? -1 : text.indexOf(around)) : Number(at);
  if (position < 0) return what;
  // The text around begins ten characters before what it met, at most.
  const line = text.slice(0, position).split('\n').length;
  const last =
    at === undefined ? text.slice(0, position + Math.min(10, around?.length ?? 0)).split('\n').length : line;
  return `${what}, ${line === last ? `line ${line}` : `lines ${line} to ${last}`}`;
}

interface Checked {
  readonly value: unknown;
  readonly schema: z.ZodType;
  readonly misplaced: Misplaced;
}

function linesOf(issue: z.core.$ZodIssue, { value, schema, misplaced }: Checked): string[] {
  const { path, message } = issue;
  if (issue.code !== 'unrecognized_keys') {
    const found = at(value, path);
    const where = placeOf(path);
    if (found === undefined) return [`${where} is missing; ${message}`];
    const isSecret = path.some((part) => SECRET.test(String(part)));
    return [`${where} is ${isSecret ? 'not right (its value is not shown)' : shown(found)}; ${message}`];
  }
  const known = fieldsOf(schema, path);
  return issue.keys.map((key) => {
    const elsewhere = Object.hasOwn(misplaced, key) ? misplaced[key] : undefined;
    const meant = nearest(key, known);
    const remedy =
      elsewhere ?? (meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`);
    return `${placeOf([...path, key])} is not known; ${remedy}`;
  });
}

const SECRET = /^(key|keyEnv|token|headers)$/i;

/** `endpoints[0].url`; the file itself has no name. */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  return place === '' ? 'it' : place;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return found;
}

const LONGEST = 60;

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const written = typeof value === 'string' ? JSON.stringify(withoutSecrets(value)) : String(value);
  return written.length > LONGEST ? `${written.slice(0, LONGEST)}…` : written;
}

/** Addresses may hold passwords and keys. */
function withoutSecrets(text: string): string {
  return text.replace(/[?#].*$/s, '?…').replace(/[^/]*@/, '…@');
}

/** The fields of the object at this place. */
function fieldsOf(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let inside: unknown = schema;
  for (const part of path) {
    inside = unwrapped(inside);
    if (inside instanceof z.ZodArray) inside = inside.element;
    else if (inside instanceof z.ZodObject) inside = (inside.shape as Record<PropertyKey, unknown>)[part];
  }
  inside = unwrapped(inside);
  return inside instanceof z.ZodObject ? Object.keys(inside.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}
