// PROTOCOL.md, rosters: a client knows every node that may have its calls, and a hub that comes after asks all of them.
import { describe, expect, it } from 'vitest';
import { Fate, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import * as toClient from './client-lines.ts';
import { call, define, dial, join, running, startHub, type Joined } from './fleet.ts';
import { FakeHub, startClient, startNode, welcome } from './fake-hub.ts';
import * as toNode from './node-lines.ts';
import { frame, jsonOf, type RawPeer } from './raw.ts';
import { registration } from './say.ts';

const ordinals: object[] = [];
const knows = (upTo: number): Uint8Array => frame(FrameType.ROSTER, '', { id: upTo });
const fate = (peer: number, attempt: number, what: number): Uint8Array =>
  frame(FrameType.FATE, Uint8Array.of(attempt, 0, 0, 0, what), { peer });
const nextFates = async (peer: RawPeer) => toNode.fatesOf(await peer.take(FrameType.FATE));
const brought = (nodes: number[], unassigned: number[], more: object = {}): Uint8Array =>
  frame(FrameType.RESUME, { nodes: [], unassigned, rosters: [{ hub: 'h6', nodes }], ...more });

/** Joins, and gives what REGISTERED said. */
async function tell(hub: { url: string }, role: 'node' | 'client', more: object = {}) {
  const peer = await dial(hub);
  const message: Record<string, unknown> = { ...registration(role), ordinals, ...more };
  peer.json(FrameType.REGISTER, message);
  const registered = jsonOf(await peer.take(FrameType.REGISTERED));
  return { peer, registered, message };
}

/** A client that is back from another hub, and brings what it knows. */
async function returned(hub: { url: string }): Promise<Joined> {
  return join(hub, 'client', { ordinals, epoch: 2, registrationEpoch: 2 });
}

describe('A hub', () => {
  it('tells a node its ordinal and a client the roster, if they send ordinals', async () => {
    const hub = await startHub();
    expect((await tell(hub, 'node')).registered).toMatchObject({ ordinal: 1 });
    expect((await tell(hub, 'node')).registered).toMatchObject({ ordinal: 2 });
    expect((await tell(hub, 'client')).registered).toMatchObject({ roster: { upTo: 2, nodes: [0, 2] } });
    for (const role of ['node', 'client'] as const) {
      const { registered } = await tell(hub, role, { ordinals: undefined });
      expect(registered).not.toHaveProperty('ordinal');
      expect(registered).not.toHaveProperty('roster');
    }
  });

  it('gives a node no call of a client that did not say that it has heard of that node', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client', { ordinals });
    client.peer.send(knows(0), define(0, 'echo'), call(1));
    await client.peer.barrier();
    const node = await join(hub, 'node', { ordinals });
    const told = await client.peer.take(FrameType.ROSTER);
    expect([told.id, jsonOf(told)]).toEqual([1, { gone: [] }]);
    await node.peer.barrier();
    expect(node.peer.seen(FrameType.CALL)).toEqual([]);
    expect(client.peer.seen(FrameType.ASSIGNED)).toEqual([]);
    client.peer.send(knows(1));
    expect(await node.peer.take(FrameType.CALL)).toMatchObject({ id: 1 });
    expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ id: 1, peer: node.number });
  });

  it('takes a client at its word no further than it was told', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client', { ordinals });
    client.peer.send(knows(7), define(0, 'echo'), call(1));
    await client.peer.barrier();
    const node = await join(hub, 'node', { ordinals });
    expect(await client.peer.take(FrameType.ROSTER)).toMatchObject({ id: 1 });
    await node.peer.barrier();
    expect(node.peer.seen(FrameType.CALL)).toEqual([]);
  });

  it('gives calls to nodes that the client knows while it hears of another', async () => {
    const hub = await startHub({ balance: 'roundRobin' });
    const known = await join(hub, 'node', { ordinals });
    const client = await join(hub, 'client', { ordinals });
    client.peer.send(knows(1), define(0, 'echo'));
    await client.peer.barrier();
    const newcomer = await join(hub, 'node', { ordinals });
    client.peer.send(call(1), call(2));
    await known.peer.take(FrameType.CALL, ({ id }) => id === 1);
    await known.peer.take(FrameType.CALL, ({ id }) => id === 2);
    await newcomer.peer.barrier();
    expect(newcomer.peer.seen(FrameType.CALL)).toEqual([]);
    client.peer.send(knows((await client.peer.take(FrameType.ROSTER)).id), call(3), call(4));
    await newcomer.peer.take(FrameType.CALL);
  });

  it('tells a client whose call is out which nodes left', async () => {
    const hub = await startHub({ sessionGraceMs: 20 });
    const node = await join(hub, 'node', { ordinals });
    const other = await join(hub, 'node', { ordinals, functions: ['other'] });
    const client = await join(hub, 'client', { ordinals });
    client.peer.send(knows(2), define(0, 'echo'), define(1, 'slow'));
    await running({ node, client }, 1);
    other.peer.vanish();
    const told = await client.peer.take(FrameType.ROSTER);
    expect([told.id, jsonOf(told)]).toEqual([2, { gone: [2] }]);
  });

  it('knows nothing of rosters with peers that send no ordinals', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client');
    client.peer.send(define(0, 'echo'), call(1));
    await client.peer.barrier();
    const node = await join(hub, 'node', { ordinals });
    await node.peer.take(FrameType.CALL);
    expect(client.peer.seen(FrameType.ROSTER)).toEqual([]);
  });
});

