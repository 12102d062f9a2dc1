// The suite over our client of a real etcd: the reference that the suite was written against.
// Invariant: every test has a server of its own.
import { describe } from 'vitest';
import { etcdUnderTest } from './etcd-under-test.ts';
import { describeStore } from './suite.ts';

describe('store etcd:', () => {
  describeStore(etcdUnderTest());
});
