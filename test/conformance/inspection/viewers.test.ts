// Viewers of a hub on real sockets: who is let in, what they are told, what they may do, and what a bad one costs.
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { eventually } from '../../chaos/eventually.ts';
import { startNode } from '../../chaos/in-process.ts';
import { CloseCode } from '../../../src/protocol/frames.ts';
import { listeningLog, startHub } from '../fleet.ts';
import { look, Looking } from './looking.ts';

/** Opens without waiting for a hello. */
async function knock(url: string, open: unknown, headers: Record<string, string> = {}): Promise<Looking> {
  const looking = new Looking(url, { headers });
  looking.socket.on('open', () => looking.say(open));
  await looking.closed;
  return looking;
}

describe('a viewer of a hub', () => {
  it('is told of every session at once, then of each step, with causes before their effects', async () => {
    const hub = await startHub();
    await startNode(hub.url, 'n1');
    const viewer = await look(hub.url);
    const process = viewer.hello!.process;
    expect(viewer.hello).toMatchObject({ role: 'hub', name: 'hub', may: [], version: 1 });
    expect([...viewer.truth.processes.get(process)!.actors.values()]).toMatchObject([
      { machine: 'session', state: { online: 'listening' } },
    ]);
    expect(viewer.truth.machines.get('session')?.document).toMatchObject({ id: 'session' });
    await startNode(hub.url, 'n2');
    await eventually('n2 is online', () => hub.nodes().every(({ state }) => state === 'online'));
    await eventually('it is shown', () =>
      viewer.steps.some(({ event }) => event.type === 'sync.acknowledged'),
    );
    const steps = viewer.steps.filter(({ actor }) => actor.startsWith('session/node/n2/'));
    expect(steps[0]).toMatchObject({ from: null, event: { type: 'xstate.init' }, seq: 1 });
    expect(steps.map(({ seq }) => seq)).toEqual(steps.map((_, index) => index + 1));
    const registered = steps.find(({ event }) => event.type === 'registration.received');
    expect(registered?.effects?.map(({ name }) => name)).toContain('attachSocket');
    expect(steps.flatMap(({ timers = [] }) => timers).length).toBeGreaterThan(0);
    hub.drain('n2');
    await eventually('it drains', () => viewer.steps.some(({ event }) => event.type === 'drain.requested'));
    const fleet = viewer.told.find((message) => message.kind === 'fleet');
    expect(fleet).toMatchObject({ whole: true, hub: { nodes: 1 }, nodes: [{ id: 'n1', state: 'online' }] });
  });

  it('needs the token of the hub, and is told no more than that', async () => {
    const { log, complaints } = listeningLog();
    const hub = await startHub({ token: 'open sesame', log });
    expect((await (await knock(hub.url, { kind: 'open' })).closed).code).toBe(CloseCode.UNAUTHORIZED);
    const wrong = await knock(hub.url, { kind: 'open', token: 'open barley' });
    expect(await wrong.closed).toEqual({ code: CloseCode.UNAUTHORIZED, reason: 'wrong token' });
    expect(wrong.told).toEqual([]);
    expect(complaints.filter(({ message }) => message.includes('no valid token'))).toHaveLength(2);
    const right = await look(hub.url, { open: { kind: 'open', token: 'open sesame' } });
    expect(JSON.stringify(right.told)).not.toContain('sesame');
  });

  it('may be no page of another site, and no name that was bent to loopback', async () => {
    const hub = await startHub();
    const refused = async (headers: Record<string, string>) =>
      (await (await knock(hub.url, { kind: 'open' }, headers)).closed).code;
    expect(await refused({ origin: 'https://evil.example' })).toBe(403);
    expect(await refused({ origin: 'null' })).toBe(403);
    expect(await refused({ host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
    const own = { origin: hub.url.replace('ws', 'http') };
    expect((await look(hub.url, { headers: own })).hello?.role).toBe('hub');
    const page = await new Promise<number | undefined>((resolve) => {
      const options = { host: hub.host, port: hub.port, path: '/', headers: { host: 'evil.example' } };
      request(options, (response) => resolve(response.statusCode)).end();
    });
    expect(page).toBe(403);
  });

  it.each<[string, unknown, number]>([
    ['what is no JSON', 'open', CloseCode.MALFORMED],
    ['a message of no kind', { kind: 'look' }, CloseCode.MALFORMED],
    ['an ask before its open', { kind: 'ask', id: 1, operation: 'drain' }, CloseCode.OUT_OF_ORDER],
    ['a property of prototypes', '{"kind":"open","__proto__":{}}', CloseCode.MALFORMED],
    ['a message that is too long', { kind: 'open', token: 'x'.repeat(20_000) }, CloseCode.TOO_BIG],
  ])('is closed after %s', async (_, message, code) => {
    const hub = await startHub();
    expect((await (await knock(hub.url, message)).closed).code).toBe(code);
    expect(hub.status().state).toBe('listening');
  });

  it('speaks the subprotocol of viewers, in text, and opens once', async () => {
    const hub = await startHub();
    expect((await new Looking(hub.url, { subprotocol: 'holdfast.v1' }).closed).code).toBe(426);
    const bytes = await look(hub.url);
    bytes.socket.send(new Uint8Array([1, 2, 3]));
    expect((await bytes.closed).code).toBe(CloseCode.MALFORMED);
    const twice = await look(hub.url);
    twice.say({ kind: 'open' });
    expect((await twice.closed).code).toBe(CloseCode.OUT_OF_ORDER);
  });

  it('asks ten times a second and not more', async () => {
    const hub = await startHub();
    const viewer = await look(hub.url);
    for (let id = 1; id <= 50; id++) viewer.say({ kind: 'ask', id, operation: 'drain', target: 'n' });
    expect((await viewer.closed).code).toBe(CloseCode.LIMIT_EXCEEDED);
  });

  it('that does not read costs the hub a bounded number of bytes, misses steps, and learns the truth afterwards', async () => {
    const hub = await startHub({ inspect: { stepsPerSecond: 100_000 } });
    const door = setup({}).createMachine({
      id: 'door',
      initial: 'shut',
      states: { shut: { on: { push: 'ajar' } }, ajar: { on: { push: 'shut' } } },
    });
    const actor = hub.system.spawn(door, { id: `door/${'x'.repeat(900)}` });
    const viewer = await look(hub.url);
    viewer.socket.pause();
    const missed = () => viewer.told.reduce((sum, it) => sum + (it.kind === 'dropped' ? it.steps : 0), 0);
    for (let batch = 0; batch < 60; batch++) {
      for (let n = 0; n < 500; n++) actor.send({ type: 'push' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    actor.send({ type: 'push' });
    // Another one is not held up.
    const other = await look(hub.url);
    expect(other.truth.processes.size).toBe(1);
    viewer.socket.resume();
    await eventually('it is told that it missed some', () => missed() > 0);
    const state = () => [...viewer.truth.processes.values()][0]?.actors.get(actor.id)?.state;
    await eventually('it knows where the door is', () => state() === 'ajar');
  });

  it('is not there when the hub was told so', async () => {
    const hub = await startHub({ inspect: false });
    expect(hub.inspection).toBeUndefined();
    expect((await new Looking(hub.url).closed).code).toBe(426);
    expect((await fetch(`${hub.url.replace('ws', 'http')}/`)).status).toBe(404);
  });
});

describe('an operator', () => {
  it('drains, readmits and disconnects nodes, and each act is logged', async () => {
    const messages: string[] = [];
    const keep = (_: object, message: string): void => void messages.push(message);
    const log = { debug() {}, info: keep, warn: keep, error: keep };
    const hub = await startHub({ inspect: { operatorToken: 'may act' }, log });
    await startNode(hub.url, 'n1');
    const open = { kind: 'open', operatorToken: 'may act' };
    const operator = await look(hub.url, { open });
    expect(operator.hello?.may).toEqual(['drain', 'undrain', 'disconnect']);
    expect(await operator.ask('drain', 'n1')).toMatchObject({ ok: true, message: 'n1 drains' });
    expect(hub.nodes()).toMatchObject([{ state: 'draining' }]);
    expect(await operator.ask('undrain', 'n1')).toMatchObject({ ok: true });
    expect(await operator.ask('drain', 'nobody')).toMatchObject({ ok: false });
    expect(messages).toContain('a viewer asked to drain n1: n1 drains');
    expect(messages).toContain('a viewer asked to drain nobody: there is no node nobody');
    const onlooker = await look(hub.url);
    expect(await onlooker.ask('drain', 'n1')).toMatchObject({ ok: false });
    expect(hub.nodes()).toMatchObject([{ state: expect.not.stringMatching('draining') as string }]);
  });

  it('has the right token, or is no viewer either', async () => {
    const hub = await startHub({ inspect: { operatorToken: 'may act' } });
    const wrong = await knock(hub.url, { kind: 'open', operatorToken: 'may not' });
    expect((await wrong.closed).code).toBe(CloseCode.UNAUTHORIZED);
  });

  it('may pause what else is shown', async () => {
    const hub = await startHub({ inspect: { operatorToken: 'may act' } });
    const paused: (string | undefined)[] = [];
    const end = hub.inspection!.show({
      training: () => ({
        gate: { state: 'open', online: 1, minNodes: 1, budgetUsedMs: 0, budgetMs: 1_000 },
        history: [],
      }),
      acts: {
        pause: (target) => {
          paused.push(target);
          return 'the gate pauses';
        },
        retry: () => {
          throw new Error('it is not in the queue');
        },
      },
    });
    const operator = await look(hub.url, { open: { kind: 'open', operatorToken: 'may act' } });
    expect(operator.told.find(({ kind }) => kind === 'fleet')).toMatchObject({
      training: { gate: { state: 'open' } },
    });
    expect(await operator.ask('pause')).toMatchObject({ ok: true, message: 'the gate pauses' });
    expect(await operator.ask('retry', 'x')).toMatchObject({ ok: false, message: 'it is not in the queue' });
    expect(paused).toEqual([undefined]);
    end();
    expect(await operator.ask('pause')).toMatchObject({ ok: false });
  });
});
