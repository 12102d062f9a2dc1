// PROTOCOL.md, REGISTER: who may join, and which socket of which instance is the one that counts.
import { expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { dial, define, call, join, pair, register, registration, startHub } from './fleet.ts';
import { frame, jsonOf } from './raw.ts';

it('REGISTER is answered by REGISTERED, then SYNC', async () => {
  const hub = await startHub({ onSync: ({ id }) => ({ hello: id }) });
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, registration('node', { id: 'n1', epoch: 3, registrationEpoch: 7 }));
  const registered = jsonOf(await peer.take(FrameType.REGISTERED));
  expect(registered).toEqual({
    hub: hub.instance,
    session: 1,
    epoch: 3,
    registrationEpoch: 7,
    resumed: false,
    encoding: 'json',
    heartbeatTimeoutMs: 15_000,
    sessionGraceMs: 60_000,
  });
  const sync = await peer.take(FrameType.SYNC);
  expect(sync.id).toBe(7);
  expect(jsonOf(sync)).toEqual({ hello: 'n1' });
});

it('The encoding is msgpack when both sides offer it, and json otherwise', async () => {
  const hub = await startHub({ encoding: 'msgpack' });
  for (const [encodings, encoding] of [
    [['json', 'msgpack'], 'msgpack'],
    [['json'], 'json'],
  ] as const) {
    const peer = await dial(hub);
    peer.json(FrameType.REGISTER, registration('client', { encodings }));
    expect(jsonOf(await peer.take(FrameType.REGISTERED))).toMatchObject({ encoding });
  }
});

it.each([
  ['a wrong token', { token: 'guess' }],
  ['a token that only begins right', { token: 'secre' }],
  ['a token that only goes on wrong', { token: 'secret2' }],
  ['no token', {}],
])('%s is refused for good with 4401', async (_, more) => {
  const hub = await startHub({ token: 'secret' });
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, registration('node', { epoch: 4, registrationEpoch: 5, ...more }));
  expect(jsonOf(await peer.take(FrameType.REFUSED))).toEqual({
    epoch: 4,
    registrationEpoch: 5,
    terminal: true,
    retryAfterMs: 0,
    reason: 'wrong token',
  });
  expect(await peer.closed).toEqual({ code: CloseCode.UNAUTHORIZED, reason: 'wrong token' });
  expect(hub.nodes()).toEqual([]);
});

it('The right token lets in', async () => {
  const hub = await startHub({ token: 'secret' });
  await join(hub, 'node', { token: 'secret' });
  expect(hub.nodes()).toHaveLength(1);
});

it('A verify that throws lets nobody in, and costs nobody else anything', async () => {
  const hub = await startHub({
    verify: ({ id }) => {
      if (id === 'bad') throw new Error('database is down');
      return true;
    },
  });
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, registration('node', { id: 'bad' }));
  expect(await peer.closed).toMatchObject({ code: CloseCode.UNAUTHORIZED });
  await join(hub, 'node', { id: 'good' });
});

it('A peer that leaves while it is being verified never joins', async () => {
  let decide: (yes: boolean) => void = () => {};
  const asked = Promise.withResolvers<void>();
  const hub = await startHub({
    verify: ({ id }) => {
      if (id !== 'slow') return true;
      asked.resolve();
      return new Promise((resolve) => (decide = resolve));
    },
  });
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, registration('node', { id: 'slow' }));
  await asked.promise;
  await peer.close();
  decide(true);
  const other = await join(hub, 'node', { id: 'other' });
  await other.peer.barrier();
  expect(hub.nodes().map(({ id }) => id)).toEqual(['other']);
});

it('The same REGISTER twice is answered twice and makes one session', async () => {
  const hub = await startHub();
  const peer = await dial(hub);
  const message = registration('node', { id: 'n1' });
  peer.send(frame(FrameType.REGISTER, message), frame(FrameType.REGISTER, message));
  const first = jsonOf(await peer.take(FrameType.REGISTERED));
  const second = jsonOf(await peer.take(FrameType.REGISTERED));
  expect(second).toEqual(first);
  expect(hub.nodes()).toHaveLength(1);
});

