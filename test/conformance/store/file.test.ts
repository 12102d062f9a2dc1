// The suite over the engine in a file.
// Invariant: every test has a directory of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';
import { describeStore } from './suite.ts';
import type { StoreUnderTest } from './under-test.ts';

const fileUnderTest: StoreUnderTest = {
  async open() {
    const place = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
    const open = () => openStore(`file:${join(place, 'store')}`, { log: noLog() });
    let store = await open();
    return {
      store,
      async reopen() {
        await store.close();
        store = await open();
        return store;
      },
      async close() {
        await store.close();
        rmSync(place, { recursive: true });
      },
    };
  },
};

describe('store file:', () => {
  describeStore(fileUnderTest);
});
