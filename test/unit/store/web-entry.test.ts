// The store as browsers get it.
import { expect, test } from 'vitest';
import { openStore, prefixEnd, watchEvents } from '../../../src/web.ts';
import { bytes, text } from './naive-store.ts';

test('the web entry opens a store in memory, and no other', async () => {
  await using store = await openStore('memory:');
  const key = bytes('jobs/');
  await store.put({ key: bytes('jobs/1'), value: bytes('ready') });
  for await (const { events } of watchEvents(store, { key, end: prefixEnd(key), startRevision: 1 })) {
    if (events.length === 0) continue;
    expect(events.map(({ entry }) => text(entry.value))).toEqual(['ready']);
    break;
  }
  await expect(openStore('file:./data')).rejects.toMatchObject({ code: 'invalid_option' });
});