it('A newer registration on the same socket replaces the one before', async () => {
  const hub = await startHub();
  const message = registration('node', { id: 'n1', functions: ['old'] });
  const { peer, number } = await join(hub, 'node', message);
  const again = await register(peer, { ...message, registrationEpoch: 2, functions: ['new'] });
  expect(again.number).toBe(number);
  expect(hub.nodes()).toMatchObject([{ id: 'n1', state: 'online', functions: ['new'], registrations: 2 }]);
});

it('A newer dial of the same instance takes over at once, and the socket before it ends', async () => {
  const hub = await startHub();
  const message = registration('node', { id: 'n1' });
  const older = await join(hub, 'node', message);
  const newer = await dial(hub);
  newer.json(FrameType.REGISTER, { ...message, epoch: 2, registrationEpoch: 2 });
  expect(jsonOf(await newer.take(FrameType.REGISTERED))).toMatchObject({
    session: older.number,
    resumed: true,
  });
  expect((await older.peer.closed).code).toBe(CloseCode.LOST);
  expect(hub.nodes()).toHaveLength(1);
});

it('A registration of an older dial is dismissed with 4506, and the newer socket stays', async () => {
  const hub = await startHub();
  const message = registration('node', { epoch: 5, registrationEpoch: 9 });
  const newer = await join(hub, 'node', message);
  const older = await dial(hub);
  older.json(FrameType.REGISTER, { ...message, epoch: 4, registrationEpoch: 10 });
  expect(await older.closed).toEqual({
    code: CloseCode.OBSOLETE,
    reason: 'a newer socket of this instance is registered',
  });
  await newer.peer.barrier();
});

it('Another instance of a node id takes over once it acknowledged its sync, and the one before is closed with 4409', async () => {
  const hub = await startHub();
  const older = await join(hub, 'node', { id: 'n1', instance: 'first' });
  const newer = await dial(hub);
  newer.json(FrameType.REGISTER, registration('node', { id: 'n1', instance: 'second' }));
  await newer.take(FrameType.SYNC);
  await older.peer.barrier();
  newer.json(FrameType.SYNCED, { epoch: 1, registrationEpoch: 1 });
  const reason = 'another instance of n1 took over';
  expect(jsonOf(await older.peer.take(FrameType.REPLACED))).toEqual({ reason });
  expect(await older.peer.closed).toEqual({ code: CloseCode.REPLACED, reason });
  await newer.barrier();
  expect(hub.nodes()).toMatchObject([{ id: 'n1', instance: 'second' }]);
});

it('An instance that was replaced is refused for good with 4409', async () => {
  const hub = await startHub();
  const older = await join(hub, 'node', { id: 'n1', instance: 'first' });
  await join(hub, 'node', { id: 'n1', instance: 'second' });
  await older.peer.closed;
  const back = await dial(hub);
  back.json(FrameType.REGISTER, { ...older.message, epoch: 2, registrationEpoch: 2 });
  expect(jsonOf(await back.take(FrameType.REFUSED))).toMatchObject({ terminal: true });
  expect(await back.closed).toMatchObject({ code: CloseCode.REPLACED });
});

it.each([
  ['begin alike', 'n1', 'instance-1', 'n1', 'instance-2'],
  ['hold slashes', 'a/b', 'c', 'a', 'b/c'],
])('Instances whose names %s are told apart', async (_, id, instance, otherId, otherInstance) => {
  const hub = await startHub();
  await join(hub, 'node', { id, instance });
  await join(hub, 'node', { id: otherId, instance: otherInstance });
  expect(hub.nodes()).toContainEqual(
    expect.objectContaining({ id: otherId, instance: otherInstance, state: 'online' }),
  );
});

it('A node and a client of one id do not know of each other', async () => {
  const hub = await startHub();
  const node = await join(hub, 'node', { id: 'same' });
  const client = await join(hub, 'client', { id: 'same' });
  await node.peer.barrier();
  await client.peer.barrier();
  expect(hub.status()).toMatchObject({ nodes: 1, clients: 1 });
});

