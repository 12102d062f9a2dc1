// PROTOCOL.md, resume: what is said of an attempt is true, and is said, whichever links and peers are lost meanwhile. The
// system of calls under test/checks/ found these by exploring all of it.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/index.ts';
import { Fate, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import * as toClient from './client-lines.ts';
import { call, define, join, pair, running, startHub, type Joined } from './fleet.ts';
import { fn } from './fake-hub.ts';
import * as toNode from './node-lines.ts';
import { frame, u32s, type RawPeer } from './raw.ts';

/** A RESUME that names attempts at this node, and others. */
function resume({ message }: Joined, attempts: readonly number[], unassigned: readonly number[] = []) {
  const calls = attempts.map((attempt) => ({
    attempt,
    received: 0,
    windowBytes: limits.creditWindowBytes,
    idempotent: false,
  }));
  const nodes = calls.length === 0 ? [] : [{ id: message['id'], instance: message['instance'], calls }];
  return frame(FrameType.RESUME, { nodes, unassigned });
}

const fate = (peer: number, attempt: number, what: number): Uint8Array =>
  frame(FrameType.FATE, Uint8Array.of(attempt, 0, 0, 0, what), { peer });

const result = ({ number }: Joined, id: number): Uint8Array =>
  frame(FrameType.RESULT, '"done"', { peer: number, id });

const nextFates = async (peer: RawPeer) => toNode.fatesOf(await peer.take(FrameType.FATE));

/** The next link of the same instance. */
async function comeBack(hub: { url: string }, { message }: Joined): Promise<Joined> {
  const epoch = Number(message['epoch']) + 1;
  const more = { ...message, epoch, registrationEpoch: epoch };
  const again = await join(hub, message['role'] as 'node' | 'client', more);
  if (message['role'] === 'client') again.peer.send(define(0, 'echo'), define(1, 'slow'));
  return again;
}

/** Its link is lost, and the hub knows. */
async function lose(hub: { clients(): { state: string }[] }, { peer }: Joined, other: Joined): Promise<void> {
  peer.vanish();
  while (!hub.clients().some(({ state }) => state === 'absent')) await other.peer.barrier();
}

describe('A hub', () => {
  it('passes on the outcome of a call that waited while its client was away', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 1 });
    await running(fleet, 1);
    fleet.client.peer.send(call(2));
    await fleet.client.peer.barrier();
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [1], [2]));
    expect(await nextFates(client.peer)).toEqual([[2, Fate.WAITING]]);
    fleet.node.peer.send(result(client, 1));
    await fleet.node.peer.take(FrameType.CALL, ({ id }) => id === 2);
    fleet.node.peer.send(result(client, 2));
    expect(await client.peer.take(FrameType.RESULT, ({ id }) => id === 2)).toMatchObject({ id: 2 });
  });

  it('tells a client where a call that waited is, although the client had presumed that node', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 1 });
    await running(fleet, 1);
    fleet.client.peer.send(frame(FrameType.CALL, call(2).subarray(12), { id: 2, peer: fleet.node.number }));
    await fleet.client.peer.barrier();
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [1, 2]));
    expect(await nextFates(client.peer)).toEqual([[2, Fate.WAITING]]);
    fleet.node.peer.send(fate(client.number, 1, Fate.DONE), result(client, 1));
    expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ id: 2, peer: fleet.node.number });
  });

  it('does not ask a node about a call that it has not sent there yet', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    // In one message: the call is assigned, and leaves when the client’s socket took that.
    client.peer.send(call(1), resume(node, [], [1]));
    await node.peer.take(FrameType.CALL);
    await node.peer.barrier();
    expect(node.peer.seen(FrameType.QUERY)).toEqual([]);
    node.peer.send(result(client, 1));
    expect(await client.peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
  });

  it('asks again for an outcome that nobody heard, when the node was lost before it answered', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    await lose(hub, fleet.client, fleet.node);
    fleet.node.peer.send(result(fleet.client, 1));
    await fleet.node.peer.barrier();
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [1]));
    await fleet.node.peer.take(FrameType.QUERY);
    const node = await comeBack(hub, fleet.node);
    expect(await client.peer.take(FrameType.RESUME)).toMatchObject({ peer: node.number });
  });

  it('says that an outcome vanished which nobody heard, when its node is gone', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { id: 'n1' });
    await running(fleet, 1);
    await lose(hub, fleet.client, fleet.node);
    fleet.node.peer.send(result(fleet.client, 1));
    await fleet.node.peer.barrier();
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [1]));
    await fleet.node.peer.take(FrameType.QUERY);
    await join(hub, 'node', { id: 'n1', instance: 'another' });
    expect(await nextFates(client.peer)).toEqual([[1, Fate.VANISHED]]);
  });

  it('does not call a call unstarted that vanished while its client was away, and was told of no node', async () => {
    const hub = await startHub({ failoverAfterMs: 0 });
    const fleet = await pair(hub, { id: 'n1' });
    await running(fleet, 1);
    await lose(hub, fleet.client, fleet.node);
    await join(hub, 'node', { id: 'n1', instance: 'another' });
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [], [1]));
    expect(await nextFates(client.peer)).toEqual([[1, Fate.VANISHED]]);
  });

  it('does not call a call unstarted that it forgot with its client', async () => {
    const hub = await startHub({ failoverAfterMs: 0, sessionGraceMs: 40 });
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.client.peer.vanish();
    await fleet.node.peer.take(FrameType.ACK);
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [], [1, 2]));
    expect([...(await nextFates(client.peer)), ...(await nextFates(client.peer))]).toEqual([
      [1, Fate.VANISHED],
      [2, Fate.UNSTARTED],
    ]);
  });

  it('frees the place of a call that is cancelled while its node is away, and tells the node later', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.node.peer.vanish();
    while (hub.nodes()[0]?.state !== 'absent') await fleet.client.peer.barrier();
    fleet.client.peer.send(frame(FrameType.CANCEL, '', { id: 1 }));
    await fleet.client.peer.barrier();
    expect(hub.status().running).toBe(0);
    const node = await comeBack(hub, fleet.node);
    expect([...(await node.peer.take(FrameType.ACK)).payload]).toEqual([...u32s(1)]);
  });

  it('tells a node that nobody waits for an attempt that was sought, and cancelled before it was found', async () => {
    const hub = await startHub();
    const { node, client } = await pair(hub);
    client.peer.send(resume(node, [], [3]));
    await node.peer.take(FrameType.QUERY);
    client.peer.send(frame(FrameType.CANCEL, '', { id: 3 }));
    await client.peer.barrier();
    node.peer.send(fate(client.number, 3, Fate.RUNNING));
    expect([...(await node.peer.take(FrameType.ACK)).payload]).toEqual([...u32s(3)]);
  });
});

