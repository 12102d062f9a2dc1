// PROTOCOL.md, 1011: what a defect of the hub's costs. Here the digest of functions is the defect.
import { expect, it, vi } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { join, listeningLog, pair, running, startHub } from './fleet.ts';
import { frame } from './raw.ts';

vi.mock(import('../../src/protocol/digest.ts'), () => ({
  digestOf: () => {
    throw new TypeError('a defect');
  },
}));

it('A frame that makes the hub fail closes its link with 1011, and nobody else notices', async () => {
  const { log, complaints } = listeningLog();
  const hub = await startHub({ log });
  const fleet = await pair(hub);
  await running(fleet, 1);
  const { peer } = await join(hub, 'node', { functions: ['other'] });
  peer.json(FrameType.CHECK, { functions: 1, digest: '' });
  expect(await peer.closed).toEqual({ code: CloseCode.INTERNAL, reason: 'the hub failed' });
  expect(complaints.filter(({ level }) => level === 'error')).toMatchObject([
    { message: 'defect: a frame could not be handled: TypeError: a defect' },
  ]);
  fleet.node.peer.send(frame(FrameType.RESULT, '1', { peer: fleet.client.number, id: 1 }));
  await fleet.client.peer.take(FrameType.RESULT);
});
