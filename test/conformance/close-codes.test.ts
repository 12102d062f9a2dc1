// PROTOCOL.md, close codes: one scenario a row of its table, seen on a real socket.
// Some limits are smaller here, so that their codes are cheap to see.
import { readFileSync } from 'node:fs';

import { expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';

import { Router } from '../../src/calls/router.ts';
import { CloseCode, FrameType, isTerminal } from '../../src/protocol/frames.ts';
import { FakeHub, startNode } from './fake-hub.ts';
import { dial, join, listeningLog, registration, startHub } from './fleet.ts';
import { frame, RawPeer, type Closed } from './raw.ts';

vi.mock(import('../../src/protocol/limits.ts'), async (original) => {
  const real = await original();
  return { ...real, limits: { ...real.limits, maxOutboxBytes: 2_000_000 as 67_108_864 } };
});

/** A client that sends this, and how the hub ends it. */
async function closedBy(...frames: readonly Uint8Array[]): Promise<Closed> {
  const { peer } = await join(await startHub(), 'client');
  peer.send(...frames);
  return peer.closed;
}

const scenarios: Readonly<Record<number, () => Promise<Closed>>> = {
  [CloseCode.NORMAL]: async () => {
    const hub = await FakeHub.start();
    const { it: node } = startNode(hub);
    const peer = await hub.welcome();
    void node.stop();
    return peer.closed;
  },
  [CloseCode.LOST]: async () => {
    const hub = await startHub({ connectionTimeoutMs: 50 });
    const peer = await dial(hub);
    peer.json(FrameType.REGISTER, registration('node'));
    await peer.take(FrameType.SYNC);
    return peer.closed;
  },
  [CloseCode.TOO_BIG]: () => closedBy(new Uint8Array(1_048_577)),
  [CloseCode.INTERNAL]: async () => {
    vi.spyOn(Router.prototype, 'clientFrame').mockImplementationOnce(() => {
      throw new TypeError('a defect');
    });
    return closedBy(frame(FrameType.CANCEL));
  },
  [CloseCode.MALFORMED]: () => closedBy(new Uint8Array(3)),
  [CloseCode.UNAUTHORIZED]: async () => {
    const peer = await dial(await startHub({ token: 'secret' }));
    peer.json(FrameType.REGISTER, registration('node', { token: 'guess' }));
    return peer.closed;
  },
  [CloseCode.OUT_OF_ORDER]: () => closedBy(frame(FrameType.CALL, new Uint8Array(8), { id: 1 })),
  [CloseCode.UNEXPECTED_TYPE]: () => closedBy(frame(0x7f)),
  [CloseCode.LIMIT_EXCEEDED]: () => closedBy(frame(FrameType.PING, '', { length: 0xffff_ffff })),
  [CloseCode.REGISTRATION_TIMEOUT]: async () =>
    (await dial(await startHub({ connectionTimeoutMs: 50 }))).closed,
  [CloseCode.REPLACED]: async () => {
    const hub = await startHub();
    const { peer } = await join(hub, 'node', { id: 'n1' });
    await join(hub, 'node', { id: 'n1' });
    return peer.closed;
  },
  [CloseCode.SUBPROTOCOL]: async () => new RawPeer(new WebSocket((await startHub()).url)).closed,
  [CloseCode.UNAVAILABLE]: async () => {
    const hub = await startHub();
    const { peer } = await join(hub, 'node');
    await hub.stop();
    return peer.closed;
  },
  // Nobody would read it from us; from another hub we take it.
  [CloseCode.SILENT]: async () => {
    const hub = await FakeHub.start();
    startNode(hub);
    const peer = await hub.welcome();
    peer.ws.close(CloseCode.SILENT, 'silent');
    await hub.welcome();
    return peer.closed;
  },
  [CloseCode.SLOW_READER]: async () => {
    const { log, complaints } = listeningLog();
    const hub = await startHub({ log });
    const functions = Array.from({ length: 900 }, (_, at) => `${at}`.padStart(250, 'f'));
    const { peer } = await join(hub, 'node', { functions });
    peer.ws.pause();
    peer.send(...Array.from({ length: 100 }, () => frame(FrameType.ASK, { ask: 'nodes' })));
    // The hub has answered what it could; what is left waits for a peer that does not read, until it is too much.
    await expect.poll(() => complaints.length, { timeout: 10_000 }).toBeGreaterThan(0);
    peer.ws.resume();
    return peer.closed;
  },
  [CloseCode.OBSOLETE]: async () => {
    const hub = await startHub();
    const { message } = await join(hub, 'node', { epoch: 2 });
    const peer = await dial(hub);
    peer.json(FrameType.REGISTER, { ...message, epoch: 1 });
    return peer.closed;
  },
};

const document = readFileSync(new URL('../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');
const rows = [...document.matchAll(/^\| (\d{4}) \| ([A-Z_]+) \| [^|]+ \| ([^|]+) \|$/gm)].map(
  ([, code, name, what]) => ({
    code: Number(code),
    name: name!,
    what: what!,
  }),
);

it('Every close code of the table has its scenario here, and the other way round', () => {
  expect(rows.map(({ code }) => code).sort((a, b) => a - b)).toEqual(Object.keys(scenarios).map(Number));
});

it.each(rows)('$code $name is what its sender is closed with', async ({ code }) => {
  expect(await scenarios[code]!()).toMatchObject({ code });
});

it.each(rows)('$code $name is final for a peer exactly where the table says so', ({ code, what }) => {
  expect(isTerminal(code)).toBe(/\bFinal\./.test(what));
});
