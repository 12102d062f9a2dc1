// Streamed results: backpressure from the consumer to the function, and resumption in mid-stream.
// Invariant of all: items come out in order, none is missing, none comes twice, and the function ran once.
import { expect, test } from 'vitest';
import type { Client } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

interface Item {
  readonly i: number;
  readonly pad: string;
}

const TOTAL = 3_000;
const PAD_BYTES = 2_000;

/** Reads a whole stream; `at` is called with each number. */
async function read(
  client: Client,
  args: readonly unknown[],
  at: (i: number) => unknown = () => undefined,
): Promise<number[]> {
  const seen: number[] = [];
  for await (const { i, pad } of client.stream<Item>('items', args)) {
    expect(pad.length).toBe(args[2]);
    seen.push(i);
    await at(i);
  }
  return seen;
}

const inOrder = Array.from({ length: TOTAL }, (_, i) => i);

test('a stream delivers its items in order, and one that is not read holds the function back', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const stream = client.stream<Item>('items', ['k', TOTAL, PAD_BYTES])[Symbol.asyncIterator]();
  expect(await stream.next()).toMatchObject({ done: false, value: { i: 0 } });
  // The window is 1 MiB on either side of the link; nothing else is produced until somebody reads.
  let before = -1;
  await eventually('the function waits', async () => {
    const now = worker.produced();
    const same = now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return same && now > 1;
  });
  const held = worker.produced();
  expect(held * PAD_BYTES).toBeLessThan(2.5 * 1_048_576);
  expect(held).toBeLessThan(TOTAL);
  // A small call is not held up by it.
  expect(await client.call('add', [1, 2])).toBe(3);
  const rest: number[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) break;
    rest.push(next.value.i);
  }
  expect(rest).toEqual(inOrder.slice(1));
  expect(worker.countOf('k')).toBe(1);
});

test('leaving the loop cancels the function; its `finally` runs', async () => {
  let cleaned = 0;
  const hub = await startHub();
  await startNode(hub.url, 'n1', {
    functions: {
      async *forever() {
        try {
          for (let i = 0; ; i++) yield i;
        } finally {
          cleaned += 1;
        }
      },
    },
  });
  const client = await startClient(hub.url);
  for await (const i of client.stream<number>('forever')) if (i === 10) break;
  await eventually('the generator ended', () => cleaned === 1);
  await eventually('nothing runs', () => hub.status().running === 0 && client.status().inFlight === 0);
});

test('an error in mid-stream comes after the items that were yielded before it', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1', {
    functions: {
      async *breaks(n: number) {
        for (let i = 0; i < n; i++) yield i;
        throw new TypeError('out of items');
      },
    },
  });
  const client = await startClient(hub.url);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const i of client.stream<number>('breaks', [500])) seen.push(i);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'function_failed', message: 'out of items' });
  expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i));
});

test('a plain function asked for a stream yields its result as the only item', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const seen: unknown[] = [];
  for await (const item of client.stream('add', [1, 2])) seen.push(item);
  expect(seen).toEqual([3]);
});

test('a stream goes on where it was when the hub is killed in its middle, three times', async () => {
  let hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const seen = await read(client, ['k', TOTAL, PAD_BYTES], async (i) => {
    if (i !== 500 && i !== 1_200 && i !== 2_500) return;
    await hub.kill();
    hub = await forkHub({ port: hub.port });
  });
  expect(seen).toEqual(inOrder);
  expect(await node.counts()).toEqual({ k: 1 });
});

for (const side of ['node', 'client'] as const) {
  test(`a stream goes on where it was when only the ${side}'s link is cut in its middle, again and again`, async () => {
    const hub = await startHub();
    const proxy = await startTcpProxy(hub.port);
    const worker = await startNode(side === 'node' ? proxy.url : hub.url, 'n1');
    const client = await startClient(side === 'client' ? proxy.url : hub.url);
    const seen = await read(client, ['k', TOTAL, PAD_BYTES], (i) => {
      if (i % 400 === 200) proxy.cut();
    });
    expect(seen).toEqual(inOrder);
    expect(worker.countOf('k')).toBe(1);
    expect(proxy.accepted).toBeGreaterThan(3);
    await eventually('the node keeps nothing', () => worker.node.status().retainedResults === 0);
  });
}

