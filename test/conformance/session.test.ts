// PROTOCOL.md, liveness and life of a link: SYNC, PING, CHECK, DEPARTING, DRAINING, REPLACED, ASK.
import { expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { digestOf } from '../../src/protocol/digest.ts';
import { limits } from '../../src/protocol/limits.ts';
import {
  call,
  callPayload,
  define,
  dial,
  join,
  pair,
  register,
  registration,
  running,
  startHub,
} from './fleet.ts';
import { frame, jsonOf, type RawPeer } from './raw.ts';

const epochs = { epoch: 1, registrationEpoch: 1 };

/** A registered node that did not acknowledge its sync. */
async function unsynced(peer: RawPeer, message: Record<string, unknown>): Promise<void> {
  peer.json(FrameType.REGISTER, message);
  await peer.take(FrameType.SYNC);
}

it('A node is online, and gets calls, only after SYNCED', async () => {
  const hub = await startHub();
  const node = await dial(hub);
  await unsynced(node, registration('node'));
  const client = await join(hub, 'client');
  client.peer.send(define(0, 'echo'), call(1));
  await client.peer.barrier();
  await node.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'syncing' }]);
  expect(node.seen(FrameType.CALL)).toEqual([]);
  expect(client.peer.seen(FrameType.ASSIGNED)).toEqual([]);
  node.json(FrameType.SYNCED, epochs);
  expect(await node.take(FrameType.CALL)).toMatchObject({ id: 1 });
});

it('A node gets no calls while the application prepares its sync', async () => {
  const prepared = Promise.withResolvers<string>();
  const hub = await startHub({ onSync: ({ role }) => (role === 'node' ? prepared.promise : undefined) });
  const node = await dial(hub);
  node.json(FrameType.REGISTER, registration('node'));
  await node.take(FrameType.REGISTERED);
  // Nothing to acknowledge yet: it does not count.
  node.json(FrameType.SYNCED, epochs);
  const client = await join(hub, 'client');
  client.peer.send(define(0, 'echo'), call(1));
  await client.peer.barrier();
  await node.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'joining' }]);
  prepared.resolve('round 17');
  expect(jsonOf(await node.take(FrameType.SYNC))).toBe('round 17');
  node.json(FrameType.SYNCED, epochs);
  await node.take(FrameType.CALL);
});

it('A client may call as soon as it is registered, before SYNCED', async () => {
  const hub = await startHub();
  const node = await join(hub, 'node');
  const client = await dial(hub);
  await unsynced(client, registration('client'));
  client.send(define(0, 'echo'), call(1));
  expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id: 1 });
});

it('SYNCED of another registration is ignored', async () => {
  const hub = await startHub();
  const node = await dial(hub);
  await unsynced(node, registration('node', { epoch: 2, registrationEpoch: 5 }));
  for (const [epoch, registrationEpoch] of [
    [1, 5],
    [2, 4],
    [2, 6],
    [3, 5],
  ]) {
    node.json(FrameType.SYNCED, { epoch, registrationEpoch });
  }
  await node.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'syncing' }]);
  node.json(FrameType.SYNCED, { epoch: 2, registrationEpoch: 5 });
  await node.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
});

it('A sync that is not acknowledged in time ends the socket, and the session is absent', async () => {
  const hub = await startHub({ connectionTimeoutMs: 60 });
  const node = await dial(hub);
  await unsynced(node, registration('node'));
  expect(await node.closed).toMatchObject({ code: CloseCode.LOST });
  expect(hub.nodes()).toMatchObject([{ state: 'absent' }]);
});

