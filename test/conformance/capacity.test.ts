// PROTOCOL.md, limits that take too many peers to reach: the same code, with smaller numbers.
import { expect, it, vi } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { FakeHub, startNode } from './fake-hub.ts';
import { call, callPayload, define, dial, join, registration, startHub } from './fleet.ts';
import { frame, jsonOf, u32s } from './raw.ts';

vi.mock(import('../../src/protocol/limits.ts'), async (original) => {
  const real = await original();
  return {
    ...real,
    limits: { ...real.limits, maxPeers: 3 as 65_535, maxOutboxBytes: 2_000_000 as 67_108_864 },
  };
});

it('A hub that has all the peers that it can number refuses one more with 4503, and not for good', async () => {
  const hub = await startHub({ retryAfterMs: 321 });
  for (const role of ['node', 'client', 'node'] as const) await join(hub, role);
  const late = await dial(hub);
  late.json(FrameType.REGISTER, registration('node', { epoch: 2, registrationEpoch: 3 }));
  expect(jsonOf(await late.take(FrameType.REFUSED))).toEqual({
    epoch: 2,
    registrationEpoch: 3,
    terminal: false,
    retryAfterMs: 321,
    reason: 'the hub has 3 peers already',
  });
  expect(await late.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
});

it('A peer that is known comes back although there is no room for others', async () => {
  const hub = await startHub();
  const known = await join(hub, 'node');
  await join(hub, 'node');
  await join(hub, 'node');
  const again = await join(hub, 'node', { ...known.message, epoch: 2, registrationEpoch: 2 });
  expect(again.number).toBe(known.number);
});

it('The number of a peer that is gone goes to another, and stands for it', async () => {
  const hub = await startHub({ sessionGraceMs: 30 });
  const client = await join(hub, 'client');
  const first = await join(hub, 'node', { id: 'first' });
  await join(hub, 'node', { id: 'second', functions: ['other'] });
  client.peer.send(define(0, 'echo'), call(1));
  expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ peer: first.number });
  expect(jsonOf(await client.peer.take(FrameType.PEER))).toMatchObject({ id: 'first' });
  first.peer.vanish();
  await expect.poll(() => hub.nodes().map(({ id }) => id)).toEqual(['second']);
  const third = await join(hub, 'node', { id: 'third' });
  expect(third.number).toBe(first.number);
  client.peer.send(call(2));
  expect(await client.peer.take(FrameType.ASSIGNED, ({ id }) => id === 2)).toMatchObject({
    peer: third.number,
  });
  expect(jsonOf(await client.peer.take(FrameType.PEER))).toMatchObject({ id: 'third' });
});

it('A hub that does not read is given up by its node, which comes back with what it kept', async () => {
  const hub = await FakeHub.start();
  const { log } = startNode(hub, { functions: { large: () => 'x'.repeat(60_000) } });
  const peer = await hub.welcome();
  peer.ws.pause();
  const introduce = frame(FrameType.PEER, { id: 'c1', instance: 'ci1' }, { peer: 9 });
  const count = 400;
  const ids = Array.from({ length: count }, (_, at) => at + 1);
  peer.send(introduce, ...ids.map((id) => frame(FrameType.CALL, callPayload(), { peer: 9, id })));
  const again = await hub.welcome();
  expect(log.complaints.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^hub does not read: \d+ bytes wait/),
  );
  again.send(introduce, frame(FrameType.QUERY, u32s(count, 0, 1_000_000), { peer: 9 }));
  expect(await again.take(FrameType.RESULT)).toMatchObject({ id: count });
});
