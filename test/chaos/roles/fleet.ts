// Hub, node and client in one process that runs through the main things once: a smoke test for another Node, or for the web adapters.
// Invariant: it fails by exiting with a status other than 0, with the reason on standard error.
import { deepStrictEqual, rejects } from 'node:assert/strict';
import { createHub, noLog } from '../../../src/index.ts';
import { roleOptions, tell } from './role.ts';
import { createWork } from './work.ts';

const { api } = roleOptions<{ api: 'node' | 'web' }>();
const { createClient, createNode } =
  api === 'node' ? await import('../../../src/index.ts') : await import('../../../src/web.ts');

const hub = await createHub({ port: 0, log: noLog() });
const work = createWork('n1');
const node = createNode({
  hub: hub.url,
  id: 'n1',
  functions: work.functions,
  log: noLog(),
  reconnectIntervalMs: 50,
});
const client = createClient({ hub: hub.url, log: noLog(), reconnectIntervalMs: 50 });
await Promise.all([node.ready(), client.ready()]);

deepStrictEqual(await client.call('add', [1, 2]), 3);
deepStrictEqual(await client.call('echo', [new Float64Array([1, 2])]), new Float64Array([1, 2]));
const big = new Uint8Array(3_000_000).fill(1);
deepStrictEqual(await client.call('weigh', ['big', big]), {
  length: big.length,
  sum: Math.ceil(big.length / 4_096),
});
const seen: number[] = [];
for await (const { i } of client.stream<{ i: number }>('items', ['items', 500, 5_000])) seen.push(i);
deepStrictEqual(
  seen,
  Array.from({ length: 500 }, (_, i) => i),
);
await rejects(client.call('fail', ['f', 'broken']), { code: 'function_failed', message: 'broken' });
await rejects(client.call('hold', ['late'], { deadlineMs: 50 }), { code: 'timed_out' });
await rejects(client.call('hold', ['cancelled'], { signal: AbortSignal.timeout(50) }), { code: 'cancelled' });

// A link that ends is made again, and what ran goes on.
const call = client.call('hold', ['k']);
while (work.countOf('k') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
hub.disconnect('n1');
while (node.status().reconnects === 0) await new Promise((resolve) => setTimeout(resolve, 5));
work.release('k');
deepStrictEqual(await call, 'k from n1');
deepStrictEqual(work.countOf('k'), 1);

await client.stop();
await node.stop();
await hub.stop();
tell({ event: 'done', version: process.version });
process.disconnect?.();