it('A sync that the application cannot prepare closes with 4503', async () => {
  const hub = await startHub({
    onSync: ({ role }) => {
      if (role === 'node') throw new Error('no model yet');
      return undefined;
    },
  });
  const node = await dial(hub);
  node.json(FrameType.REGISTER, registration('node'));
  expect(await node.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
  await join(hub, 'client');
});

it('A sync that could not be prepared for a registration that another followed costs the newer one nothing', async () => {
  const first = Promise.withResolvers<string>();
  const syncs = [first.promise, 'round 17'];
  const hub = await startHub({ onSync: () => syncs.shift() });
  const older = await dial(hub);
  const message = registration('node');
  older.json(FrameType.REGISTER, message);
  await older.take(FrameType.REGISTERED);
  const newer = await dial(hub);
  newer.json(FrameType.REGISTER, { ...message, epoch: 2, registrationEpoch: 2 });
  await newer.take(FrameType.SYNC);
  newer.json(FrameType.SYNCED, { epoch: 2, registrationEpoch: 2 });
  first.reject(new Error('the database was slow, and then it was gone'));
  await newer.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
});

it('A sync that is longer than a control frame closes with 4503', async () => {
  const hub = await startHub({ onSync: () => 'x'.repeat(limits.maxControlBytes) });
  const node = await dial(hub);
  node.json(FrameType.REGISTER, registration('node'));
  expect(await node.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
});

it.each([FrameType.SYNCED, FrameType.DEPARTING, FrameType.CHECK, FrameType.ASK])(
  'A malformed payload of frame type %i closes with 4400',
  async (type) => {
    const hub = await startHub();
    for (const payload of ['', 'x', '{}', '[]', '{"epoch":"1","registrationEpoch":1}', '{"ask":"secrets"}']) {
      const { peer } = await join(hub, 'node');
      peer.send(frame(type, payload));
      expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
    }
  },
);

it('PONG carries the id of its PING, and nothing else', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  for (const id of [0, 1, 0x1234_5678, 0xffff_ffff]) {
    peer.send(frame(FrameType.PING, '', { id, peer: 99, flags: 0xff }));
    expect(await peer.take(FrameType.PONG)).toEqual({
      type: FrameType.PONG,
      flags: 0,
      peer: 0,
      id,
      payload: new Uint8Array(),
    });
  }
});

it('CHECKED says whether both sides know the same functions, whatever their order', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node', { functions: ['b', 'a', 'ä'] });
  for (const [functions, digest, ok] of [
    [3, digestOf(['a', 'b', 'ä']), true],
    [2, digestOf(['a', 'b', 'ä']), false],
    [3, digestOf(['a', 'b', 'c']), false],
    [3, '', false],
  ] as const) {
    peer.send(frame(FrameType.CHECK, { functions, digest }, { id: 6 }));
    const checked = await peer.take(FrameType.CHECKED);
    expect(checked.id).toBe(6);
    expect(jsonOf(checked)).toEqual({ ok, lagMs: expect.any(Number) as unknown });
  }
});

it('CHECK answers for the newest registration', async () => {
  const hub = await startHub();
  const message = registration('node', { functions: ['old'] });
  const { peer } = await join(hub, 'node', message);
  await register(peer, { ...message, registrationEpoch: 2, functions: ['new'] });
  peer.send(frame(FrameType.CHECK, { functions: 1, digest: digestOf(['new']) }, { id: 2 }));
  expect(jsonOf(await peer.take(FrameType.CHECKED))).toMatchObject({ ok: true });
});

it('A peer that is silent for two of its intervals gets no new calls, and is terminated after its time-out', async () => {
  const times = { heartbeatIntervalMs: 40, heartbeatTimeoutMs: 400 };
  const hub = await startHub(times);
  const fleet = await pair(hub, times);
  await expect.poll(() => hub.nodes()[0]?.state).toBe('suspect');
  fleet.client.peer.send(call(1));
  await fleet.client.peer.barrier();
  expect(fleet.client.peer.seen(FrameType.ASSIGNED)).toEqual([]);
  expect(await fleet.node.peer.closed).toMatchObject({ code: CloseCode.LOST });
  expect(hub.nodes()).toMatchObject([
    { state: 'absent', reason: expect.stringMatching(/^silent for/) as unknown },
  ]);
});

it('Any frame makes a suspect peer online again', async () => {
  const times = { heartbeatIntervalMs: 40, heartbeatTimeoutMs: 5_000 };
  const hub = await startHub(times);
  const fleet = await pair(hub, times);
  await expect.poll(() => hub.nodes()[0]?.state).toBe('suspect');
  fleet.node.peer.send(frame(FrameType.PING));
  await fleet.node.peer.take(FrameType.PONG);
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
});

