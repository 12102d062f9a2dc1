// One suite for every engine, and for the facade through a client: what the contract says, as tests.
// Invariant: no test asks which engine it runs on.
import { describe } from 'vitest';
import { describeConcurrency } from './concurrency.ts';
import { describeKeys } from './keys.ts';
import { describeLeases } from './leases.ts';
import { describeClosing, describeCompaction, describeReopening } from './lifecycle.ts';
import { describeRequests } from './requests.ts';
import { describeTransactions } from './transactions.ts';
import type { StoreUnderTest } from './under-test.ts';
import { describeWatches } from './watches.ts';

/** Call it within a `describe` that names the engine. */
export function describeStore(under: StoreUnderTest): void {
  describe('keys', () => {
    describeKeys(under);
  });
  describe('requests', () => {
    describeRequests(under);
  });
  describe('transactions', () => {
    describeTransactions(under);
  });
  describe('leases', () => {
    describeLeases(under);
  });
  describe('watches', () => {
    describeWatches(under);
  });
  describe('compaction', () => {
    describeCompaction(under);
  });
  describe('closing', () => {
    describeClosing(under);
  });
  describe('opening again', () => {
    describeReopening(under);
  });
  describe('clients at once', () => {
    describeConcurrency(under);
  });
}
