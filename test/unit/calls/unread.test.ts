// Calls of a client that does not read: what they may keep from others, and for how long.
// Invariant: driven by hand on a simulated clock; the outboxes lead to lists.
import { expect, it } from 'vitest';
import { createAsking } from '../../../src/calls/roster.ts';
import { Router } from '../../../src/calls/router.ts';
import { FrameType } from '../../../src/protocol/frames.ts';
import { defaults } from '../../../src/protocol/limits.ts';
import { Outbox } from '../../../src/protocol/outbox.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { createSimulation } from '../../../src/testing/index.ts';

interface Said {
  readonly type: number;
  readonly id: number;
  readonly text: string;
}

function make() {
  const simulation = createSimulation({ seed: 1 });
  const { clock } = simulation;
  const router = new Router({
    clock,
    balance: 'leastLoaded',
    random: () => 0,
    maxQueueSize: 10,
    failoverAfterMs: 1_000,
    noNodeAfterMs: 60_000,
    hub: 'h1',
    sessionGraceMs: 60_000,
  });
  function outboxTo(said: Said[], endOfTurn: (fn: () => void) => void): Outbox {
    const send = (bytes: Uint8Array): 'taken' => {
      readFrames(bytes, {
        frame: (type, _flags, _peer, id, all, start, end) =>
          void said.push({ type, id, text: new TextDecoder().decode(all.subarray(start, end)) }),
      });
      return 'taken';
    };
    return new Outbox({ send, bufferedBytes: 0, endOfTurn }, { onOverflow: () => undefined });
  }
  function client(number: number) {
    const said: Said[] = [];
    const kernel = { bufferedBytes: 0 };
    const bufferedBytes = (): number => kernel.bufferedBytes;
    const asking = createAsking({
      number,
      id: `c${number}`,
      instance: `ci${number}`,
      bufferedBytes,
      past: 'here',
    });
    router.addClient(asking);
    router.clientAttached(asking, outboxTo(said, router.turn.afterInput));
    const says = (type: number, id: number, bytes: Uint8Array): void =>
      router.clientFrame(asking, type, 0, 0, id, bytes, 0, bytes.length);
    says(FrameType.DEFINE, 0, new TextEncoder().encode('f'));
    const call = (id: number): void => says(FrameType.CALL, id, new Uint8Array(8));
    return { asking, said, kernel, call };
  }
  const said: Said[] = [];
  const facts = { number: 9, id: 'n9', instance: 'ni9', labels: {}, maxConcurrent: 1 };
  const node = router.addNode({ ...facts, functions: new Map([['f', 0]]) }, { totalTasksExecuted: 0 });
  router.nodeOnline(node, outboxTo(said, router.turn.afterClients), 'new');
  return { simulation, router, node, atNode: said, client };
}

const callsOf = (said: readonly Said[]): number[] =>
  said.filter(({ type }) => type === FrameType.CALL).map(({ id }) => id);

it('A call whose client stopped reading in that very turn keeps its place for a while, and is then given back', async () => {
  const { simulation, router, node, atNode, client } = make();
  const stuck = client(1);
  const other = client(2);
  stuck.call(1);
  stuck.kernel.bufferedBytes = 100;
  await simulation.run(10);
  other.call(20);
  await simulation.run(defaults.heartbeatTimeoutMs - 500);
  expect(node.running).toBe(1);
  expect(callsOf(atNode)).toEqual([]);
  await simulation.run(1_000);
  expect(callsOf(atNode)).toEqual([20]);
  const failure = stuck.said.find(({ type }) => type === FrameType.FAILURE);
  expect(failure).toMatchObject({ id: 1, text: expect.stringContaining('"unstarted"') as unknown });
  router.stop();
});

it('A call of a client that does not read takes no place at all, and goes when it reads', async () => {
  const { simulation, router, node, atNode, client } = make();
  const stuck = client(1);
  const other = client(2);
  stuck.kernel.bufferedBytes = 100;
  stuck.call(1);
  await simulation.run(10);
  expect(node.running).toBe(0);
  other.call(20);
  await simulation.run(10);
  expect(callsOf(atNode)).toEqual([20]);
  router.nodeFrame(node, FrameType.RESULT, 0, 2, 20, new Uint8Array(), 0, 0);
  stuck.kernel.bufferedBytes = 0;
  router.clientDrained(stuck.asking);
  await simulation.run(10);
  expect(callsOf(atNode)).toEqual([20, 1]);
  router.stop();
});
