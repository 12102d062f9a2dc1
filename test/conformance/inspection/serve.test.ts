// The inspector alone: apps with the real `@statelyai/inspect` dial in, recordings are shown, a hub's stream is passed on.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createWebSocketInspector, createWebSocketReceiver } from '@statelyai/inspect';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createActor, createMachine } from 'xstate';
import { createWsDialer } from '../../../src/adapters/ws-dialer.ts';
import { createWsListener } from '../../../src/adapters/ws-listener.ts';
import { CloseCode } from '../../../src/protocol/frames.ts';
import { INSPECT_SUBPROTOCOL, type Told } from '../../../src/protocol/inspection.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startNode } from '../../chaos/in-process.ts';
import { startHub } from '../fleet.ts';
import { startInspector } from './inspector.ts';
import { look, Looking } from './looking.ts';

const lamp = createMachine({
  id: 'lamp',
  initial: 'off',
  states: { off: { on: { press: 'on' } }, on: { on: { press: 'off' } } },
});

/** An app as a user writes it. */
function startApp(url: string) {
  const inspector = createWebSocketInspector({ url });
  const actor = createActor(lamp, { inspect: inspector.inspect });
  actor.start();
  onTestFinished(() => {
    actor.stop();
    inspector.stop();
  });
  return { actor, inspector };
}

const hubDialer = createWsDialer({ texts: { subprotocol: INSPECT_SUBPROTOCOL }, maxMessageBytes: 1e8 });

describe('apps', () => {
  it('that dial in are seen by viewers, those that came before them and those that come later', async () => {
    const inspector = await startInspector();
    const before = await look(inspector.viewers);
    const { actor } = startApp(inspector.appUrl!);
    actor.send({ type: 'press' });
    await eventually('the lamp is on', () => before.way('lamp', 'app/lamp').includes('on'));
    const after = await look(inspector.viewers);
    await eventually('the whole story', () => after.steps.length === 2);
    expect(after.way('lamp', 'app/lamp')).toEqual(['off', 'on']);
    expect(after.hello).toMatchObject({ process: 'inspect/test', may: [] });
    expect(after.told.map(({ kind }) => kind)).toEqual(['hello', 'process', 'machine', 'step', 'step']);
    actor.send({ type: 'press' });
    await eventually('all see it go off', () => after.steps.length === 3 && before.steps.length === 3);
    expect(before.steps).toEqual(after.steps);
    expect(await after.ask('drain', 'n1')).toMatchObject({ ok: false });
  });

  it('of several processes are kept apart, and one that reconnects is not told twice', async () => {
    const inspector = await startInspector();
    const viewer = await look(inspector.viewers);
    const one = startApp(inspector.appUrl!);
    const two = startApp(inspector.appUrl!);
    two.actor.send({ type: 'press' });
    await eventually('both', () => viewer.truth.processes.size === 2 && viewer.steps.length === 3);
    one.inspector.stop();
    await eventually('one is gone', () => viewer.truth.processes.size === 1);
    one.actor.send({ type: 'press' });
    one.inspector.start();
    await eventually('it is back', () => viewer.truth.processes.size === 2 && viewer.steps.length === 4);
    const processes = viewer.told.filter((message) => message.kind === 'process');
    expect(new Set(processes.map(({ process }) => process)).size).toBe(2);
    expect(viewer.steps.map(({ process, seq }) => `${process} ${seq}`).toSorted()).toEqual([
      'app/lamp/1 1',
      'app/lamp/1 2',
      'app/lamp/2 1',
      'app/lamp/2 2',
    ]);
  });

  it('that send garbage, or too much, harm nobody', async () => {
    const inspector = await startInspector();
    const viewer = await look(inspector.viewers);
    startApp(inspector.appUrl!);
    const rude = async (...messages: (string | Buffer)[]): Promise<number> => {
      const socket = new WebSocket(inspector.appUrl!);
      onTestFinished(() => socket.terminate());
      socket.on('open', () => messages.forEach((message) => socket.send(message)));
      return new Promise((resolve) => socket.on('close', resolve));
    };
    expect(await rude(...Array.from({ length: 100 }, () => '{"type":"@xstate.event"}'))).toBe(
      CloseCode.MALFORMED,
    );
    expect(await rude(Buffer.from('{}'))).toBe(CloseCode.MALFORMED);
    expect(await rude('x'.repeat(4_194_305))).toBe(CloseCode.TOO_BIG);
    await eventually('the good one is seen', () => viewer.steps.length === 1);
    expect(viewer.truth.processes.size).toBe(1);
    expect(JSON.stringify(inspector.complaints)).toContain('sessionId must be a short text');
  });

  it('may be pages of this machine, and of nowhere else', async () => {
    const inspector = await startInspector();
    const dial = (url: string, headers: Record<string, string>, subprotocol?: string): Promise<number> => {
      const socket = new WebSocket(url, subprotocol === undefined ? [] : [subprotocol], { headers });
      onTestFinished(() => socket.terminate());
      return new Promise((resolve) => {
        socket.on('open', () => resolve(200));
        socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
        socket.on('error', () => {});
      });
    };
    const app = inspector.appUrl!;
    expect(await dial(app, { origin: 'http://localhost:5173' })).toBe(200);
    expect(await dial(app, { origin: 'http://127.0.0.1:3000' })).toBe(200);
    expect(await dial(app, { origin: 'https://evil.example' })).toBe(403);
    expect(await dial(app, { origin: 'http://localhost.evil.example' })).toBe(403);
    expect(await dial(app, { origin: 'null' })).toBe(403);
    expect(await dial(app, { host: 'evil.example' })).toBe(403);
    // Who looks may only be the page itself.
    const viewers = `${inspector.viewers}/inspect`;
    expect(await dial(viewers, { origin: 'http://localhost:5173' }, INSPECT_SUBPROTOCOL)).toBe(403);
    expect(await dial(viewers, { origin: inspector.url.replace(/\/$/, '') }, INSPECT_SUBPROTOCOL)).toBe(200);
  });

  it('find no hub here', async () => {
    const inspector = await startInspector();
    const node = new WebSocket(inspector.viewers, 'holdfast.v1');
    onTestFinished(() => node.terminate());
    expect(await new Promise((resolve) => node.on('close', resolve))).toBe(CloseCode.SUBPROTOCOL);
  });
});

