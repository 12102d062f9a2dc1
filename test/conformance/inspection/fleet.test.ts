// The machines of a whole fleet over real sockets: nodes and clients tell their hub's viewers what they do, only while there
// are any, and in an order in which nothing comes before its cause.
import { describe, expect, it } from 'vitest';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startNode } from '../../chaos/in-process.ts';
import { CloseCode, Flag, FrameType } from '../../../src/protocol/frames.ts';
import type { Step } from '../../../src/protocol/inspection.ts';
import { dial, join, startHub } from '../fleet.ts';
import { frame, jsonOf } from '../raw.ts';
import { look } from './looking.ts';

/** Each step that names a cause which was told too, with it. */
function pairs(steps: readonly Step[]): [cause: Step, step: Step][] {
  const known = new Map(steps.map((step) => [`${step.process} ${step.actor} ${step.clock}`, step]));
  return steps.flatMap((step): [Step, Step][] => {
    const { cause } = step;
    const found = cause && known.get(`${cause.process} ${cause.actor} ${cause.clock}`);
    return found === undefined ? [] : [[found, step]];
  });
}

describe('a fleet that is looked at', () => {
  it('shows the machines of its nodes and clients, and forgets those that leave', async () => {
    const hub = await startHub({ sessionGraceMs: 50 });
    await startNode(hub.url, 'n1');
    const viewer = await look(hub.url);
    await eventually('the node is shown', () => viewer.truth.processes.size === 2);
    const client = await startClient(hub.url, { id: 'c1' });
    await eventually('the client is shown', () => viewer.truth.processes.size === 3);
    const states = () =>
      [...viewer.truth.processes.values()].flatMap(({ said, actors }) =>
        [...actors.values()].map(({ machine, state }) => [
          said.role,
          said.name,
          machine,
          JSON.stringify(state),
        ]),
      );
    await eventually(
      'both are connected',
      () => states().filter(([, , , it]) => it?.includes('connected')).length === 2,
    );
    expect(viewer.truth.machines.get('connection')?.document).toMatchObject({ id: 'connection' });
    await client.stop();
    await eventually('the client is gone', () => viewer.truth.processes.size === 2);
  });

  it('shows a call at both of its ends, by the same number', async () => {
    const hub = await startHub();
    await startNode(hub.url, 'n1');
    const client = await startClient(hub.url, { id: 'c1' });
    const viewer = await look(hub.url);
    await eventually('both are asked', () => viewer.truth.processes.size === 3);
    const actors = (machine: string, role: string) =>
      viewer.steps
        .filter((step) => step.machine === machine && step.process.startsWith(role))
        .map(({ actor }) => actor);
    await eventually('a call is shown at both ends', async () => {
      expect(await client.call('add', [1, 2])).toBe(3);
      return actors('call', 'client/c1').length > 0 && actors('execution', 'node/n1').length > 0;
    });
    const number = /\d+$/.exec(actors('execution', 'node/n1')[0] ?? '')?.[0];
    await eventually('it is the same one', () => actors('call', 'client/c1').includes(`call/${number}`));
    expect(viewer.way('call', 'client/c1').slice(0, 2)).toEqual(['queued', 'sent']);
    expect(viewer.way('execution', 'node/n1').slice(0, 3)).toEqual(['queued', 'running', 'succeeded']);
  });

  it('shows how a node came back to a hub that was killed, step by step', async () => {
    const hub = await startHub();
    await startNode(hub.url, 'n1', { reconnectIntervalMs: 20 });
    const before = await look(hub.url);
    await eventually('the node is shown', () => before.truth.processes.size === 2);
    const { port } = hub;
    await hub.stop();
    const again = await startHub({ port });
    const viewer = await look(again.url);
    const way = () => viewer.way('connection', 'node/n1').map((state) => JSON.stringify(state));
    const wanted = ['transient_failure', 'backoff', 'reconnecting', 'registering', 'connected'];
    /** How far it came, in this order. */
    const reached = () =>
      way().reduce((count, state) => (state.includes(wanted[count] ?? 'nothing') ? count + 1 : count), 0);
    await eventually('it went all the way', () => reached() === wanted.length);
    const steps = viewer.steps.filter(({ machine }) => machine === 'connection');
    expect(steps.map(({ clock }) => clock)).toEqual(
      steps.map(({ clock }) => clock).toSorted((a, b) => a - b),
    );
  });

  it('draws node → hub → node: no step comes before its cause, by its clock', async () => {
    const hub = await startHub();
    const viewer = await look(hub.url);
    await startNode(hub.url, 'n1');
    const online = () =>
      viewer.way('session', 'hub').some((state) => JSON.stringify(state).includes('online'));
    await eventually(
      'it is online',
      () => online() && viewer.steps.some(({ machine }) => machine === 'connection'),
    );
    hub.disconnect('n1');
    // Registers anew while it is looked at: every message of it carries its step.
    const registered = () =>
      viewer.steps.filter(
        ({ event, cause }) => event.type === 'registration.accepted' && cause !== undefined,
      );
    await eventually('it registered again', () => registered().length > 0);
    const ways = () =>
      pairs(viewer.steps)
        .filter(([cause, step]) => cause.process !== step.process)
        .map(([cause, step]) => `${cause.machine} → ${step.machine}: ${step.event.type}`);
    const wanted = [
      'connection → session: registration.received',
      'session → connection: registration.accepted',
      'session → connection: sync.received',
      'connection → session: sync.acknowledged',
    ];
    await eventually('all ways are shown', () => wanted.every((way) => ways().includes(way)));
    for (const [cause, step] of pairs(viewer.steps)) expect(cause.clock).toBeLessThan(step.clock);
  });
});

