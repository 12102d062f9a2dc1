// The hub is killed again and again while hundreds of calls are under way, none of which may be executed twice.
import { expect, test } from 'vitest';
import { createClient, noLog, HoldfastError } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { forkHub, forkNode, quickLink, total } from './processes.ts';

test('with a hub that is killed three times, every call of living nodes gets its result, and none is executed twice', async () => {
  let hub = await forkHub();
  const nodes = await Promise.all(['a', 'b', 'c'].map((id) => forkNode({ hub: hub.url, ids: [id] })));
  const client = createClient({ ...quickLink, hub: hub.url, log: noLog(), executionTimeoutMs: 60_000 });
  await client.ready();

  let next = 0;
  let going = true;
  const ended: Record<string, number> = {};
  const results: string[] = [];
  const workers = Array.from({ length: 256 }, async () => {
    while (going) {
      const key = `k${next++}`;
      await client.call<string>('mark', [key]).then(
        (result) => results.push(result),
        (error: unknown) => {
          const how =
            error instanceof HoldfastError
              ? `${error.code} ${error.started}: ${error.message}`
              : String(error);
          ended[how] = (ended[how] ?? 0) + 1;
        },
      );
    }
  });
  for (let round = 0; round < 3; round++) {
    const before = results.length;
    await eventually('calls flow', () => results.length > before + 2_000);
    await hub.kill();
    hub = await forkHub({ port: hub.port });
  }
  const before = results.length;
  await eventually('calls flow again', () => results.length > before + 2_000);
  going = false;
  await Promise.all(workers);
  const counts = total(await Promise.all(nodes.map((node) => node.counts())));
  const twice = Object.entries(counts).filter(([, count]) => count > 1);
  expect(twice).toEqual([]);
  expect(ended).toEqual({});
  expect(new Set(results).size).toBe(next);
  await client.stop();
}, 60_000);