test('a stream whose node and client are both cut off, one after the other, goes on where it was', async () => {
  const hub = await startHub();
  const [nodeSide, clientSide] = await Promise.all([startTcpProxy(hub.port), startTcpProxy(hub.port)]);
  const worker = await startNode(nodeSide.url, 'n1');
  const client = await startClient(clientSide.url);
  const seen = await read(client, ['k', TOTAL, PAD_BYTES], (i) => {
    if (i % 600 === 100) nodeSide.cut();
    if (i % 600 === 103) clientSide.cut();
    if (i % 600 === 400) {
      clientSide.cut();
      nodeSide.cut();
    }
  });
  expect(seen).toEqual(inOrder);
  expect(worker.countOf('k')).toBe(1);
});

test('a stream that ends while its node is away is not taken for complete before its last items came', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  let go: () => void = () => undefined;
  const worker = await startNode(proxy.url, 'n1', {
    functions: {
      async *halves() {
        for (let i = 0; i < 10; i++) yield i;
        await new Promise<void>((resolve) => (go = resolve));
        for (let i = 10; i < 20; i++) yield i;
        return 'end';
      },
    },
  });
  const client = await startClient(hub.url);
  const stream = client.stream<number>('halves')[Symbol.asyncIterator]();
  const seen: number[] = [];
  for (let i = 0; i < 10; i++) seen.push((await stream.next()).value as number);
  proxy.refuse();
  proxy.cut();
  await eventually('the node knows', () => worker.node.status().state !== 'connected');
  go();
  await eventually('the function ended', () => worker.node.status().retainedResults === 1);
  proxy.heal();
  for (;;) {
    const next = await stream.next();
    if (next.done === true) break;
    seen.push(next.value);
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('a stream that had ended, but was not read to its end, is complete after the hub is killed', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const stream = client.stream<Item>('items', ['k', 400, PAD_BYTES])[Symbol.asyncIterator]();
  await stream.next();
  await eventually('the function is done', async () => (await node.ask<number>('produced', 'n1')) === 400);
  await hub.kill();
  await forkHub({ port: hub.port });
  const rest: number[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) break;
    rest.push(next.value.i);
  }
  expect(rest).toEqual(inOrder.slice(1, 400));
  expect(await node.counts()).toEqual({ k: 1 });
});

test('a stream whose node is killed in its middle breaks off with an error, even when it is idempotent', async () => {
  const hub = await startHub({ failoverAfterMs: 100, sessionGraceMs: 400 });
  const doomed = await forkNode({ hub: hub.url, ids: ['doomed'] });
  const client = await startClient(hub.url);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { i } of client.stream<Item>('items', ['k', TOTAL, PAD_BYTES], { idempotent: true })) {
      seen.push(i);
      if (i === 100) {
        await startNode(hub.url, 'heir');
        await doomed.kill();
      }
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: 'lost', started: 'unknown' });
  // What came before is a prefix: nothing was delivered twice.
  expect(seen).toEqual(inOrder.slice(0, seen.length));
});

test('an idempotent stream of which nothing was delivered fails over like a call', async () => {
  const hub = await startHub({ failoverAfterMs: 100 });
  const doomed = await forkNode({ hub: hub.url, ids: ['doomed'] });
  const client = await startClient(hub.url);
  const reading = (async () => {
    const seen: unknown[] = [];
    for await (const item of client.stream('hold', ['k'], { idempotent: true })) seen.push(item);
    return seen;
  })();
  await doomed.started('k');
  const heir = await startNode(hub.url, 'heir');
  heir.release('k');
  await doomed.kill();
  expect(await reading).toEqual(['k from heir']);
});

test('two hundred streams at once share a link, each with its own order', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1');
  const client = await startClient(hub.url);
  let finished = 0;
  const streams = Array.from({ length: 200 }, async (_, n) => {
    const seen: number[] = [];
    for await (const { i } of client.stream<Item>('items', [`s${n}`, 100, 50])) seen.push(i);
    finished += 1;
    if (finished === 20) proxy.cut();
    expect(seen).toEqual(inOrder.slice(0, 100));
  });
  await Promise.all(streams);
  expect(Object.values(worker.counts()).every((count) => count === 1)).toBe(true);
});