describe('A hub that comes after another one', () => {
  it('waits for a node on the roster longer than failoverAfterMs, and finds the attempt there; an idempotent one it lets go', async () => {
    const hub = await startHub({ failoverAfterMs: 20 });
    const here = await join(hub, 'node', { ordinals: [{ hub: 'h6', ordinal: 1 }] });
    const client = await returned(hub);
    client.peer.send(brought([0, 2], [3, 4], { idempotent: [4] }));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    expect(await nextFates(client.peer)).toEqual([[4, Fate.WAITING]]);
    await here.peer.take(FrameType.QUERY);
    here.peer.send(fate(client.number, 3, Fate.UNSTARTED));
    // One of another hub is not the one that is missing.
    const stranger = await join(hub, 'node', { ordinals: [{ hub: 'h5', ordinal: 2 }] });
    await stranger.peer.take(FrameType.QUERY);
    stranger.peer.send(fate(client.number, 3, Fate.UNSTARTED));
    // The time is over: the idempotent one may go.
    expect(await nextFates(client.peer)).toEqual([[4, Fate.VANISHED]]);
    await client.peer.barrier();
    expect(client.peer.seen(FrameType.FATE)).toEqual([]);
    const late = await join(hub, 'node', { ordinals: [{ hub: 'h6', ordinal: 2 }] });
    await late.peer.take(FrameType.QUERY);
    late.peer.send(fate(client.number, 3, Fate.RUNNING));
    expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ id: 3, peer: late.number });
  });

  it('calls an attempt unstarted when all on the roster have said so', async () => {
    const hub = await startHub({ failoverAfterMs: 0 });
    const client = await returned(hub);
    client.peer.send(brought([1, 1], [3]));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    const node = await join(hub, 'node', { ordinals: [{ hub: 'h6', ordinal: 2 }] });
    await node.peer.take(FrameType.QUERY);
    node.peer.send(fate(client.number, 3, Fate.UNSTARTED));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.UNSTARTED]]);
  });

  it('says that an attempt vanished when one of them does not come within sessionGraceMs', async () => {
    const hub = await startHub({ failoverAfterMs: 0, sessionGraceMs: 40 });
    const client = await returned(hub);
    client.peer.send(brought([0, 1], [3]));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    expect(await nextFates(client.peer)).toEqual([[3, Fate.VANISHED]]);
  });

  it('says so at once when one of them came and is gone', async () => {
    const hub = await startHub({ failoverAfterMs: 0 });
    const node = { ordinals: [{ hub: 'h6', ordinal: 1 }], id: 'n1' };
    await join(hub, 'node', node);
    await join(hub, 'node', { ...node, ordinals, instance: 'another' });
    const client = await returned(hub);
    client.peer.send(brought([0, 1], [3]));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    expect(await nextFates(client.peer)).toEqual([[3, Fate.VANISHED]]);
  });

  it.each([
    [false, Fate.UNSTARTED],
    [true, Fate.WAITING],
  ])('takes the word of the one node that has an attempt (presumed %s)', async (presumed, said) => {
    const hub = await startHub();
    const node = await join(hub, 'node', { ordinals: [{ hub: 'h6', ordinal: 1 }] });
    const client = await returned(hub);
    const { id, instance } = node.message;
    const named = { attempt: 3, received: 0, windowBytes: 1, idempotent: false, presumed };
    client.peer.send(brought([0, 2], [], { nodes: [{ id, instance, calls: [named] }] }));
    await node.peer.take(FrameType.QUERY);
    node.peer.send(fate(client.number, 3, Fate.UNSTARTED));
    expect(await nextFates(client.peer)).toEqual([[3, said]]);
  });

  it('takes at most maxFormerHubs rosters', async () => {
    const hub = await startHub();
    const client = await returned(hub);
    for (let at = 0; at <= limits.maxFormerHubs; at += 1)
      client.peer.send(
        frame(FrameType.RESUME, jsonOf({ payload: brought([], []).subarray(12) } as never), { flags: 1 }),
      );
    expect((await client.peer.closed).code).toBe(4404);
  });
});

