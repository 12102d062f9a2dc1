// The suite over the engine `memory:`.
// Invariant: every test has a store of its own.
import { describe } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';
import { describeStore } from './suite.ts';

describe('store memory:', () => {
  describeStore({
    async open() {
      const store = await openStore('memory:', { log: noLog() });
      return { store, close: () => store.close() };
    },
  });
});