describe('a recording', () => {
  const messages: Told[] = [
    { kind: 'hello', version: 1, process: 'hub/a', role: 'hub', name: 'old', at: 5, may: ['drain'] },
    { kind: 'process', process: 'hub/a', role: 'hub', name: 'old', at: 5, state: 'here' },
    { kind: 'fleet', at: 6, whole: true, nodes: [], gone: [] },
  ];

  it('is shown whole to each viewer, and nobody can act on it', async () => {
    const inspector = await startInspector({ of: { kind: 'recording', messages } });
    for (const viewer of [await look(inspector.viewers), await look(inspector.viewers)]) {
      await eventually('all of it', () => viewer.told.length === 3);
      expect(viewer.told).toEqual([{ ...messages[0], may: [] }, ...messages.slice(1)]);
    }
    expect(inspector.appUrl).toBeUndefined();
  });
});

describe('a hub', () => {
  it('is shown as if it were looked at directly, with its token; and what ends there ends here', async () => {
    const hub = await startHub({ token: 'sesame', inspect: { operatorToken: 'op' } });
    await startNode(hub.url, 'n1', { token: 'sesame' });
    const url = `${hub.url}/inspect`;
    const inspector = await startInspector({
      of: { kind: 'server', url, dialer: hubDialer, token: 'sesame' },
    });
    const viewer = await look(inspector.viewers, { open: { kind: 'open', operatorToken: 'op' } });
    expect(viewer.hello).toMatchObject({ role: 'hub', may: ['drain', 'undrain', 'disconnect'] });
    await eventually('its session', () =>
      [...viewer.truth.processes.values()].some(({ actors }) => actors.size > 0),
    );
    expect(await viewer.ask('drain', 'n1')).toMatchObject({ ok: true });
    await eventually('it drains', () => viewer.steps.some(({ event }) => event.type === 'drain.requested'));
    await hub.stop();
    expect((await viewer.closed).code).toBeGreaterThan(4_000);
  });

  it('refuses a wrong token through the inspector, with the same code', async () => {
    const hub = await startHub({ token: 'sesame' });
    const url = `${hub.url}/inspect`;
    const inspector = await startInspector({
      of: { kind: 'server', url, dialer: hubDialer, token: 'wrong' },
    });
    const viewer = new Looking(inspector.viewers);
    viewer.socket.on('open', () => viewer.say({ kind: 'open' }));
    expect((await viewer.closed).code).toBe(CloseCode.UNAUTHORIZED);
    const impatient = new Looking(inspector.viewers);
    impatient.socket.on('open', () => impatient.say({ kind: 'ask', id: 1, operation: 'drain' }));
    expect((await impatient.closed).code).toBe(CloseCode.MALFORMED);
  });

  it('that is gone closes its viewers so that they come again', async () => {
    const of = {
      kind: 'server',
      url: 'ws://127.0.0.1:1/inspect',
      dialer: hubDialer,
      token: undefined,
    } as const;
    const viewer = new Looking((await startInspector({ of })).viewers);
    viewer.socket.on('open', () => viewer.say({ kind: 'open' }));
    expect((await viewer.closed).code).toBe(CloseCode.UNAVAILABLE);
  });
});

