// A node as browsers run it, over the platform's own WebSocket and Web Crypto, trains for a hub on Node.
import * as fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createNodeDigest } from '../../../src/adapters/node-digest.ts';
import { createWebDigest } from '../../../src/adapters/web-digest.ts';
import { createTrainer, noLog, openStore } from '../../../src/index.ts';
import { createNode, trainable } from '../../../src/web.ts';
import { startHub } from '../../chaos/in-process.ts';

test('it takes part as any other', async () => {
  const hub = await startHub();
  const functions = trainable({
    train: ({ weights }) => ({
      weights: weights.map(({ shape, data }) => ({ shape, data: data.map((value) => value + 1) })),
      samples: 1,
    }),
  });
  const node = createNode({ hub: hub.url, id: 'page', functions });
  const store = await openStore('memory:', { log: noLog() });
  const model = [{ shape: [2], data: Float32Array.of(0, 10) }];
  const trainer = createTrainer({ hub, store, model, rounds: 3, log: noLog() });
  onTestFinished(async () => {
    await trainer[Symbol.asyncDispose]();
    await Promise.all([node.stop(), store.close()]);
  });
  await trainer.start();
  expect(await trainer.done).toMatchObject({
    end: 'completed',
    weights: [{ shape: [2], data: Float32Array.of(3, 13) }],
  });
});

test('both platforms name the same bytes the same', async () => {
  const [onNode, onWeb] = [createNodeDigest(), createWebDigest()];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (parts) => {
      expect(await onWeb.sha256(parts)).toBe(await onNode.sha256([Buffer.concat(parts)]));
    }),
    { numRuns: 50 },
  );
  // FIPS 180-4, the example of one block.
  expect(await onWeb.sha256([new TextEncoder().encode('a'), new TextEncoder().encode('bc')])).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('a page over plain http is told what is missing', () => {
  vi.stubGlobal('crypto', { getRandomValues: () => undefined });
  onTestFinished(() => void vi.unstubAllGlobals());
  expect(() => trainable({ train: () => ({ weights: [], samples: 1 }) })).toThrow(
    /serve the page over https/,
  );
});
