// Checkpoints on the engine in a file.
// Invariant: every test has a directory of its own.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { fileUnderTest } from '../store/file-under-test.ts';
import { describeCheckpoints } from './checkpoints.ts';

describe('checkpoints file:', () => {
  describeCheckpoints(fileUnderTest(join(tmpdir(), 'holdfast-checkpoints-')));
});