describe('Stately’s inspector', () => {
  /** Passes on what each says to all others, as the package's own server does, which cannot listen on any free port. */
  async function startStately() {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.close());
    server.on('connection', (one) =>
      one.on('message', (data) => {
        for (const other of server.clients) if (other !== one) other.send(data.toString());
      }),
    );
    await once(server, 'listening');
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const seen: { type: string; sessionId: string; definition?: string }[] = [];
    createWebSocketReceiver({ server: url }).subscribe(
      (event) => void seen.push(event as (typeof seen)[number]),
    );
    await once(server, 'connection');
    return { url, seen };
  }
  const dialer = createWsDialer({ texts: { subprotocol: undefined } });

  it('is told of a hub’s actors, those that are there and each step they take', async () => {
    const stately = await startStately();
    const hub = await startHub();
    await startNode(hub.url, 'n1');
    const of = { kind: 'server', url: `${hub.url}/inspect`, dialer: hubDialer, token: undefined } as const;
    await startInspector({ of, stately: { url: stately.url, dialer } });
    await eventually('the session is registered', () =>
      stately.seen.some(({ type }) => type === '@xstate.actor'),
    );
    const actor = stately.seen.find(({ sessionId }) => sessionId.includes('session/node/n1'));
    expect(createMachine(JSON.parse(actor!.definition!) as never).id).toBe('session');
    hub.drain('n1');
    await eventually('the step', () => stately.seen.some(({ type }) => type === '@xstate.snapshot'));
  });

  it('is told of apps and recordings from their beginning, and nothing is dialled unless that is asked for', async () => {
    const stately = await startStately();
    const inspector = await startInspector({ stately: { url: stately.url, dialer } });
    const { actor } = startApp(inspector.appUrl!);
    actor.send({ type: 'press' });
    await eventually(
      'its story',
      () => stately.seen.filter(({ type }) => type === '@xstate.snapshot').length === 2,
    );
    expect(stately.seen.map(({ type }) => type.slice(8))).toEqual([
      'actor',
      'event',
      'snapshot',
      'event',
      'snapshot',
    ]);
    const dialled: string[] = [];
    const listener = createWsListener();
    const shy = { dial: (url: string) => void dialled.push(url) } as never;
    await startInspector({ listener, of: { kind: 'server', url: 'ws://x', dialer: shy, token: undefined } });
    expect(dialled).toEqual([]);
  });
});