describe('A node', () => {
  it('does not call an attempt unstarted that it forgot with its client', async () => {
    const { peer } = await toNode.connected();
    peer.send(toNode.introduce(), toNode.call(5, '[]', fn.echo));
    await peer.take(FrameType.RESULT);
    peer.send(frame(FrameType.ACK, '', { peer: 9 }), toNode.introduce(), toNode.query([5], [6]));
    expect(toNode.fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [5, Fate.VANISHED],
      [6, Fate.UNSTARTED],
    ]);
  });
});

describe('A client', () => {
  it('acknowledges an attempt that it hears the node of only after it settled', async () => {
    const { client, peer } = await toClient.connected();
    const cancelled = new AbortController();
    const settled = toClient.codeOf(client.it.call('add', [1], { signal: cancelled.signal }));
    await peer.take(FrameType.CALL);
    cancelled.abort();
    expect(await settled).toBe('cancelled');
    peer.send(toClient.introduce(), toClient.assigned(1));
    expect(toClient.idsOf(await peer.take(FrameType.ACK))).toEqual([1]);
  });

  it('does not say that a call never started when only its last attempt did not', async () => {
    const { client, peer } = await toClient.connected({ maxCallAttempts: 2 });
    const error = client.it.call('add', [1], { idempotent: true }).catch((cause: unknown) => cause);
    await peer.take(FrameType.CALL);
    peer.send(toClient.introduce(), toClient.assigned(1), toClient.fate(1, Fate.VANISHED));
    await peer.take(FrameType.CALL, ({ id }) => id === 2);
    peer.send(toClient.fate(2, Fate.UNSTARTED));
    expect(await error).toBeInstanceOf(HoldfastError);
    expect(await error).toMatchObject({ code: 'lost', started: 'unknown' });
  });
});
