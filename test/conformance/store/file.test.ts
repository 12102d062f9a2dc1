// The suite over the engine in a file.
// Invariant: every test has a directory of its own.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { fileUnderTest } from './file-under-test.ts';
import { describeStore } from './suite.ts';

describe('store file:', () => {
  describeStore(fileUnderTest(join(tmpdir(), 'holdfast-conformance-')));
});
