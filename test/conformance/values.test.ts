// PROTOCOL.md, long values: chunks and credit, as the hub keeps them.
import { describe, expect, it } from 'vitest';

import { CALL_PREFIX_BYTES, CloseCode, Flag, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { call, callPayload, define, join, pair, running, startHub, type Joined } from './fleet.ts';
import { concat, frame, jsonOf, u32s, type Frame } from './raw.ts';

const chunkBytes = limits.maxChunkBytes;
/** What a sender may have under way of one value, in one direction, before it is cut off. */
const most = limits.creditWindowBytes + 2 * chunkBytes;

/** The first frame of a CALL of `total` bytes; its payload has `chunkBytes`. */
function firstOf(id: number, total: number, fill = 0): Uint8Array {
  const part = new Uint8Array(chunkBytes - CALL_PREFIX_BYTES - 4).fill(fill);
  return call(id, callPayload(concat([u32s(total), part])), Flag.MORE);
}

function chunk(id: number, bytes: number | Uint8Array, flags = 0, peer = 0): Uint8Array {
  const payload = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes;
  return frame(FrameType.CHUNK, payload, { id, flags, peer });
}

function credit(bytes: number, id: number, peer: number): Uint8Array {
  return frame(FrameType.CREDIT, u32s(bytes), { id, peer });
}

async function framesOf({ peer }: Joined, count: number): Promise<Frame[]> {
  const wanted: number[] = [FrameType.CALL, FrameType.CHUNK, FrameType.ITEM, FrameType.RESULT];
  const relevant = (): Frame[] => peer.inbox.filter(({ type }) => wanted.includes(type));
  await expect.poll(() => relevant().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
  return relevant();
}

it('Chunks of arguments pass the hub as they are, in their order, under the numbers of the other leg', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  client.peer.send(firstOf(3, 200_000, 7), chunk(3, Uint8Array.of(1, 2, 3), Flag.MORE));
  client.peer.send(chunk(3, Uint8Array.of(4, 5)));
  const frames = await framesOf(node, 3);
  expect(frames.map(({ type, flags, peer, id }) => [type, flags, peer, id])).toEqual([
    [FrameType.CALL, Flag.MORE, client.number, 3],
    [FrameType.CHUNK, Flag.MORE, client.number, 3],
    [FrameType.CHUNK, 0, client.number, 3],
  ]);
  const [first, ...chunks] = frames.map(({ payload }) => payload);
  expect([...first!.subarray(8, 14)]).toEqual([...u32s(200_000), 7, 7]);
  expect(chunks.map((bytes) => [...bytes])).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
});

it('Chunks that come in the same message as their CALL, before it has a node, follow it', async () => {
  const hub = await startHub();
  const client = await join(hub, 'client');
  client.peer.send(define(0, 'echo'), firstOf(1, 70_000), chunk(1, Uint8Array.of(1), Flag.MORE));
  client.peer.send(chunk(1, Uint8Array.of(2)));
  await client.peer.barrier();
  const node = await join(hub, 'node');
  const frames = await framesOf(node, 3);
  expect(frames.map(({ type }) => type)).toEqual([FrameType.CALL, FrameType.CHUNK, FrameType.CHUNK]);
  expect(frames.slice(1).map(({ payload }) => [...payload])).toEqual([[1], [2]]);
});

it('Chunks of results pass the hub, and a small RESULT of another call overtakes them', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  await running({ node, client }, 1);
  await running({ node, client }, 2);
  const to = { peer: client.number };
  node.peer.send(
    frame(FrameType.RESULT, concat([u32s(500_000), new Uint8Array(chunkBytes - 4)]), {
      ...to,
      id: 1,
      flags: Flag.MORE,
    }),
    ...Array.from({ length: 6 }, () => chunk(1, chunkBytes, Flag.MORE, client.number)),
    frame(FrameType.RESULT, '"small"', { ...to, id: 2 }),
  );
  const frames = await framesOf(client, 8);
  expect(frames.findIndex(({ id }) => id === 2)).toBeLessThan(7);
  expect(frames.filter(({ id }) => id === 1).map(({ type }) => type)).toEqual([
    FrameType.RESULT,
    ...Array.from({ length: 6 }, () => FrameType.CHUNK),
  ]);
});

it('A CHUNK of a call that is complete closes with 4402', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  fleet.client.peer.send(chunk(1, 5));
  expect(await fleet.client.peer.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
});

