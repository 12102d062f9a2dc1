// What the conformance suite needs of a store, and the words that its tests are written in.
// Invariant: nothing here knows which engine it is.
import { expect, onTestFinished } from 'vitest';
import { HoldfastError, type ErrorCode } from '../../../src/protocol/errors.ts';
import type { KeyRange, KeyValue, Operation, PutRequest, Store } from '../../../src/store/contract.ts';

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and opens what it left behind. Absent where a store is meant to forget. */
  reopen?(): Promise<Store>;
  /** Closes the store and removes what it left behind. */
  close(): Promise<void>;
}

export interface StoreUnderTest {
  /** A store that nobody has written to, with the contract's own limits. */
  open(): Promise<OpenedStore>;
}

/** A fresh store for one test. */
export async function opened(under: StoreUnderTest): Promise<OpenedStore> {
  const one = await under.open();
  onTestFinished(() => one.close());
  return one;
}

export async function openStore(under: StoreUnderTest): Promise<Store> {
  return (await opened(under)).store;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(of: Uint8Array | undefined): string {
  return decoder.decode(of);
}

export function key(name: string): KeyRange {
  return { key: bytes(name) };
}

/** All keys that begin so: the end is the prefix with its last byte one higher. */
export function prefix(name: string): KeyRange {
  const first = bytes(name);
  const end = Uint8Array.from(first);
  end[end.length - 1] = (end.at(-1) as number) + 1;
  return { key: first, end };
}

export const everything: KeyRange = { key: new Uint8Array(), end: new Uint8Array() };

export function between(from: string, until: string): KeyRange {
  return { key: bytes(from), end: bytes(until) };
}

/** A put for `store.put` or a transaction. */
export function put(
  name: string,
  value = '',
  more: Omit<PutRequest, 'key' | 'value'> = {},
): { type: 'put' } & PutRequest {
  return { type: 'put', key: bytes(name), value: bytes(value), ...more };
}

export function get(name: string): Operation {
  return { type: 'range', key: bytes(name) };
}

export function del(range: KeyRange): Operation {
  return { type: 'delete', ...range };
}

/** `a=1` for each entry, in order. */
export function pairs(entries: readonly KeyValue[]): string[] {
  return entries.map((entry) => `${text(entry.key)}=${text(entry.value)}`);
}

export function names(entries: readonly KeyValue[]): string[] {
  return entries.map((entry) => text(entry.key));
}

/** The whole store as text, at its newest revision. */
export async function contents(store: Store): Promise<string[]> {
  return pairs((await store.range(everything)).entries);
}

export async function revisionOf(store: Store): Promise<number> {
  return (await store.range({ ...key('no such key'), countOnly: true })).revision;
}

/** The code of the error that it ends with. */
export async function refusal(doing: Promise<unknown>): Promise<ErrorCode> {
  const error = await doing.then(
    (value) => expect.fail(`it was answered with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return (error as HoldfastError).code;
}
