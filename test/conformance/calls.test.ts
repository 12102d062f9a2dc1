// PROTOCOL.md, calls: DEFINE, CALL, PEER, ASSIGNED, RESULT, ITEM, FAILURE, CANCEL and ACK, as the hub keeps them.
import { describe, expect, it, onTestFinished } from 'vitest';

import { openStore } from '../../src/index.ts';
import { CloseCode, Flag, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { call, callPayload, define, join, pair, running, startHub } from './fleet.ts';
import { frame, jsonOf, textOf } from './raw.ts';

/** Function, route length and deadline of a CALL as the node gets it, and its arguments. */
function prefixOf(payload: Uint8Array): {
  fn: number;
  routeLength: number;
  deadlineMs: number;
  args: string;
} {
  const view = new DataView(payload.buffer, payload.byteOffset);
  return {
    fn: view.getUint16(0, true),
    routeLength: view.getUint16(2, true),
    deadlineMs: view.getUint32(4, true),
    args: textOf(payload.subarray(8)),
  };
}

it('A call goes to a node under the number of its function there, without its route, with the time that is left', async () => {
  const hub = await startHub();
  const fleet = await pair(hub, { labels: { zone: 'a' } });
  const route = '{"labels":{"zone":"a"}}';
  const { arrived } = await running(
    fleet,
    5,
    callPayload('[1,"ä"]', { fn: 1, route, deadlineMs: 4_000 }),
    Flag.STREAM,
  );
  expect(arrived).toMatchObject({ peer: fleet.client.number, flags: Flag.STREAM });
  const { deadlineMs, ...rest } = prefixOf(arrived.payload);
  expect(rest).toEqual({ fn: 1, routeLength: 0, args: '[1,"ä"]' });
  expect(deadlineMs).toBeGreaterThan(2_000);
  expect(deadlineMs).toBeLessThanOrEqual(4_000);
});

it('The hub never decodes arguments or results: any bytes pass as they are', async () => {
  const hub = await startHub();
  const { node, client } = await pair(hub);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const { arrived } = await running({ node, client }, 1, callPayload(bytes), Flag.MSGPACK);
  expect([...arrived.payload.subarray(8)]).toEqual([...bytes]);
  node.peer.send(
    frame(FrameType.RESULT, bytes.toReversed(), { peer: arrived.peer, id: 1, flags: Flag.MSGPACK }),
  );
  expect([...(await client.peer.take(FrameType.RESULT)).payload]).toEqual([...bytes].toReversed());
});

describe('PEER and ASSIGNED:', () => {
  it('PEER names the node before the first ASSIGNED that carries its number, once a link', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    client.peer.send(call(1), call(2));
    await client.peer.take(FrameType.ASSIGNED, ({ id }) => id === 2);
    await client.peer.barrier();
    const types = client.peer.messages.flat().map(({ type }) => type);
    expect(types.filter((type) => type === FrameType.PEER)).toHaveLength(1);
    expect(types.indexOf(FrameType.PEER)).toBeLessThan(types.indexOf(FrameType.ASSIGNED));
    const told = client.peer.seen(FrameType.PEER)[0]!;
    expect(told.peer).toBe(node.number);
    expect(jsonOf(told)).toEqual({ id: node.message['id'], instance: node.message['instance'] });
  });

  it('PEER names the client to the node before its first CALL, once a link', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    await running(fleet, 2);
    const types = fleet.node.peer.messages.flat().map(({ type }) => type);
    expect(types.filter((type) => type === FrameType.PEER)).toHaveLength(1);
    expect(types.indexOf(FrameType.PEER)).toBeLessThan(types.indexOf(FrameType.CALL));
    const told = fleet.node.peer.seen(FrameType.PEER)[0]!;
    expect(told.peer).toBe(fleet.client.number);
    expect(jsonOf(told)).toEqual({
      id: fleet.client.message['id'],
      instance: fleet.client.message['instance'],
    });
  });

  it('The node gets a call only after the client was told of the assignment', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub, { maxConcurrent: 100 });
    const order: string[] = [];
    const note = (what: string) => (it: { id: number }) => void order.push(`${what} ${it.id}`);
    const told = (id: number) =>
      client.peer.take(FrameType.ASSIGNED, (it) => it.id === id).then(note('assigned'));
    const came = (id: number) => node.peer.take(FrameType.CALL, (it) => it.id === id).then(note('called'));
    for (let id = 1; id <= 20; id += 1) {
      const both = Promise.all([told(id), came(id)]);
      client.peer.send(call(id));
      await both;
    }
    expect(order).toEqual(
      Array.from({ length: 20 }, (_, at) => [`assigned ${at + 1}`, `called ${at + 1}`]).flat(),
    );
  });

  it('A client whose socket does not take the assignment has its call held back from the node', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub, { maxConcurrent: 1_000 });
    // Answers pile up behind a client that does not read, beyond what the kernel takes.
    client.peer.ws.pause();
    const ids = Array.from({ length: 400 }, (_, index) => 1_000 + index);
    client.peer.send(...ids.map((id) => call(id)));
    await node.peer.take(FrameType.CALL, ({ id }) => id === ids.at(-1));
    node.peer.inbox.length = 0;
    const chunk = new Uint8Array(limits.maxChunkBytes);
    for (const id of ids) node.peer.send(frame(FrameType.RESULT, chunk, { peer: client.number, id }));
    await node.peer.barrier();
    client.peer.send(call(2));
    await expect.poll(() => hub.clients()[0]?.queued).toBe(401);
    await node.peer.barrier();
    expect(node.peer.seen(FrameType.CALL)).toEqual([]);
    client.peer.ws.resume();
    await client.peer.take(FrameType.ASSIGNED, ({ id }) => id === 2);
    expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id: 2 });
  });

  it('ASSIGNED is left out where the client presumed that very node', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.client.peer.send(frame(FrameType.CALL, callPayload(), { id: 2, peer: fleet.node.number }));
    await fleet.node.peer.take(FrameType.CALL, ({ id }) => id === 2);
    fleet.node.peer.send(frame(FrameType.RESULT, '2', { peer: fleet.client.number, id: 2 }));
    await fleet.client.peer.take(FrameType.RESULT);
    expect(fleet.client.peer.seen(FrameType.ASSIGNED)).toEqual([]);
  });

  it('A node that the client was not told of cannot be presumed: ASSIGNED comes, after PEER', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    fleet.client.peer.send(frame(FrameType.CALL, callPayload(), { id: 1, peer: fleet.node.number }));
    expect(await fleet.client.peer.take(FrameType.ASSIGNED)).toMatchObject({
      id: 1,
      peer: fleet.node.number,
    });
  });

  it('A presumption that does not come true is corrected by ASSIGNED', async () => {
    const hub = await startHub({ balance: 'roundRobin' });
    const fleet = await pair(hub);
    const other = await join(hub, 'node');
    for (let id = 1; id <= 4; id += 1) {
      fleet.client.peer.send(frame(FrameType.CALL, callPayload(), { id, peer: fleet.node.number }));
    }
    const went = await Promise.all([0, 1].map(() => other.peer.take(FrameType.CALL)));
    for (const { id } of went) {
      expect(await fleet.client.peer.take(FrameType.ASSIGNED, (it) => it.id === id)).toMatchObject({
        peer: other.number,
      });
    }
  });

  it.each([0xffff, 1])('A presumption of number %i, which is no node, is as good as none', async (peer) => {
    const hub = await startHub();
    const fleet = await pair(hub);
    // Number 1 is the node, the client is 2: of these neither may stand for a node that does not exist.
    const presumed = peer === 1 ? fleet.client.number : peer;
    fleet.client.peer.send(frame(FrameType.CALL, callPayload(), { id: 1, peer: presumed }));
    expect(await fleet.client.peer.take(FrameType.ASSIGNED)).toMatchObject({ peer: fleet.node.number });
  });
});