it('A CHUNK behind the last one closes with 4402', async () => {
  const hub = await startHub();
  const { client } = await pair(hub);
  client.peer.send(firstOf(1, 70_000), chunk(1, 10), chunk(1, 10));
  expect(await client.peer.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
});

it('A CHUNK of an attempt that is not known, was cancelled or has ended is ignored', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  client.peer.send(
    chunk(9, 5),
    firstOf(1, 700_000),
    frame(FrameType.CANCEL, '', { id: 1 }),
    chunk(1, 5, Flag.MORE),
  );
  client.peer.send(firstOf(2, 700_000));
  await node.peer.take(FrameType.CALL, ({ id }) => id === 2);
  node.peer.send(
    frame(FrameType.FAILURE, { code: 'invalid', message: 'no' }, { peer: client.number, id: 2 }),
  );
  await client.peer.take(FrameType.FAILURE);
  client.peer.send(chunk(2, 5, Flag.MORE), chunk(2, 5));
  await client.peer.barrier();
});

it('A CHUNK from a node that continues nothing reaches nobody else than the client of its call', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  const to = fleet.client.number;
  fleet.node.peer.send(chunk(8, 5, 0, to), chunk(1, 5, 0, to));
  expect(await fleet.client.peer.take(FrameType.CHUNK)).toMatchObject({ id: 1 });
  await fleet.node.peer.barrier();
});