it('A peer that asked for more time than the hub gives gets it', async () => {
  const hub = await startHub({ heartbeatIntervalMs: 20, heartbeatTimeoutMs: 60 });
  const patient = await join(hub, 'node', { heartbeatIntervalMs: 10_000, heartbeatTimeoutMs: 30_000 });
  const hasty = await join(hub, 'node', { heartbeatIntervalMs: 1, heartbeatTimeoutMs: 2 });
  expect(await hasty.peer.closed).toMatchObject({ code: CloseCode.LOST });
  await patient.peer.barrier();
});

it('A node that announced its departure gets no new calls, and those that run go on', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  const { arrived } = await running(fleet, 1);
  fleet.node.peer.json(FrameType.DEPARTING, epochs);
  await fleet.node.peer.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'draining' }]);
  fleet.client.peer.send(call(2));
  await fleet.client.peer.barrier();
  await fleet.node.peer.barrier();
  expect(fleet.node.peer.seen(FrameType.CALL)).toEqual([]);
  fleet.node.peer.send(frame(FrameType.RESULT, '1', { peer: arrived.peer, id: 1 }));
  expect(await fleet.client.peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
});

it('Calls that were queued for a node that departs go to another', async () => {
  const hub = await startHub();
  const fleet = await pair(hub, { maxConcurrent: 1 });
  await running(fleet, 1);
  fleet.client.peer.send(call(2));
  await fleet.client.peer.barrier();
  const other = await join(hub, 'node');
  fleet.node.peer.json(FrameType.DEPARTING, epochs);
  expect(await other.peer.take(FrameType.CALL)).toMatchObject({ id: 2 });
});

it('DEPARTING of another registration is ignored', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node');
  peer.json(FrameType.DEPARTING, { epoch: 1, registrationEpoch: 2 });
  await peer.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
});

it('A node that the hub wants elsewhere hears DRAINING with the time to come back', async () => {
  const hub = await startHub({ retryAfterMs: 1_234 });
  const fleet = await pair(hub);
  const id = String(fleet.node.message['id']);
  expect(hub.drain(id)).toBe(true);
  expect(jsonOf(await fleet.node.peer.take(FrameType.DRAINING))).toEqual({ retryAfterMs: 1_234 });
  fleet.client.peer.send(call(1));
  await fleet.client.peer.barrier();
  await fleet.node.peer.barrier();
  expect(fleet.node.peer.seen(FrameType.CALL)).toEqual([]);
});

it('A drained node that registers anew hears DRAINING again and no SYNC, and SYNC when it is let in again', async () => {
  const hub = await startHub();
  const message = registration('node');
  const { peer } = await join(hub, 'node', message);
  const id = String(message['id']);
  hub.drain(id);
  await peer.take(FrameType.DRAINING);
  peer.vanish();
  await expect.poll(() => hub.nodes()[0]?.reason).not.toBe('');
  expect(hub.nodes()).toMatchObject([{ state: 'draining' }]);
  const again = await dial(hub);
  again.json(FrameType.REGISTER, { ...message, epoch: 2, registrationEpoch: 2 });
  await again.take(FrameType.REGISTERED);
  await again.take(FrameType.DRAINING);
  await again.barrier();
  expect(again.seen(FrameType.SYNC)).toEqual([]);
  expect(hub.undrain(id)).toBe(true);
  expect(await again.take(FrameType.SYNC)).toMatchObject({ id: 2 });
  again.json(FrameType.SYNCED, { epoch: 2, registrationEpoch: 2 });
  await again.barrier();
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
});

it('A peer that departed and closes with 1000 is gone at once; one whose link breaks is held for its grace', async () => {
  const hub = await startHub();
  const [done, broken] = [await join(hub, 'node', { id: 'done' }), await join(hub, 'node', { id: 'broken' })];
  for (const { peer } of [done, broken]) {
    peer.json(FrameType.DEPARTING, epochs);
    await peer.barrier();
  }
  await done.peer.close();
  broken.peer.vanish();
  await expect.poll(() => hub.nodes().map(({ id }) => id)).toEqual(['broken']);
  await expect.poll(() => hub.nodes()[0]?.reason).not.toBe('');
  expect(hub.nodes()).toMatchObject([{ id: 'broken', state: 'draining' }]);
});