it('Another node id with an instance that is registered is refused for good with 4402', async () => {
  const hub = await startHub();
  const owner = await join(hub, 'node', { id: 'n1', instance: 'shared' });
  const thief = await dial(hub);
  thief.json(FrameType.REGISTER, registration('node', { id: 'n2', instance: 'shared', epoch: 9 }));
  expect(jsonOf(await thief.take(FrameType.REFUSED))).toMatchObject({ terminal: true });
  expect(await thief.closed).toEqual({
    code: CloseCode.OUT_OF_ORDER,
    reason: 'instance shared is registered as node n1',
  });
  await owner.peer.barrier();
  expect(hub.nodes()).toMatchObject([{ id: 'n1', state: 'online' }]);
});

it('Another role with an instance that is registered is refused for good with 4402', async () => {
  const hub = await startHub();
  const owner = await join(hub, 'node', { id: 'n1', instance: 'shared' });
  const thief = await dial(hub);
  thief.json(FrameType.REGISTER, registration('client', { id: 'n1', instance: 'shared', epoch: 9 }));
  expect(await thief.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
  await owner.peer.barrier();
});

it('A socket speaks for one instance: REGISTER of another one is refused with 4402', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node', { id: 'n1', instance: 'first' });
  peer.json(FrameType.REGISTER, registration('node', { id: 'n2', instance: 'other' }));
  expect(jsonOf(await peer.take(FrameType.REFUSED))).toMatchObject({ terminal: true });
  expect(await peer.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
  await expect.poll(() => hub.nodes().map(({ id, state }) => [id, state])).toEqual([['n1', 'absent']]);
});

it.each([
  ['epoch 0', { epoch: 0 }],
  ['registrationEpoch 0', { registrationEpoch: 0 }],
])('%s names no dial, and is closed with 4400', async (_, more) => {
  const hub = await startHub();
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, registration('node', more));
  expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  expect(hub.nodes()).toEqual([]);
});

it('A frame before REGISTER is answered by UNKNOWN and reaches nobody', async () => {
  const hub = await startHub();
  const { node } = await pair(hub);
  const peer = await dial(hub);
  peer.send(define(0, 'echo'), call(1));
  expect(await peer.take(FrameType.UNKNOWN)).toMatchObject({ id: 0 });
  expect(await peer.take(FrameType.UNKNOWN)).toMatchObject({ id: 0 });
  await node.peer.barrier();
  expect(node.peer.seen(FrameType.CALL)).toEqual([]);
});

it('UNKNOWN names the registration that PING or CHECK named', async () => {
  const hub = await startHub();
  const peer = await dial(hub);
  peer.send(frame(FrameType.PING, '', { id: 41 }), frame(FrameType.CHECK, {}, { id: 42 }));
  expect(await peer.take(FrameType.UNKNOWN)).toMatchObject({ id: 41 });
  expect(await peer.take(FrameType.UNKNOWN)).toMatchObject({ id: 42 });
});

it('A peer whose session the hub forgot is told so, and registers again on the same socket', async () => {
  const hub = await startHub();
  const message = registration('node', { id: 'n1' });
  const { peer } = await join(hub, 'node', message);
  expect(hub.forget('n1')).toBe(true);
  peer.send(frame(FrameType.PING, '', { id: 1 }));
  expect(await peer.take(FrameType.UNKNOWN)).toMatchObject({ id: 1 });
  await register(peer, { ...message, registrationEpoch: 2 });
  expect(hub.nodes()).toMatchObject([{ id: 'n1', state: 'online' }]);
});

it('A socket whose session the hub forgot has the time of a newcomer to register', async () => {
  const hub = await startHub({ connectionTimeoutMs: 80 });
  const { peer } = await join(hub, 'node', { id: 'n1' });
  hub.forget('n1');
  expect(await peer.closed).toMatchObject({ code: CloseCode.REGISTRATION_TIMEOUT });
});
