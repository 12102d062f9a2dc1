// Checkpoints on a real etcd.
// Invariant: every test has a server of its own.
import { describe } from 'vitest';
import { etcdUnderTest } from '../store/etcd-under-test.ts';
import { describeCheckpoints } from './checkpoints.ts';

describe('checkpoints etcd:', () => {
  describeCheckpoints(etcdUnderTest());
});
