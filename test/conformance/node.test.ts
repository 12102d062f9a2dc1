// PROTOCOL.md as a node keeps it, towards a hub that is not ours.
import { describe, expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { digestOf } from '../../src/protocol/digest.ts';
import { limits, SUBPROTOCOL } from '../../src/protocol/limits.ts';
import { FakeHub, fn, registered, startNode, welcome } from './fake-hub.ts';
import { concat, frame, jsonOf, u32s } from './raw.ts';
import { introduce, call, ack, connected, read } from './node-lines.ts';

describe('The handshake:', () => {
  it('A node offers holdfast.v1 and registers as the first thing it says', async () => {
    const hub = await FakeHub.start();
    startNode(hub, { labels: { gpu: 'true' }, token: 't', maxConcurrent: 7, encoding: 'msgpack' });
    const peer = await hub.accept();
    expect(peer.ws.protocol).toBe(SUBPROTOCOL);
    const first = await peer.take(FrameType.REGISTER);
    expect(jsonOf(first)).toMatchObject({
      role: 'node',
      id: 'n1',
      epoch: 1,
      registrationEpoch: 1,
      token: 't',
      functions: Object.keys(fn),
      labels: { gpu: 'true' },
      maxConcurrent: 7,
      encodings: ['msgpack'],
      heartbeatIntervalMs: 5_000,
      heartbeatTimeoutMs: 15_000,
    });
    expect(peer.messages).toHaveLength(1);
  });

  it.each([
    ['no subprotocol', false],
    ['another subprotocol', 'holdfast.v2'],
  ] as const)('A hub that chooses %s is left for good with 4426', async (_, chosen) => {
    const hub = await FakeHub.start(chosen);
    const { ended } = startNode(hub);
    await expect.poll(() => ended.map(({ code }) => code)).toEqual(['registration_refused']);
    expect(hub.peers.length).toBeLessThanOrEqual(1);
  });

  it('A hub that never answers REGISTER is left after connectionTimeoutMs, and dialled again', async () => {
    const hub = await FakeHub.start();
    startNode(hub, { connectionTimeoutMs: 50 });
    const first = await hub.accept();
    expect((await first.closed).code).toBe(CloseCode.LOST);
    expect(jsonOf(await (await hub.accept()).take(FrameType.REGISTER))).toMatchObject({
      epoch: 2,
      registrationEpoch: 2,
    });
  });

  it('REGISTERED and REFUSED of other epochs are late, and ignored', async () => {
    const hub = await FakeHub.start();
    const { it: node } = startNode(hub);
    const peer = await hub.accept();
    await peer.take(FrameType.REGISTER);
    peer.send(
      registered({ epoch: 1, registrationEpoch: 7 }),
      registered({ epoch: 2, registrationEpoch: 1 }),
      frame(FrameType.REFUSED, {
        epoch: 1,
        registrationEpoch: 9,
        terminal: true,
        retryAfterMs: 0,
        reason: 'late',
      }),
      registered({ epoch: 1, registrationEpoch: 1 }),
      frame(FrameType.SYNC, '', { id: 1 }),
    );
    await peer.take(FrameType.SYNCED);
    expect(node.status().state).toBe('connected');
  });

  it('A refusal for good ends the node, another one has it come back no sooner than retryAfterMs', async () => {
    const hub = await FakeHub.start();
    const { ended } = startNode(hub);
    const refuse = async (terminal: boolean, retryAfterMs: number): Promise<void> => {
      const peer = await hub.accept();
      const { epoch, registrationEpoch } = jsonOf(await peer.take(FrameType.REGISTER));
      peer.json(FrameType.REFUSED, { epoch, registrationEpoch, terminal, retryAfterMs, reason: 'full' });
    };
    await refuse(false, 250);
    const at = performance.now();
    await hub.peers[0]!.closed;
    await refuse(true, 0);
    expect(performance.now() - at).toBeGreaterThan(240);
    await expect.poll(() => ended.map(({ code }) => code)).toEqual(['registration_refused']);
    expect(hub.peers).toHaveLength(2);
  });

  it('SYNC is handed to the application, and acknowledged when it has taken it', async () => {
    const taken = Promise.withResolvers<void>();
    const values: unknown[] = [];
    const hub = await FakeHub.start();
    startNode(hub, {
      onSync: (value) => {
        values.push(value);
        return taken.promise;
      },
    });
    const peer = await hub.accept();
    await peer.take(FrameType.REGISTER);
    peer.send(
      registered({ epoch: 1, registrationEpoch: 1 }),
      frame(FrameType.SYNC, '{"round":17}', { id: 1 }),
    );
    await read(peer);
    expect(values).toEqual([{ round: 17 }]);
    expect(peer.seen(FrameType.SYNCED)).toEqual([]);
    taken.resolve();
    expect(jsonOf(await peer.take(FrameType.SYNCED))).toEqual({ epoch: 1, registrationEpoch: 1 });
  });

  it.each([
    ['a value that cannot be decoded', '{'],
    ['a value that the application refuses', '"no"'],
  ])('SYNC with %s is not acknowledged, and the link stays', async (_, value) => {
    const hub = await FakeHub.start();
    startNode(hub, {
      onSync: (what) => {
        if (what === 'no') throw new Error('not for me');
      },
    });
    const peer = await hub.accept();
    await peer.take(FrameType.REGISTER);
    peer.send(registered({ epoch: 1, registrationEpoch: 1 }), frame(FrameType.SYNC, value, { id: 1 }));
    await read(peer);
    expect(peer.seen(FrameType.SYNCED)).toEqual([]);
  });

  it('UNKNOWN has the node register again on the same socket, under the next registrationEpoch', async () => {
    const { peer } = await connected();
    peer.send(frame(FrameType.UNKNOWN, '', { id: 1 }));
    expect(await welcome(peer)).toEqual({ epoch: 1, registrationEpoch: 2 });
    peer.send(frame(FrameType.UNKNOWN, '', { id: 0 }));
    expect(await welcome(peer)).toEqual({ epoch: 1, registrationEpoch: 3 });
  });

  it('UNKNOWN of an older registration is ignored', async () => {
    const { peer } = await connected();
    peer.send(frame(FrameType.UNKNOWN, '', { id: 1 }));
    await welcome(peer);
    peer.send(frame(FrameType.UNKNOWN, '', { id: 1 }));
    await read(peer);
    expect(peer.seen(FrameType.REGISTER)).toEqual([]);
  });
});

describe('Liveness:', () => {
  it('A node that hears nothing for heartbeatIntervalMs sends PING, and ends the link after heartbeatTimeoutMs', async () => {
    const hub = await FakeHub.start();
    const { it: node } = startNode(hub, { heartbeatIntervalMs: 30, heartbeatTimeoutMs: 120 });
    const peer = await hub.accept();
    const { registrationEpoch } = await welcome(peer);
    expect((await peer.take(FrameType.PING)).id).toBe(registrationEpoch);
    expect((await peer.closed).code).toBe(CloseCode.LOST);
    await expect.poll(() => node.status().reason).toMatch(/^heartbeat timeout/);
    await hub.welcome();
  });

  it('Any frame from the hub proves life, what the node writes does not', async () => {
    const hub = await FakeHub.start();
    const { it: node } = startNode(hub, { heartbeatIntervalMs: 20, heartbeatTimeoutMs: 100 });
    const peer = await hub.welcome();
    for (let count = 0; count < 10; count += 1) {
      await peer.take(FrameType.PING);
      peer.send(introduce());
    }
    expect(node.status()).toMatchObject({ state: 'connected', reconnects: 0 });
  });

  it('A node sends CHECK every healthCheckIntervalMs, and registers again when the hub disagrees', async () => {
    const hub = await FakeHub.start();
    startNode(hub, { healthCheckIntervalMs: 20 });
    const peer = await hub.welcome();
    const check = await peer.take(FrameType.CHECK);
    expect(check.id).toBe(1);
    expect(jsonOf(check)).toEqual({ functions: 5, digest: digestOf(Object.keys(fn)) });
    peer.json(FrameType.CHECKED, { ok: true, lagMs: 1 }, { id: 1 });
    await peer.take(FrameType.CHECK);
    peer.json(FrameType.CHECKED, { ok: false, lagMs: 1 }, { id: 1 });
    expect(await welcome(peer)).toEqual({ epoch: 1, registrationEpoch: 2 });
  });

  it('CHECKED of another registration is ignored', async () => {
    const hub = await FakeHub.start();
    startNode(hub, { healthCheckIntervalMs: 20 });
    const peer = await hub.welcome();
    await peer.take(FrameType.CHECK);
    peer.json(FrameType.CHECKED, { ok: false, lagMs: 1 }, { id: 8 });
    await read(peer);
    expect(peer.seen(FrameType.REGISTER)).toEqual([]);
  });

  it('A node that stops says DEPARTING, ends what runs, and closes with 1000', async () => {
    const { node, peer } = await connected({ drainTimeoutMs: 5_000 });
    peer.send(introduce(), call(1, '[]', fn.never));
    await read(peer);
    const stopped = node.it.stop();
    expect(jsonOf(await peer.take(FrameType.DEPARTING))).toEqual({ epoch: 1, registrationEpoch: 1 });
    peer.send(frame(FrameType.CANCEL, '', { peer: 9, id: 1 }));
    await peer.take(FrameType.FAILURE);
    peer.send(ack(1));
    expect(await peer.closed).toMatchObject({ code: CloseCode.NORMAL });
    await stopped;
  });

  it('DRAINING has the node come back no sooner than retryAfterMs after its socket closed', async () => {
    const { hub, node, peer } = await connected();
    peer.json(FrameType.DRAINING, { retryAfterMs: 250 });
    await read(peer);
    expect(node.it.status().state).toBe('connected');
    const at = performance.now();
    peer.ws.close(CloseCode.UNAVAILABLE);
    await hub.welcome();
    expect(performance.now() - at).toBeGreaterThan(240);
  });

  it('REPLACED ends the node for good', async () => {
    const { hub, node, peer } = await connected();
    peer.json(FrameType.REPLACED, { reason: 'another instance of n1 took over' });
    await peer.closed;
    await expect.poll(() => node.ended.map(({ code }) => code)).toEqual(['replaced']);
    expect(hub.peers).toHaveLength(1);
  });
});

describe('Close codes:', () => {
  it.each([CloseCode.UNAUTHORIZED, CloseCode.REPLACED, CloseCode.SUBPROTOCOL])(
    '%i is final',
    async (code) => {
      const { hub, node, peer } = await connected();
      peer.ws.close(code, 'no');
      await expect.poll(() => node.ended).toHaveLength(1);
      expect(node.it.status().state).toBe('rejected');
      expect(hub.peers).toHaveLength(1);
    },
  );

  it.each([
    CloseCode.NORMAL,
    CloseCode.TOO_BIG,
    CloseCode.INTERNAL,
    CloseCode.MALFORMED,
    CloseCode.OUT_OF_ORDER,
    CloseCode.UNEXPECTED_TYPE,
    CloseCode.LIMIT_EXCEEDED,
    CloseCode.REGISTRATION_TIMEOUT,
    CloseCode.UNAVAILABLE,
    CloseCode.SILENT,
    CloseCode.SLOW_READER,
    CloseCode.OBSOLETE,
    4999,
  ])('After %i the node comes back under the next epoch', async (code) => {
    const { hub, node, peer } = await connected();
    peer.ws.close(code, 'go');
    const again = await hub.accept();
    expect(await welcome(again)).toEqual({ epoch: 2, registrationEpoch: 2 });
    expect(node.ended).toEqual([]);
  });
});

/** What a hub may not send, and the code with which the node breaks off. */
const violations: readonly (readonly [string, Uint8Array, number])[] = [
  ['An empty message', new Uint8Array(), CloseCode.MALFORMED],
  ['A truncated header', new Uint8Array(11), CloseCode.MALFORMED],
  ['A truncated payload', frame(FrameType.PONG, '', { length: 1 }), CloseCode.MALFORMED],
  [
    'A control payload that is too long',
    frame(FrameType.PONG, new Uint8Array(limits.maxControlBytes + 1)),
    CloseCode.LIMIT_EXCEEDED,
  ],
  [
    'A value payload that is too long',
    frame(FrameType.CALL, new Uint8Array(limits.maxChunkBytes + 1)),
    CloseCode.LIMIT_EXCEEDED,
  ],
  ['A message that is too long', new Uint8Array(limits.maxMessageBytes + 1), CloseCode.TOO_BIG],
  ['A type that does not exist', frame(0x1e, ''), CloseCode.UNEXPECTED_TYPE],
  ['Type 0', frame(0, ''), CloseCode.UNEXPECTED_TYPE],
  ...(['REGISTER', 'SYNCED', 'PING', 'CHECK', 'DEPARTING', 'DEFINE'] as const).map(
    (name) => [`A ${name}`, frame(FrameType[name], '{}'), CloseCode.UNEXPECTED_TYPE] as const,
  ),
  ...(['ASSIGNED', 'ITEM', 'RESULT', 'FAILURE', 'RESUME', 'FATE', 'ASK', 'ANSWER'] as const).map(
    (name) =>
      [
        `A ${name} of a known peer`,
        concat([introduce(), frame(FrameType[name], '{}', { peer: 9 })]),
        CloseCode.UNEXPECTED_TYPE,
      ] as const,
  ),
  ...(['REGISTERED', 'REFUSED', 'CHECKED', 'DRAINING', 'REPLACED', 'PEER'] as const).flatMap((name) => [
    [`A ${name} that is no JSON`, frame(FrameType[name], '{'), CloseCode.MALFORMED] as const,
    [`A ${name} without its fields`, frame(FrameType[name], '{}'), CloseCode.MALFORMED] as const,
  ]),
  [
    'A DRAINING that would keep it away for more than five minutes',
    frame(FrameType.DRAINING, { retryAfterMs: 300_001 }),
    CloseCode.MALFORMED,
  ],
  [
    'A PEER with a control character',
    frame(FrameType.PEER, { id: 'a\u0001', instance: 'i' }, { peer: 9 }),
    CloseCode.MALFORMED,
  ],
  ...(['CALL', 'CHUNK', 'CREDIT', 'CANCEL', 'ACK', 'QUERY'] as const).map(
    (name) =>
      [
        `A ${name} of a peer that no PEER explained`,
        frame(FrameType[name], new Uint8Array(12), { peer: 3 }),
        CloseCode.OUT_OF_ORDER,
      ] as const,
  ),
  [
    'A CALL of 7 bytes',
    concat([introduce(), frame(FrameType.CALL, new Uint8Array(7), { peer: 9, id: 1 })]),
    CloseCode.MALFORMED,
  ],
  [
    'A CALL of a function that it did not register',
    concat([introduce(), call(1, '[]', 5)]),
    CloseCode.MALFORMED,
  ],
  [
    'A CREDIT of 3 bytes',
    concat([introduce(), frame(FrameType.CREDIT, new Uint8Array(3), { peer: 9, id: 1 })]),
    CloseCode.MALFORMED,
  ],
  [
    'A CREDIT of nothing',
    concat([introduce(), frame(FrameType.CREDIT, u32s(0), { peer: 9, id: 1 })]),
    CloseCode.MALFORMED,
  ],
  [
    'An ACK of 5 bytes',
    concat([introduce(), frame(FrameType.ACK, new Uint8Array(5), { peer: 9 })]),
    CloseCode.MALFORMED,
  ],
  [
    'A QUERY of 11 bytes',
    concat([introduce(), frame(FrameType.QUERY, new Uint8Array(11), { peer: 9 })]),
    CloseCode.MALFORMED,
  ],
  ['A QUERY of nothing', concat([introduce(), frame(FrameType.QUERY, '', { peer: 9 })]), CloseCode.MALFORMED],
];

describe('From a hub,', () => {
  it.each(violations)(
    '%s is broken off with its code, and the node comes back with backoff',
    async (_, message, code) => {
      const { hub, node, peer } = await connected();
      peer.ws.send(message);
      expect((await peer.closed).code).toBe(code);
      await hub.welcome();
      expect(node.it.status().attempt).toBe(1);
      expect(node.ended).toEqual([]);
    },
  );

  it('a text message is broken off with 4400', async () => {
    const { hub, peer } = await connected();
    peer.ws.send('hello');
    expect((await peer.closed).code).toBe(CloseCode.MALFORMED);
    await hub.welcome();
  });

  it('frames before the faulty one count, frames behind it do not', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '["one"]'), frame(0x20, ''), call(2, '["two"]'));
    await peer.closed;
    expect(node.it.status().totalExecuted).toBe(1);
  });

  it('calls before REGISTERED, and after UNKNOWN, are not executed', async () => {
    const hub = await FakeHub.start();
    const { it: node } = startNode(hub);
    const peer = await hub.accept();
    await peer.take(FrameType.REGISTER);
    peer.send(introduce(), call(1, '[]'));
    peer.send(registered({ epoch: 1, registrationEpoch: 1 }), frame(FrameType.SYNC, '', { id: 1 }));
    await peer.take(FrameType.SYNCED);
    peer.send(frame(FrameType.UNKNOWN, '', { id: 1 }), introduce(), call(2, '[]'));
    await welcome(peer);
    await read(peer);
    expect(node.status().totalExecuted).toBe(0);
  });
});

it('A hub that breaks the protocol again and again is given up after maxRetryAttempts', async () => {
  const hub = await FakeHub.start();
  const node = startNode(hub, { maxRetryAttempts: 2 });
  for (let count = 0; count < 3; count += 1) {
    const peer = await hub.accept();
    await peer.take(FrameType.REGISTER);
    peer.send(frame(0x55));
    expect((await peer.closed).code).toBe(CloseCode.UNEXPECTED_TYPE);
  }
  await expect.poll(() => node.ended.map(({ code }) => code)).toEqual(['not_connected']);
  expect(node.it.status().state).toBe('failed');
  expect(hub.peers).toHaveLength(3);
});
