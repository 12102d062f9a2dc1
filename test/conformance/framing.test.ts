// PROTOCOL.md, frames: what no role may send, at any time, and what it costs.
import { describe, expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { call, callPayload, dial, join, pair, registration, running, startHub } from './fleet.ts';
import { concat, frame, nameOf, u32s } from './raw.ts';

/** Messages that no link takes, with the code that they cost. */
const violations: readonly (readonly [rule: string, message: Uint8Array, code: number])[] = [
  ['An empty message', new Uint8Array(), CloseCode.MALFORMED],
  ['A header of one byte', new Uint8Array([FrameType.PING]), CloseCode.MALFORMED],
  ['A header of 11 bytes', frame(FrameType.PING).subarray(0, 11), CloseCode.MALFORMED],
  [
    'A payload that is shorter than announced',
    frame(FrameType.PING, 'abc', { length: 4 }),
    CloseCode.MALFORMED,
  ],
  ['A length of 2^32 - 1', frame(FrameType.PING, '', { length: 0xffff_ffff }), CloseCode.LIMIT_EXCEEDED],
  [
    'A second frame that is truncated',
    concat([frame(FrameType.PING), new Uint8Array(5)]),
    CloseCode.MALFORMED,
  ],
  [
    'A control payload of maxControlBytes + 1',
    frame(FrameType.PING, new Uint8Array(limits.maxControlBytes + 1)),
    CloseCode.LIMIT_EXCEEDED,
  ],
  [
    'A value payload of maxChunkBytes + 1',
    frame(FrameType.CALL, new Uint8Array(limits.maxChunkBytes + 1)),
    CloseCode.LIMIT_EXCEEDED,
  ],
  ['A frame of type 0', frame(0), CloseCode.UNEXPECTED_TYPE],
  ['A frame of the first type beyond the last', frame(0x20), CloseCode.UNEXPECTED_TYPE],
  ['A frame of type 255', frame(0xff), CloseCode.UNEXPECTED_TYPE],
];

describe.each(['nobody', 'node', 'client'] as const)('From a peer that registered as %s,', (role) => {
  it.each(violations)('%s closes with the code of its rule', async (_, message, code) => {
    const hub = await startHub();
    const peer = role === 'nobody' ? await dial(hub) : (await join(hub, role)).peer;
    peer.ws.send(message);
    expect((await peer.closed).code).toBe(code);
  });
});

/** Types that exist and that a peer of this role does not send. */
const foreign = {
  node: [
    'REGISTERED',
    'REFUSED',
    'SYNC',
    'UNKNOWN',
    'PONG',
    'CHECKED',
    'DRAINING',
    'REPLACED',
    'PEER',
    'DEFINE',
    'CALL',
    'ASSIGNED',
    'CANCEL',
    'ACK',
    'RESUME',
    'QUERY',
    'ANSWER',
  ],
  client: [
    'REGISTERED',
    'REFUSED',
    'SYNC',
    'UNKNOWN',
    'PONG',
    'CHECKED',
    'DRAINING',
    'REPLACED',
    'PEER',
    'ASSIGNED',
    'ITEM',
    'RESULT',
    'FAILURE',
    'QUERY',
    'FATE',
    'ANSWER',
  ],
} as const;

describe.each(['node', 'client'] as const)('A %s that sends', (role) => {
  it.each(foreign[role])('%s, which is not of its role, is closed with 4403', async (name) => {
    const hub = await startHub();
    const { peer } = await join(hub, role);
    peer.send(frame(FrameType[name], u32s(1)));
    expect(await peer.closed).toMatchObject({ code: CloseCode.UNEXPECTED_TYPE });
  });
});

it('Types that a hub sends are closed with 4403 before REGISTER too', async () => {
  const hub = await startHub();
  for (const type of [FrameType.REGISTERED, FrameType.PEER, FrameType.QUERY, FrameType.ANSWER]) {
    const peer = await dial(hub);
    peer.send(frame(type));
    expect({ type: nameOf(type), ...(await peer.closed) }).toMatchObject({ code: CloseCode.UNEXPECTED_TYPE });
  }
});

it('Frames before a faulty one count, frames after it in the same message do not', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  client.peer.send(call(1), frame(0x77), call(2));
  expect(await client.peer.closed).toMatchObject({ code: CloseCode.UNEXPECTED_TYPE });
  await node.peer.take(FrameType.CALL, (it) => it.id === 1);
  await node.peer.barrier();
  expect(node.peer.seen(FrameType.CALL)).toEqual([]);
});

it('Messages that follow a faulty one are not read', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  client.peer.send(frame(0x77));
  for (let id = 1; id <= 50; id += 1) client.peer.send(call(id));
  await client.peer.closed;
  await node.peer.barrier();
  expect(node.peer.seen(FrameType.CALL)).toEqual([]);
});

it('What was written before the violation reaches the offender before the close', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  peer.send(frame(FrameType.PING, '', { id: 9 }), frame(0x77));
  expect(await peer.closed).toMatchObject({ code: CloseCode.UNEXPECTED_TYPE });
  expect(peer.seen(FrameType.PONG).map(({ id }) => id)).toEqual([9]);
});

it('The close reason names the rule that was broken', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  peer.send(frame(0x77));
  expect(await peer.closed).toEqual({
    code: CloseCode.UNEXPECTED_TYPE,
    reason: 'frame type 0x77 does not come from a peer',
  });
});

it('A violation costs its sender only: the calls of others go on', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  const { arrived } = await running(fleet, 1);
  const offenders = await Promise.all(violations.map(() => dial(hub)));
  offenders.forEach((peer, index) => peer.ws.send(violations[index]?.[1] ?? ''));
  await Promise.all(offenders.map(({ closed }) => closed));
  fleet.node.peer.send(frame(FrameType.RESULT, '1', { peer: arrived.peer, id: 1 }));
  await fleet.client.peer.take(FrameType.RESULT);
});

it('Flags that do not exist are ignored', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  const { arrived } = await running(fleet, 1, callPayload(), 0xe0);
  expect(arrived.id).toBe(1);
});

it('Many frames travel in one message, in both directions', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  const before = peer.messages.length;
  peer.send(...Array.from({ length: 100 }, (_, id) => frame(FrameType.PING, '', { id: id + 1 })));
  await peer.take(FrameType.PONG, ({ id }) => id === 100);
  expect(peer.messages.length).toBe(before + 1);
  expect(peer.messages.at(-1)?.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id + 1));
});

it('A peer that closes in the middle of its frames leaves no link behind', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  const other = await join(hub, 'node', registration('node'));
  peer.ws.send(frame(FrameType.PING, 'abc', { length: 4 }));
  await peer.closed;
  await other.peer.barrier();
  expect(hub.status().connections).toBe(1);
});