describe('Arguments without credit:', () => {
  /** Sends so many bytes of payload of one call, its first frame included. */
  async function upload(bytes: number, more: object = {}): Promise<{ node: Joined; client: Joined }> {
    const hub = await startHub();
    const fleet = await pair(hub, more);
    const { client } = fleet;
    let left = bytes - chunkBytes;
    client.peer.send(firstOf(1, limits.maxValueBytes));
    for (; left > 0; left -= chunkBytes) client.peer.send(chunk(1, Math.min(left, chunkBytes), Flag.MORE));
    return fleet;
  }

  it('A window and two chunks pass', async () => {
    const { node, client } = await upload(most);
    await client.peer.barrier();
    expect(await framesOf(node, most / chunkBytes)).toHaveLength(most / chunkBytes);
  });

  it('One byte more closes with 4404, and the node hears that the call is over', async () => {
    const { node, client } = await upload(most + 1);
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
    expect([...(await node.peer.take(FrameType.ACK)).payload]).toEqual([...u32s(1)]);
  });

  it('One byte more closes with 4404 also while the call waits for a place', async () => {
    const { client } = await upload(most + 1, { functions: ['other'] });
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it('Credit from the node makes room, and reaches the client', async () => {
    const { node, client } = await upload(most);
    await framesOf(node, most / chunkBytes);
    node.peer.send(credit(100, 1, client.number));
    const given = await client.peer.take(FrameType.CREDIT);
    expect(given).toMatchObject({ peer: node.number, id: 1 });
    expect([...given.payload]).toEqual([...u32s(100)]);
    client.peer.send(chunk(1, 100, Flag.MORE));
    await client.peer.barrier();
    client.peer.send(chunk(1, 1, Flag.MORE));
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it('More credit than was used makes no larger window', async () => {
    const { node, client } = await upload(chunkBytes * 2);
    await framesOf(node, 2);
    node.peer.send(credit(0xffff_ffff, 1, client.number), credit(0xffff_ffff, 1, client.number));
    await client.peer.take(FrameType.CREDIT);
    await client.peer.take(FrameType.CREDIT);
    for (let bytes = 0; bytes < most; bytes += chunkBytes) client.peer.send(chunk(1, chunkBytes, Flag.MORE));
    await client.peer.barrier();
    client.peer.send(chunk(1, 1, Flag.MORE));
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });
});

describe('Results and items without credit:', () => {
  it.each([FrameType.ITEM, FrameType.CHUNK])(
    'A window and two chunks of frames %i pass, one byte more closes with 4404',
    async (type) => {
      const hub = await startHub();
      const fleet = await pair(hub);
      await running(fleet, 1, callPayload(), Flag.STREAM);
      const { node, client } = fleet;
      const part = (bytes: number): Uint8Array =>
        frame(type, new Uint8Array(bytes).fill(0x31), { peer: client.number, id: 1 });
      for (let bytes = 0; bytes < most; bytes += chunkBytes) node.peer.send(part(chunkBytes));
      await node.peer.barrier();
      node.peer.send(part(1));
      expect(await node.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
      await client.peer.barrier();
    },
  );

  it('Credit from the client makes room, and reaches the node', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1, callPayload(), Flag.STREAM);
    const { node, client } = fleet;
    const item = (bytes: number): Uint8Array =>
      frame(FrameType.ITEM, new Uint8Array(bytes).fill(0x31), { peer: client.number, id: 1 });
    for (let bytes = 0; bytes < most; bytes += chunkBytes) node.peer.send(item(chunkBytes));
    await framesOf(client, most / chunkBytes);
    client.peer.send(credit(77, 1, node.number));
    expect([...(await node.peer.take(FrameType.CREDIT)).payload]).toEqual([...u32s(77)]);
    node.peer.send(item(77));
    await node.peer.barrier();
    node.peer.send(item(1));
    expect(await node.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it('An ITEM without a byte would need no credit, and closes with 4400', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1, callPayload(), Flag.STREAM);
    fleet.node.peer.send(frame(FrameType.ITEM, '', { peer: fleet.client.number, id: 1 }));
    expect(await fleet.node.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  });

  it('A client that is away gets nothing, and its node is held to the same window', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1, callPayload(), Flag.STREAM);
    const { node, client } = fleet;
    await client.peer.close();
    await expect.poll(() => hub.clients()[0]?.state).toBe('absent');
    for (let bytes = 0; bytes < most; bytes += chunkBytes) {
      node.peer.send(frame(FrameType.ITEM, new Uint8Array(chunkBytes), { peer: client.number, id: 1 }));
    }
    await node.peer.barrier();
    node.peer.send(frame(FrameType.ITEM, '1', { peer: client.number, id: 1 }));
    expect(await node.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });
});

describe.each(['node', 'client'] as const)('CREDIT from a %s:', (role) => {
  it.each([
    ['of no bytes', new Uint8Array()],
    ['of 3 bytes', new Uint8Array(3)],
    ['of 5 bytes', new Uint8Array(5).fill(1)],
    ['of 8 bytes', u32s(1, 1)],
    ['of nothing', u32s(0)],
  ])('a payload %s closes with 4400, for a call that is known as for one that is not', async (_, payload) => {
    const hub = await startHub();
    for (const id of [1, 99]) {
      const fleet = await pair(hub, { id: `n${id}` });
      await running(fleet, 1, callPayload('[]', { route: `{"node":"n${id}"}` }));
      const [sender, other] = role === 'node' ? [fleet.node, fleet.client] : [fleet.client, fleet.node];
      sender.peer.send(frame(FrameType.CREDIT, payload, { id, peer: other.number }));
      expect(await sender.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
      await other.peer.barrier();
    }
  });

  it('for an attempt that is not known it is ignored', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    const [sender, other] = role === 'node' ? [fleet.node, fleet.client] : [fleet.client, fleet.node];
    sender.peer.send(credit(1, 99, other.number));
    await sender.peer.barrier();
    await other.peer.barrier();
    expect(other.peer.seen(FrameType.CREDIT)).toEqual([]);
  });
});

it('Calls whose arguments are arriving take at most maxBulkCalls places, and small calls pass those that wait', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub, { maxConcurrent: 1_000 });
  for (let id = 1; id <= limits.maxBulkCalls + 1; id += 1) client.peer.send(firstOf(id, 70_000));
  client.peer.send(call(1_000));
  await node.peer.take(FrameType.CALL, ({ id }) => id === 1_000);
  await framesOf(node, limits.maxBulkCalls);
  await node.peer.barrier();
  expect(node.peer.seen(FrameType.CALL)).toHaveLength(limits.maxBulkCalls);
  client.peer.send(chunk(1, 5));
  await node.peer.take(FrameType.CALL, ({ id }) => id === limits.maxBulkCalls + 1);
});

it('Calls of one client that wait at the hub take at most maxWaitingBytes: what comes beyond is answered by queue_full', async () => {
  const hub = await startHub({ noNodeAfterMs: 60_000 });
  const client = await join(hub, 'client');
  client.peer.send(define(0, 'later'));
  const count = Math.floor(limits.maxWaitingBytes / chunkBytes);
  // Half of them are whole; of the others a second chunk comes, which is what exceeds the limit.
  const calls = Math.floor(count / 2) + 8;
  for (let id = 1; id <= calls; id += 1) client.peer.send(firstOf(id, 200_000));
  await client.peer.barrier();
  expect(hub.status().waiting).toBe(calls);
  for (let id = 1; id <= calls; id += 1) client.peer.send(chunk(id, chunkBytes, Flag.MORE));
  const failure = await client.peer.take(FrameType.FAILURE);
  expect(jsonOf(failure)).toMatchObject({ code: 'queue_full' });
  await client.peer.barrier();
  // Each that is refused gives back what it took, so few are.
  expect(1 + client.peer.seen(FrameType.FAILURE).length).toBeLessThanOrEqual(16);
  const other = await join(hub, 'client');
  other.peer.send(define(0, 'later'), call(1));
  await other.peer.barrier();
  expect(other.peer.seen(FrameType.FAILURE)).toEqual([]);
});
