// What the commands on a store have in common: which store, which keys, and how entries are printed.
// Invariant: bytes that are no text are never printed as text; JSON carries them as base64.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { STORE_FILE, storeDirectory } from '../adapters/store-url.ts';
import {
  HoldfastError,
  noLog,
  openStore,
  prefixEnd,
  type KeyRange,
  type KeyValue,
  type Store,
} from '../index.ts';
import { readText } from './flags.ts';
import { printError } from './report.ts';

const DEFAULT_STORE = 'file:./data';

export interface StoreFlags {
  readonly store: string;
  readonly ca?: string;
  readonly json?: true;
}

export function storeFlag(): Option {
  const description = 'memory:, file:FOLDER, etcd://HOST:PORT or etcds://USER:PASSWORD@HOST:PORT';
  return new Option('--store <url>', description).env('HOLDFAST_STORE').default(DEFAULT_STORE);
}

export function addStoreFlags(command: Command): Command {
  return command
    .addOption(storeFlag())
    .option('--ca <file>', "PEM file of the authority that signed the store's certificate (etcds://)");
}

/** What else opens the store. @throws HoldfastError when the file cannot be read */
export function openingOf({ ca }: StoreFlags): { tls?: { ca: string } } {
  return ca === undefined ? {} : { tls: { ca: readText('--ca', ca) } };
}

export interface RangeFlags {
  readonly prefix?: true;
  readonly fromKey?: true;
}

export function addRangeFlags(command: Command): Command {
  return command
    .option('--prefix', 'all keys that begin with KEY')
    .option('--from-key', 'all keys from KEY on');
}

/** @throws HoldfastError */
export function rangeOf(key: string, end: string | undefined, { prefix, fromKey }: RangeFlags): KeyRange {
  if ([end, prefix, fromKey].filter((given) => given !== undefined).length > 1) {
    throw new HoldfastError('give one of END, --prefix and --from-key', { code: 'invalid_option' });
  }
  const bytes = new TextEncoder().encode(key);
  const first = bytes.length === 0 && (prefix || fromKey) ? Uint8Array.of(0) : bytes;
  if (prefix) return { key: first, end: prefixEnd(bytes) };
  if (fromKey) return { key: first, end: new Uint8Array(0) };
  return end === undefined ? { key: first } : { key: first, end: new TextEncoder().encode(end) };
}

/** The store that is meant: the option may stand before or after the command's name. */
export function storeOf(command: Command, flags: StoreFlags): string {
  const { parent } = command;
  const before =
    parent?.getOptionValueSource('store') === 'cli' ? (parent.opts() as StoreFlags).store : undefined;
  return command.getOptionValueSource('store') === 'cli' ? flags.store : (before ?? flags.store);
}

/** A person waits: what cannot be asked by then (etcdctl's time, too) is told. */
const PROPOSE_TIMEOUT_MS = 5_000;

/** Opens the store for one command, and says what goes wrong. Only what writes begins a store where there is none. */
export async function withStore(
  command: Command,
  flags: StoreFlags,
  use: (store: Store) => Promise<void>,
  kind: 'reads' | 'writes' = 'reads',
): Promise<void> {
  try {
    const url = storeOf(command, flags);
    if (kind === 'reads') refuseMissing(url);
    const times = { proposeTimeoutMs: PROPOSE_TIMEOUT_MS };
    const store = await openStore(url, { log: noLog(), ...times, ...openingOf(flags) });
    try {
      await use(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    printError(error, flags.json ? 'json' : 'text');
    process.exitCode = 1;
  }
}

function refuseMissing(url: string): void {
  if (!url.startsWith('file:')) return;
  const directory = storeDirectory(url);
  if (existsSync(join(directory, STORE_FILE))) return;
  throw new HoldfastError(`there is no store in ${directory}; name another with --store`, {
    code: 'invalid_option',
  });
}

const strict = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Text that fits on a line as it is; the rest as JSON text, or `base64:…`. */
export function printable(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text === undefined) return `base64:${Buffer.from(bytes).toString('base64')}`;
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(text) ? JSON.stringify(text) : text;
}

/** Text, or an object that says that it is none. */
export type JsonBytes = string | { readonly base64: string };

export function jsonOf(bytes: Uint8Array): JsonBytes {
  return textOf(bytes) ?? { base64: Buffer.from(bytes).toString('base64') };
}

/** @throws HoldfastError */
export function bytesOf(value: unknown): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  const base64 = (value as { base64?: unknown } | null)?.base64;
  if (typeof base64 === 'string') {
    const bytes = Buffer.from(base64, 'base64');
    // What is no base64 is left out by `Buffer.from`, without a word.
    if (bytes.toString('base64') === base64) return new Uint8Array(bytes);
  }
  throw new HoldfastError(`${JSON.stringify(value)} is neither a text nor {"base64": "…"}`, {
    code: 'invalid_argument',
  });
}

export function jsonEntry({ key, value, createRevision, modRevision, version, lease }: KeyValue): object {
  return {
    key: jsonOf(key),
    value: jsonOf(value),
    createRevision,
    modRevision,
    version,
    ...(lease === undefined ? {} : { lease }),
  };
}