describe('DEFINE:', () => {
  it.each([
    ['that begins with 1', [define(1, 'echo')]],
    ['that leaves a number out', [define(0, 'echo'), define(2, 'slow')]],
    ['of a number that is taken', [define(0, 'echo'), define(0, 'slow')]],
  ])('A DEFINE %s closes with 4404', async (_, frames) => {
    const hub = await startHub();
    const { peer } = await join(hub, 'client');
    peer.send(...frames);
    expect(await peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it('maxDefinitionsPerClient names can be defined, and one more closes with 4404', async () => {
    const hub = await startHub();
    const { peer } = await join(hub, 'client');
    peer.send(
      ...Array.from({ length: limits.maxDefinitionsPerClient }, (_, number) => define(number, `f${number}`)),
    );
    await peer.barrier();
    peer.send(define(limits.maxDefinitionsPerClient, 'more'));
    expect(await peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it.each([
    ['an empty name', ''],
    ['a name that is too long', 'x'.repeat(limits.maxNameLength + 1)],
    ['a control character', 'a\u0000b'],
    ['bytes that are no UTF-8', new Uint8Array([0xc3, 0x28])],
  ])('A DEFINE with %s closes with 4400', async (_, name) => {
    const hub = await startHub();
    const { peer } = await join(hub, 'client');
    peer.send(frame(FrameType.DEFINE, name));
    expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  });

  it('The same name under two numbers is one function', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    client.peer.send(define(2, 'echo'), call(1, callPayload('[]', { fn: 2 })));
    expect(prefixOf((await node.peer.take(FrameType.CALL)).payload)).toMatchObject({ fn: 0 });
  });

  it('A new socket begins its dictionary anew', async () => {
    const hub = await startHub();
    const first = await join(hub, 'client');
    first.peer.send(define(0, 'echo'));
    const again = await join(hub, 'client', { ...first.message, epoch: 2, registrationEpoch: 2 });
    again.peer.send(call(1));
    expect(await again.peer.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
  });

  it('Names that nobody defines or offers any more are forgotten', async () => {
    const hub = await startHub();
    const message = (await join(hub, 'client', { id: 'c' })).message;
    const before = await memoryOf(hub.url);
    for (let round = 2; round < 22; round += 1) {
      const { peer } = await join(hub, 'client', { ...message, epoch: round, registrationEpoch: round });
      const name = (number: number): string => `${round}-${number}`.padEnd(limits.maxNameLength, 'x');
      peer.send(...Array.from({ length: 3_000 }, (_, number) => define(number, name(number))));
      await peer.barrier();
    }
    expect(await memoryOf(hub.url)).toBeLessThanOrEqual(before + 3_000);
  });
});

/** Function names that the hub knows. */
async function memoryOf(url: string): Promise<number> {
  const text = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text();
  return Number(/^holdfast_function_names (\d+)$/m.exec(text)?.[1]);
}

describe('CALL:', () => {
  it.each([
    ['of a function that was not defined', callPayload('[]', { fn: 9 }), CloseCode.OUT_OF_ORDER],
    ['without a prefix', new Uint8Array(), CloseCode.MALFORMED],
    ['of 7 bytes', new Uint8Array(7), CloseCode.MALFORMED],
    ['whose route is longer than its payload', callPayload('[]', { routeLength: 3 }), CloseCode.MALFORMED],
    ['whose route is no JSON', callPayload('[]', { route: '{zone' }), CloseCode.MALFORMED],
    ['whose route is a list', callPayload('[]', { route: '[]' }), CloseCode.MALFORMED],
    ['whose route is null', callPayload('[]', { route: 'null' }), CloseCode.MALFORMED],
    ['whose route names a node by number', callPayload('[]', { route: '{"node":1}' }), CloseCode.MALFORMED],
    [
      'whose route has a label that is no text',
      callPayload('[]', { route: '{"labels":{"gpu":true}}' }),
      CloseCode.MALFORMED,
    ],
    [
      'whose route is longer than maxRouteBytes',
      callPayload('[]', { route: `{"node":"n1"${' '.repeat(limits.maxRouteBytes)}}` }),
      CloseCode.LIMIT_EXCEEDED,
    ],
  ])('A CALL %s costs its sender the connection', async (_, payload, code) => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    client.peer.send(call(1, payload));
    expect((await client.peer.closed).code).toBe(code);
    await node.peer.barrier();
    expect(node.peer.seen(FrameType.CALL)).toEqual([]);
  });

  it('A route of exactly maxRouteBytes is taken', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { id: 'n1' });
    const route = '{"node":"n1"}'.padEnd(limits.maxRouteBytes, ' ');
    await running(fleet, 1, callPayload('[]', { route }));
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'A route by a label %s is none, and closes with 4400',
    async (name) => {
      const hub = await startHub();
      const { client } = await pair(hub);
      client.peer.send(call(1, callPayload('[]', { route: `{"labels":{${JSON.stringify(name)}:"x"}}` })));
      expect(await client.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
    },
  );

  it.each(['toString', 'valueOf'])(
    'A route by a label %s finds nobody who has it from a prototype only',
    async (name) => {
      const hub = await startHub({ noNodeAfterMs: 1 });
      const { client } = await pair(hub);
      client.peer.send(call(1, callPayload('[]', { route: `{"labels":{${JSON.stringify(name)}:"x"}}` })));
      expect(jsonOf(await client.peer.take(FrameType.FAILURE))).toMatchObject({ code: 'no_node' });
    },
  );

  it('The same attempt twice closes with 4402', async () => {
    const hub = await startHub();
    const { client } = await pair(hub);
    client.peer.send(call(1), call(1));
    expect(await client.peer.closed).toMatchObject({
      code: CloseCode.OUT_OF_ORDER,
      reason: 'CALL 1 came twice',
    });
  });

  it('A call that no node takes in time is answered by no_node, by peer 0', async () => {
    const hub = await startHub({ noNodeAfterMs: 1 });
    const { peer } = await join(hub, 'client');
    peer.send(define(0, 'nothing'), call(1));
    const failure = await peer.take(FrameType.FAILURE);
    expect(failure).toMatchObject({ id: 1, peer: 0 });
    expect(jsonOf(failure)).toMatchObject({ code: 'no_node' });
  });

  it('A call beyond the queues is answered by queue_full, and the link stays', async () => {
    const hub = await startHub({ maxQueueSize: 2 });
    const { client } = await pair(hub, { maxConcurrent: 1 });
    client.peer.send(call(1), call(2), call(3), call(4));
    const failure = await client.peer.take(FrameType.FAILURE);
    expect(failure.id).toBe(4);
    expect(jsonOf(failure)).toMatchObject({ code: 'queue_full' });
    await client.peer.barrier();
  });

  it('A DURABLE call to a hub without a store is answered by invalid, and the link stays', async () => {
    const hub = await startHub();
    const { client } = await pair(hub);
    client.peer.send(frame(FrameType.CALL, callPayload(), { id: 1, flags: Flag.DURABLE }));
    const failure = await client.peer.take(FrameType.FAILURE);
    expect(failure.id).toBe(1);
    expect(jsonOf(failure)).toMatchObject({ code: 'invalid' });
    await client.peer.barrier();
  });

  it('A DURABLE call that the store does not keep is answered by store_failed, and no node gets it', async () => {
    const store = await openStore('memory:');
    onTestFinished(() => store.close());
    const hub = await startHub({ store });
    const { node, client } = await pair(hub);
    await store.close();
    client.peer.send(frame(FrameType.CALL, callPayload(), { id: 1, flags: Flag.DURABLE }), call(2));
    expect(jsonOf(await client.peer.take(FrameType.FAILURE))).toMatchObject({ code: 'store_failed' });
    expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id: 2, flags: 0 });
  });

  it('A call beyond those that may wait for a function is answered by queue_full', async () => {
    const hub = await startHub({ maxQueueSize: 2 });
    const { peer } = await join(hub, 'client');
    peer.send(define(0, 'nothing'), call(1), call(2), call(3));
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
  });

  it('More calls than maxCallsPerClient, with those that are not acknowledged, close with 4404', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub, { maxConcurrent: 1_000_000 });
    const most = limits.maxCallsPerClient + limits.maxUnacknowledged;
    for (let id = 1; id <= most;) {
      const batch: Uint8Array[] = [];
      for (; batch.length < 10_000 && id <= most; id += 1) batch.push(call(id));
      client.peer.send(...batch);
    }
    await node.peer.take(FrameType.CALL, ({ id }) => id === most);
    client.peer.send(call(most + 1));
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });
});
