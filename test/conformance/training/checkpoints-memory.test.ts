// Checkpoints on the engine `memory:`.
// Invariant: every test has a store of its own.
import { describe } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';
import { describeCheckpoints } from './checkpoints.ts';

describe('checkpoints memory:', () => {
  describeCheckpoints({
    async open() {
      const store = await openStore('memory:', { log: noLog() });
      return { store, close: () => store.close() };
    },
  });
});