it('A hub that stops tells everybody DRAINING, and gives waiting calls back as not started', async () => {
  const hub = await startHub({ drainTimeoutMs: 10_000, retryAfterMs: 9 });
  const fleet = await pair(hub, { maxConcurrent: 1 });
  const { arrived } = await running(fleet, 1);
  fleet.client.peer.send(call(2));
  await fleet.client.peer.barrier();
  const stopped = hub.stop();
  expect(jsonOf(await fleet.node.peer.take(FrameType.DRAINING))).toEqual({ retryAfterMs: 9 });
  expect(jsonOf(await fleet.client.peer.take(FrameType.DRAINING))).toEqual({ retryAfterMs: 9 });
  const failure = await fleet.client.peer.take(FrameType.FAILURE);
  expect(failure).toMatchObject({ id: 2, peer: 0 });
  expect(jsonOf(failure)).toMatchObject({ code: 'unstarted' });
  fleet.client.peer.send(call(3, callPayload()));
  expect(await fleet.client.peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
  fleet.node.peer.send(frame(FrameType.RESULT, '1', { peer: arrived.peer, id: 1 }));
  expect(await fleet.client.peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
  await stopped;
  expect(await fleet.client.peer.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
});

it('ANSWER carries the id of its ASK, and says what the hub knows of itself', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node');
  peer.json(FrameType.ASK, { ask: 'status' }, { id: 77 });
  const answer = await peer.take(FrameType.ANSWER);
  expect(answer.id).toBe(77);
  expect(jsonOf(answer)).toMatchObject({ ok: true, status: { instance: hub.instance, nodes: 1 } });
});

it('A hub tells of all its nodes in pages', async () => {
  const hub = await startHub();
  const ids = Array.from({ length: 9 }, (_, index) => `n${index}`);
  // A page holds one or two nodes of this size.
  const functions = Array.from({ length: 700 }, (_, index) => `${index}`.padStart(200, 'f'));
  for (const id of ids) await join(hub, 'node', { id, functions });
  const { peer } = await join(hub, 'client');
  const told: string[] = [];
  for (let question = 1; told.length < ids.length; question += 1) {
    peer.json(FrameType.ASK, { ask: 'nodes', from: told.length }, { id: question });
    const answer = jsonOf<{ nodes: { id: string }[]; total: number }>(await peer.take(FrameType.ANSWER));
    expect(answer.total).toBe(9);
    expect(answer.nodes.length).toBeGreaterThan(0);
    told.push(...answer.nodes.map(({ id }) => id));
  }
  expect(told).toEqual(ids);
  peer.json(FrameType.ASK, { ask: 'nodes', from: 9 }, { id: 99 });
  expect(jsonOf(await peer.take(FrameType.ANSWER))).toEqual({ ok: true, nodes: [], total: 9 });
});

it('A node whose own registration fills a frame can be told of', async () => {
  const hub = await startHub();
  const message = registration('node', { id: 'large', functions: [] as string[] });
  const functions: string[] = [];
  let left = limits.maxControlBytes - JSON.stringify(message).length - 4;
  for (; left > 300; left -= 259) functions.push(`${functions.length}`.padStart(256, 'g'));
  await join(hub, 'node', { ...message, functions });
  const { peer } = await join(hub, 'client');
  peer.json(FrameType.ASK, { ask: 'nodes' }, { id: 1 });
  expect(jsonOf(await peer.take(FrameType.ANSWER))).toMatchObject({ total: 1, nodes: [{ id: 'large' }] });
});

it('More questions at once than maxQuestions close with 4404', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  const ask = (id: number): Uint8Array => frame(FrameType.ASK, { ask: 'status' }, { id });
  const ids = Array.from({ length: limits.maxQuestions }, (_, index) => index + 1);
  peer.send(...ids.map(ask));
  await peer.take(FrameType.ANSWER, ({ id }) => id === limits.maxQuestions);
  peer.send(...ids.map(ask), ask(9_999));
  expect(await peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
});