describe('INSPECT', () => {
  const offering = { id: 'raw', inspects: true };

  it('is sent to no peer that did not offer it, and to none before somebody looks', async () => {
    const hub = await startHub();
    const old = await join(hub, 'node');
    const young = await join(hub, 'node', offering);
    await young.peer.barrier();
    expect(young.peer.seen(FrameType.INSPECT)).toEqual([]);
    const viewer = await look(hub.url);
    const asked = jsonOf(await young.peer.take(FrameType.INSPECT));
    expect(asked).toMatchObject({ process: viewer.hello?.process, contexts: false });
    viewer.socket.close();
    expect(jsonOf(await young.peer.take(FrameType.INSPECT))).toEqual({});
    await old.peer.barrier();
    expect(old.peer.seen(FrameType.INSPECT)).toEqual([]);
  });

  it('speaks for its sender only', async () => {
    const hub = await startHub();
    const viewer = await look(hub.url);
    const { peer } = await join(hub, 'node', offering);
    const other = { process: viewer.hello!.process, role: 'hub', name: 'hub' };
    const told = [
      { kind: 'process', ...other, at: 5_000, state: 'here' },
      { kind: 'hello', ...other, version: 1, at: 0, may: ['drain'] },
      { kind: 'machine', machine: 'session', document: { id: 'session', states: {} } },
      { kind: 'present', process: other.process, at: 5_000, actors: [] },
      {
        kind: 'step',
        process: other.process,
        actor: 'a',
        machine: 'session',
        seq: 1,
        at: 5_001,
        clock: 1,
        event: { type: 'x' },
        from: null,
        to: '<b>',
      },
    ];
    peer.send(frame(FrameType.INSPECT, told));
    await eventually('its step is shown', () => viewer.steps.some(({ actor }) => actor === 'a'));
    const step = viewer.steps.find(({ actor }) => actor === 'a');
    expect(step?.process).toMatch(/^node\/raw\//);
    expect(Math.abs(step!.at - viewer.hello!.at)).toBeLessThan(60_000);
    expect(viewer.told.filter(({ kind }) => kind === 'hello')).toHaveLength(1);
    expect(viewer.truth.machines.get('session')?.document).not.toEqual({ id: 'session', states: {} });
    expect(viewer.truth.processes.get(other.process)?.actors.size).toBe(1);
  });

  it.each<[string, Uint8Array]>([
    ['what is no JSON', frame(FrameType.INSPECT, 'step')],
    ['a message of no kind', frame(FrameType.INSPECT, [{ kind: 'look' }])],
    ['what is no UTF-8', frame(FrameType.INSPECT, new Uint8Array([0xff]), { flags: Flag.STAMP, id: 1 })],
  ])('closes the connection of a peer that sends %s', async (_, bytes) => {
    const hub = await startHub();
    await look(hub.url);
    const { peer } = await join(hub, 'node', offering);
    await peer.take(FrameType.INSPECT);
    peer.send(bytes);
    expect((await peer.closed).code).toBe(CloseCode.MALFORMED);
  });

  it('of a peer that did not offer it is out of order; after the last viewer it is passed over', async () => {
    const hub = await startHub();
    const { peer } = await join(hub, 'node');
    peer.send(frame(FrameType.INSPECT, []));
    expect((await peer.closed).code).toBe(CloseCode.OUT_OF_ORDER);
    const late = await join(hub, 'node', offering);
    late.peer.send(frame(FrameType.INSPECT, [{ kind: 'nonsense' }]));
    await late.peer.barrier();
    const early = await dial(hub);
    early.send(frame(FrameType.INSPECT, []));
    await early.take(FrameType.UNKNOWN);
  });

  it('at a flood says how much was left out', async () => {
    const hub = await startHub();
    const viewer = await look(hub.url);
    const { peer } = await join(hub, 'node', offering);
    await peer.take(FrameType.INSPECT);
    const process = { kind: 'process', process: 'p', role: 'node', name: 'n', at: 0, state: 'here' };
    const step = (seq: number) => ({
      kind: 'step',
      process: 'p',
      actor: 'a',
      machine: 'm',
      seq,
      at: 0,
      clock: seq,
      event: { type: 'x' },
      from: 's',
      to: 's',
    });
    peer.send(frame(FrameType.INSPECT, [process]));
    for (let part = 0; part < 40; part++)
      peer.send(
        frame(
          FrameType.INSPECT,
          Array.from({ length: 500 }, (_, n) => step(part * 500 + n + 1)),
        ),
      );
    await peer.barrier();
    const present = { kind: 'present', process: 'p', at: 1, actors: [] };
    const dropped = () =>
      viewer.told.reduce((sum, message) => sum + (message.kind === 'dropped' ? message.steps : 0), 0);
    const shown = () => viewer.steps.filter(({ actor }) => actor === 'a').length;
    await eventually('each is shown or counted', () => {
      peer.send(frame(FrameType.INSPECT, [present]));
      return shown() + dropped() === 20_000;
    });
    expect(dropped()).toBeGreaterThan(0);
    expect(hub.status().state).toBe('listening');
  });
});
