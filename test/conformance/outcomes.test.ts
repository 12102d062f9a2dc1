// PROTOCOL.md, outcomes of calls: RESULT, ITEM, FAILURE, CANCEL and ACK, as the hub keeps them.
import { describe, expect, it } from 'vitest';

import { CloseCode, Flag, FrameType } from '../../src/protocol/frames.ts';
import { call, callPayload, define, join, pair, running, startHub } from './fleet.ts';
import { frame, textOf, u32s } from './raw.ts';

describe('Outcomes:', () => {
  it('RESULT, ITEM and FAILURE reach the client under the number of the node', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    client.peer.send(call(1), call(2));
    await node.peer.take(FrameType.CALL, ({ id }) => id === 2);
    node.peer.send(
      frame(FrameType.ITEM, '"a"', { peer: client.number, id: 1 }),
      frame(FrameType.ITEM, '"b"', { peer: client.number, id: 1 }),
      frame(FrameType.RESULT, '"c"', { peer: client.number, id: 1, flags: Flag.STREAM }),
      frame(FrameType.FAILURE, { code: 'failed', message: 'no' }, { peer: client.number, id: 2 }),
    );
    const failure = await client.peer.take(FrameType.FAILURE);
    const frames = client.peer.inbox.filter(
      ({ type }) => type === FrameType.ITEM || type === FrameType.RESULT,
    );
    expect(frames.map(({ payload }) => textOf(payload))).toEqual(['"a"', '"b"', '"c"']);
    expect(frames.map(({ peer, id }) => [peer, id])).toEqual(frames.map(() => [node.number, 1]));
    expect(failure).toMatchObject({ peer: node.number, id: 2 });
  });

  it.each([FrameType.RESULT, FrameType.FAILURE, FrameType.ITEM])(
    'Frame type %i of a call that this node does not have is ignored and counted',
    async (type) => {
      const hub = await startHub();
      const fleet = await pair(hub, { maxConcurrent: 2 });
      const other = await join(hub, 'node', { functions: ['other'] });
      await running(fleet, 1);
      const before = await late(hub.url);
      const outcome = (peer: number, id: number): Uint8Array =>
        frame(type, { code: 'failed', message: 'mine' }, { peer, id });
      other.peer.send(
        outcome(fleet.client.number, 1), // another node's
        outcome(fleet.client.number, 2), // nobody's
        outcome(0xffff, 1), // a client that does not exist
        outcome(fleet.node.number, 1), // no client
      );
      await other.peer.barrier();
      await fleet.client.peer.barrier();
      expect(fleet.client.peer.seen(type)).toEqual([]);
      expect(await late(hub.url)).toBe(before + 4);
      fleet.node.peer.send(frame(FrameType.RESULT, '"right"', { peer: fleet.client.number, id: 1 }));
      const result = await fleet.client.peer.take(FrameType.RESULT);
      expect(textOf(result.payload)).toBe('"right"');
    },
  );

  it('A node cannot answer a call that waits for it at the hub', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub, { maxConcurrent: 1 });
    client.peer.send(call(1), call(2));
    await node.peer.take(FrameType.CALL, ({ id }) => id === 1);
    await client.peer.barrier();
    node.peer.send(frame(FrameType.RESULT, '"too early"', { peer: client.number, id: 2 }));
    await node.peer.barrier();
    await client.peer.barrier();
    expect(client.peer.seen(FrameType.RESULT)).toEqual([]);
    node.peer.send(frame(FrameType.RESULT, '1', { peer: client.number, id: 1 }));
    expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id: 2 });
  });

  it('A FAILURE that cannot be read passes the hub and costs nobody the connection', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    await running({ node, client }, 1);
    node.peer.send(frame(FrameType.FAILURE, '\u0000 no JSON', { peer: client.number, id: 1 }));
    expect(textOf((await client.peer.take(FrameType.FAILURE)).payload)).toBe('\u0000 no JSON');
    await node.peer.barrier();
  });

  it('A place that a result frees goes to the call that waited longest', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub, { maxConcurrent: 1 });
    client.peer.send(call(1), call(2), call(3));
    for (const id of [1, 2, 3]) {
      expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id });
      node.peer.send(frame(FrameType.RESULT, '', { peer: client.number, id }));
    }
  });
});

/** Frames of calls that were not awaited. */
async function late(url: string): Promise<number> {
  const text = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text();
  return Number(/^holdfast_late_frames_total (\d+)$/m.exec(text)?.[1]);
}