describe('A client', () => {
  it('says what it knows before it calls, and brings the roster to the next hub with attempts of unknown whereabouts', async () => {
    const hub = await FakeHub.start();
    const client = startClient(hub);
    void toClient.codeOf(client.it.call('add', [1]));
    void toClient.codeOf(client.it.call('add', [2]));
    void toClient.codeOf(client.it.call('add', [3], { idempotent: true }));
    const peer = await hub.accept();
    await welcome(peer, { hub: 'h6', roster: { upTo: 3, nodes: [0, 1, 1, 1] } });
    expect(await peer.take(FrameType.ROSTER)).toMatchObject({ id: 3 });
    await peer.take(FrameType.CALL, ({ id }) => id === 3);
    const types = peer.messages.flat().map(({ type }) => type);
    expect(types.indexOf(FrameType.ROSTER)).toBeLessThan(types.indexOf(FrameType.CALL));
    peer.send(frame(FrameType.ROSTER, { gone: [1] }, { id: 5 }), toClient.introduce(), toClient.assigned(1));
    expect(await peer.take(FrameType.ROSTER)).toMatchObject({ id: 5 });
    peer.vanish();
    const again = await hub.accept();
    await welcome(again, { hub: 'h7', roster: { upTo: 0, nodes: [] } });
    const rosters = await again.take(FrameType.RESUME);
    // 3, 4 and 5.
    expect(jsonOf(rosters)).toEqual({ nodes: [], unassigned: [], rosters: [{ hub: 'h6', nodes: [2, 3] }] });
    expect(rosters.flags).toBe(1);
    const list = jsonOf<{ nodes: { calls: object[] }[] }>(await again.take(FrameType.RESUME));
    expect(list).toMatchObject({ unassigned: [2, 3], idempotent: [3] });
    expect(list.nodes[0]?.calls).toMatchObject([{ attempt: 1, presumed: false }]);
    // Nothing was found out yet: the third hub hears of both.
    again.vanish();
    const third = await hub.accept();
    await welcome(third, { hub: 'h8', roster: { upTo: 0, nodes: [] } });
    const all = [await third.take(FrameType.RESUME), await third.take(FrameType.RESUME)];
    expect(all.map((it) => jsonOf<{ rosters: object[] }>(it).rosters[0])).toEqual([
      { hub: 'h6', nodes: [2, 3] },
      { hub: 'h7', nodes: [] },
    ]);
  });

  it('brings no roster when a hub before told it of none', async () => {
    const hub = await FakeHub.start();
    const client = startClient(hub);
    void toClient.codeOf(client.it.call('add', [1]));
    const peer = await hub.welcome();
    await peer.take(FrameType.CALL);
    expect(peer.seen(FrameType.ROSTER)).toEqual([]);
    peer.vanish();
    const again = await hub.accept();
    await welcome(again, { hub: 'h7', roster: { upTo: 0, nodes: [] } });
    expect(jsonOf(await again.take(FrameType.RESUME))).toEqual({ nodes: [], unassigned: [1] });
  });
});

describe('A node', () => {
  it('tells each hub its ordinals at those before, and not more than maxFormerHubs', async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const expected: object[] = [];
    for (let at = 1; at <= limits.maxFormerHubs + 2; at += 1) {
      const peer = await hub.accept();
      const message = jsonOf(await peer.take(FrameType.REGISTER));
      expect(message['ordinals']).toEqual(expected.slice(-limits.maxFormerHubs));
      expected.push({ hub: `h${at}`, ordinal: at });
      peer.inbox.unshift(...peer.messages.flat().filter(({ type }) => type === FrameType.REGISTER));
      await welcome(peer, { hub: `h${at}`, ordinal: at });
      peer.vanish();
    }
  });
});
