// PROTOCOL.md as a node keeps it when a hub that is not ours looks at its machines.
import { describe, expect, it } from 'vitest';
import { CloseCode, Flag, FrameType } from '../../../src/protocol/frames.ts';
import { readTold, type Step, type Told } from '../../../src/protocol/inspection.ts';
import { eventually } from '../../chaos/eventually.ts';
import { FakeHub, startNode, welcome } from '../fake-hub.ts';
import { frame, jsonOf, type RawPeer } from '../raw.ts';

const ask = (more: object = {}): Uint8Array => frame(FrameType.INSPECT, { process: 'hub/fake', ...more });

/** What the peer told so far. */
const told = (peer: RawPeer): Told[] =>
  peer
    .seen(FrameType.INSPECT)
    .filter(({ flags }) => flags === 0)
    .flatMap(({ payload }) => readTold(new TextDecoder().decode(payload)));

const steps = (peer: RawPeer): Step[] => told(peer).filter((message) => message.kind === 'step');

describe('A node that is looked at', () => {
  it('offers it in REGISTER, says nothing before it is asked, then who it is and where its machines are', async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const peer = await hub.accept();
    expect(jsonOf(await peer.take(FrameType.REGISTER))).toMatchObject({ inspects: true });
    expect(peer.seen(FrameType.INSPECT)).toEqual([]);
    peer.send(ask());
    await eventually('it tells', () => told(peer).length >= 2);
    const [process, present] = told(peer);
    expect(process).toMatchObject({ kind: 'process', role: 'node', name: 'n1', state: 'here' });
    expect(present).toMatchObject({ kind: 'present', actors: [{ machine: 'connection' }] });
    expect(JSON.stringify(present)).not.toContain('context');
  });

  it('that does not want to be is not: it offers nothing, and takes the question for a fault', async () => {
    const hub = await FakeHub.start();
    startNode(hub, { inspect: false });
    const peer = await hub.accept();
    expect(jsonOf(await peer.take(FrameType.REGISTER))).not.toHaveProperty('inspects');
    peer.send(ask());
    expect((await peer.closed).code).toBe(CloseCode.UNEXPECTED_TYPE);
  });

  it('names the step of the hub that led to its own, with a greater clock, and stamps what it sends', async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const peer = await hub.accept();
    peer.send(ask(), frame(FrameType.INSPECT, 'session/n1', { flags: Flag.STAMP, id: 700 }));
    await welcome(peer);
    const accepted = () => steps(peer).find(({ event }) => event.type === 'registration.accepted');
    await eventually('the step is told', () => accepted() !== undefined);
    expect(accepted()).toMatchObject({ cause: { process: 'hub/fake', actor: 'session/n1', clock: 700 } });
    expect(accepted()!.clock).toBeGreaterThan(700);
    const stamp = peer.seen(FrameType.INSPECT).find(({ flags }) => flags === Flag.STAMP);
    expect(new TextDecoder().decode(stamp?.payload)).toMatch(/^connection\//);
    expect(stamp!.id).toBeGreaterThan(700);
  });

  it('tells the next hub how it came back, when that one looks too', async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const first = await hub.accept();
    first.send(ask());
    await welcome(first);
    await eventually('it tells', () => told(first).length > 0);
    first.vanish();
    const second = await hub.accept();
    expect(jsonOf(await second.take(FrameType.REGISTER))).toMatchObject({
      step: { clock: expect.any(Number) as number },
    });
    second.send(ask());
    await eventually('it tells the way', () => steps(second).length >= 3);
    expect(told(second)[0]).toMatchObject({ kind: 'process' });
    const way = steps(second)
      .map(({ to }) => JSON.stringify(to))
      .join(' ');
    expect(way).toMatch(/transient_failure.*backoff.*reconnecting.*registering/);
  });

  it('stops when nobody looks any more', async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const peer = await hub.accept();
    peer.send(ask(), frame(FrameType.INSPECT, {}));
    await welcome(peer);
    expect(peer.seen(FrameType.INSPECT)).toEqual([]);
    peer.send(ask());
    await eventually('it tells again', () => told(peer).length >= 2);
    expect(told(peer).map(({ kind }) => kind)).toEqual(['process', 'present']);
  });

  it.each<[string, Uint8Array]>([
    ['no JSON', frame(FrameType.INSPECT, 'look')],
    ['a rate that is none', ask({ stepsPerSecond: -1 })],
    ['a process that is no text', frame(FrameType.INSPECT, { process: 7 })],
  ])('leaves a hub that asks with %s', async (_, bytes) => {
    const hub = await FakeHub.start();
    startNode(hub);
    const peer = await hub.welcome();
    peer.send(bytes);
    expect((await peer.closed).code).toBe(CloseCode.MALFORMED);
  });
});
