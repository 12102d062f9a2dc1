// The backend in memory: batches in order, changes with the outcomes that made them.
import { expect, test } from 'vitest';
import { createMemoryBackend } from '../../../src/store/memory-store.ts';
import type { Command } from '../../../src/store/commands.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import { bytes, text } from './naive-store.ts';

const put = (key: string): Command => ({ type: 'put', key: bytes(key) });

test('batches settle in the order of the calls, each with all that it changed', async () => {
  const backend = createMemoryBackend(new MemoryKeyspace());
  const settled: string[] = [];
  await Promise.all(
    [[put('a'), put('b')], [put('c')]].map(async (batch) => {
      const { changes, outcomes } = await backend.run(batch);
      settled.push(changes.map(({ entry }) => `${text(entry.key)}@${entry.modRevision}`).join());
      expect(outcomes.map((outcome) => 'revision' in outcome && outcome.revision)).toEqual(
        changes.map(({ entry }) => entry.modRevision),
      );
    }),
  );
  expect(settled).toEqual(['a@2,b@3', 'c@4']);
  await backend.close();
});