describe('CANCEL and ACK:', () => {
  it('CANCEL of a running call reaches its node', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.client.peer.send(frame(FrameType.CANCEL, '', { id: 1 }));
    expect(await fleet.node.peer.take(FrameType.CANCEL)).toMatchObject({ peer: fleet.client.number, id: 1 });
  });

  it('CANCEL of a call that waits has it forgotten, and no node hears of it', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 1 });
    await running(fleet, 1);
    fleet.client.peer.send(call(2), frame(FrameType.CANCEL, '', { id: 2 }));
    await fleet.client.peer.barrier();
    fleet.node.peer.send(frame(FrameType.RESULT, '', { peer: fleet.client.number, id: 1 }));
    await fleet.node.peer.barrier();
    await fleet.node.peer.barrier();
    expect(fleet.node.peer.inbox.map(({ type }) => type)).not.toContain(FrameType.CANCEL);
    expect(fleet.node.peer.seen(FrameType.CALL)).toEqual([]);
  });

  it('CANCEL of an attempt that is not known, or that is over, is ignored', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.node.peer.send(frame(FrameType.RESULT, '', { peer: fleet.client.number, id: 1 }));
    await fleet.client.peer.take(FrameType.RESULT);
    fleet.client.peer.send(frame(FrameType.CANCEL, '', { id: 1 }), frame(FrameType.CANCEL, '', { id: 77 }));
    await fleet.client.peer.barrier();
    await fleet.node.peer.barrier();
    expect(fleet.node.peer.seen(FrameType.CANCEL)).toEqual([]);
  });

  it('ACK reaches the node under the number of the client, and frees the attempt at the hub', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.node.peer.send(frame(FrameType.RESULT, '', { peer: fleet.client.number, id: 1 }));
    await fleet.client.peer.take(FrameType.RESULT);
    expect(hub.clients()[0]?.queued).toBe(1);
    fleet.client.peer.send(frame(FrameType.ACK, u32s(1, 9), { peer: fleet.node.number }));
    const ack = await fleet.node.peer.take(FrameType.ACK);
    expect(ack.peer).toBe(fleet.client.number);
    expect([...ack.payload]).toEqual([...u32s(1, 9)]);
    expect(hub.clients()[0]?.queued).toBe(0);
  });

  it('ACK of a call that waits for a node or for a place takes it out of its queue', async () => {
    const hub = await startHub({ maxQueueSize: 2, noNodeAfterMs: 60_000 });
    const { node, client } = await pair(hub, { maxConcurrent: 1 });
    client.peer.send(define(2, 'later'), call(1), call(2), call(3));
    const parked = (id: number): Uint8Array => call(id, callPayload('[]', { fn: 2 }));
    client.peer.send(parked(4), parked(5), frame(FrameType.ACK, u32s(2, 3, 4, 5)));
    await client.peer.barrier();
    expect(hub.status()).toMatchObject({ waiting: 0, running: 1 });
    // Their room is free again.
    client.peer.send(call(12), call(13), parked(14), parked(15));
    await client.peer.barrier();
    expect(client.peer.seen(FrameType.FAILURE)).toEqual([]);
    const later = await join(hub, 'node', { functions: ['later'] });
    expect(await later.peer.take(FrameType.CALL)).toMatchObject({ id: 14 });
    node.peer.send(frame(FrameType.RESULT, '', { peer: client.number, id: 1 }));
    expect(await node.peer.take(FrameType.CALL, ({ id }) => id !== 1)).toMatchObject({ id: 12 });
  });

  it.each([1, 2, 3, 5])('An ACK of %i bytes closes with 4400', async (length) => {
    const hub = await startHub();
    const { client } = await pair(hub);
    client.peer.send(frame(FrameType.ACK, new Uint8Array(length)));
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  });

  it('An ACK of nothing comes from hubs only: from a client it closes with 4400', async () => {
    const hub = await startHub();
    const { client } = await pair(hub);
    client.peer.send(frame(FrameType.ACK));
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  });

  it('A client that is gone for good has its node hear an ACK of nothing, and none of its calls: it never had their outcomes', async () => {
    const hub = await startHub({ sessionGraceMs: 40 });
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.client.peer.vanish();
    const { payload, peer } = await fleet.node.peer.take(FrameType.ACK);
    expect([...payload]).toEqual([]);
    expect(peer).toBe(fleet.client.number);
  });
});
