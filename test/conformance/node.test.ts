// PROTOCOL.md as a node keeps it, towards a hub that is not ours.
import { describe, expect, it } from 'vitest';

import { CALL_PREFIX_BYTES, CloseCode, Fate, Flag, FrameType } from '../../src/protocol/frames.ts';
import { digestOf } from '../../src/protocol/digest.ts';
import { limits, SUBPROTOCOL } from '../../src/protocol/limits.ts';
import { FakeHub, fn, registered, startNode, welcome } from './fake-hub.ts';
import { callPayload } from './fleet.ts';
import { concat, frame, jsonOf, textOf, u32s, type Frame, type RawPeer } from './raw.ts';

const introduce = (number = 9, more: object = {}): Uint8Array =>
  frame(FrameType.PEER, { id: `c${number}`, instance: `ci${number}`, ...more }, { peer: number });

const call = (
  id: number,
  args: string | Uint8Array,
  number: number = fn.echo,
  flags = 0,
  peer = 9,
): Uint8Array => frame(FrameType.CALL, callPayload(args, { fn: number }), { id, peer, flags });

const ack = (...ids: number[]): Uint8Array => frame(FrameType.ACK, u32s(...ids), { peer: 9 });

function fatesOf({ payload }: Frame): [number, number][] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: payload.length / 5 }, (_, at) => [
    view.getUint32(at * 5, true),
    view.getUint8(at * 5 + 4),
  ]);
}

const query = (...entries: readonly (readonly [number, number?, number?])[]): Uint8Array =>
  frame(
    FrameType.QUERY,
    concat(
      entries.map(([id, received = 0, window = limits.creditWindowBytes]) => u32s(id, received, window)),
    ),
    { peer: 9 },
  );

/** A connected node, and the socket that its hub has. */
async function connected(options: Parameters<typeof startNode>[1] = {}) {
  const hub = await FakeHub.start();
  const node = startNode(hub, options);
  const peer = await hub.welcome();
  return { hub, node, peer };
}

/** Resolves when the node has read all that was sent: it answers a query of nothing known. */
async function read(peer: RawPeer): Promise<void> {
  peer.send(introduce(8), frame(FrameType.QUERY, u32s(4_000_000, 0, 1), { peer: 8 }));
  await peer.take(FrameType.FATE, (it) => it.peer === 8);
}

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
    peer.send(introduce(), call(1, '["one"]'), frame(0x1f, ''), call(2, '["two"]'));
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

describe('Calls:', () => {
  it('A call is answered by RESULT under the number of its client', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(5, '[1,"ä"]'));
    const result = await peer.take(FrameType.RESULT);
    expect(result).toMatchObject({ peer: 9, id: 5, flags: 0 });
    expect(jsonOf(result)).toEqual([1, 'ä']);
  });

  it('A function that throws is answered by FAILURE with its name and message', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(5, '[]', fn.fail));
    const failure = await peer.take(FrameType.FAILURE);
    expect(failure).toMatchObject({ peer: 9, id: 5 });
    expect(jsonOf(failure)).toMatchObject({ code: 'failed', name: 'RangeError', message: 'no such row' });
  });

  it.each([
    ['an object without a prototype', Object.create(null) as unknown],
    [
      'an error with a name of a thousand characters',
      Object.assign(new Error('m'), { name: 'N'.repeat(1_000) }),
    ],
    ['an error whose message is no text', Object.assign(new Error('m'), { message: { a: 1 } })],
    ['a text of a MiB', 'x'.repeat(1_048_576)],
    ['an error with a message of a MiB', new Error('x'.repeat(1_048_576))],
    ['undefined', undefined],
  ])('A function that throws %s is answered by a FAILURE all the same', async (_, thrown) => {
    const { peer } = await connected({
      functions: {
        odd: () => {
          // oxlint-disable-next-line typescript/only-throw-error -- that is what the test is about
          throw thrown;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0));
    const { name, message } = jsonOf(await peer.take(FrameType.FAILURE));
    expect(String(name).length).toBeLessThanOrEqual(limits.maxNameLength);
    expect(String(message).length).toBeLessThanOrEqual(limits.maxReasonLength);
    await read(peer);
  });

  it.each([
    ['JSON that is cut off', '[1'],
    ['no list', '{"a":1}'],
    ['nothing', ''],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe])],
    ['a preamble that is cut off', new Uint8Array([1, 0, 0])],
    ['a head that is longer than the value', new Uint8Array([1, 0, 0, 0, 255, 255, 255, 255, 0])],
    ['a segment of a kind that does not exist', longForm('[null,[["Evil",0]]]')],
    ['a segment whose path leads to a prototype', longForm('[{},[["Uint8Array",0,"__proto__"]]]')],
    ['a segment that is longer than the value', longForm('[null,[["Uint8Array",999]]]')],
    ['a segment of a negative length', longForm('[null,[["Uint8Array",-1]]]')],
    ['a path of a path', longForm('[[1],[["undefined",0,0,0]]]')],
  ])('Arguments that are %s are answered by FAILURE invalid, and the link stays', async (_, args) => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, args));
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    peer.send(call(2, '["next"]'));
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 2 });
  });

  it('MessagePack that cannot be decoded is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      call(1, new Uint8Array([0xc1]), fn.echo, Flag.MSGPACK),
      call(2, new Uint8Array([0xdc, 0xff, 0xff]), fn.echo, Flag.MSGPACK),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('A route whose length lies is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CALL, callPayload('[]', { routeLength: 60_000 }), { peer: 9, id: 1 }),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('The same attempt twice is executed once', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '[]'), call(1, '[]'));
    await peer.take(FrameType.RESULT);
    peer.send(call(1, '[]'));
    await read(peer);
    expect(peer.seen(FrameType.RESULT)).toEqual([]);
    expect(node.it.status().totalExecuted).toBe(1);
  });

  it('The same attempt number of another client is another call', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(9), introduce(10), call(1, '["a"]'), call(1, '["b"]', fn.echo, 0, 10));
    expect(jsonOf(await peer.take(FrameType.RESULT, (it) => it.peer === 9))).toEqual(['a']);
    expect(jsonOf(await peer.take(FrameType.RESULT, (it) => it.peer === 10))).toEqual(['b']);
    expect(node.it.status().totalExecuted).toBe(2);
  });

  it('A call whose deadline is over is answered by FAILURE timed_out', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CALL, callPayload('[]', { fn: fn.never, deadlineMs: 30 }), { peer: 9, id: 1 }),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'timed_out' });
  });

  it('CANCEL ends a running call by FAILURE cancelled, and of an unknown one nothing', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[]', fn.never), frame(FrameType.CANCEL, '', { peer: 9, id: 77 }));
    peer.send(frame(FrameType.CANCEL, '', { peer: 9, id: 1 }));
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 1 });
    await read(peer);
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });
});

/** A JSON value with segments: its head, and nothing behind it. */
function longForm(head: string): Uint8Array {
  const text = new TextEncoder().encode(head);
  const bytes = new Uint8Array(Math.ceil((8 + text.length) / 8) * 8);
  bytes[0] = 1;
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

describe('Long arguments:', () => {
  /** The list `[bytes]` with a Uint8Array of this length, as a value. */
  function bytesValue(length: number): Uint8Array {
    const head = longForm(`[[null],[["Uint8Array",${length},0]]]`);
    return concat([head, new Uint8Array(Math.ceil(length / 8) * 8).fill(3)]);
  }

  function upload(id: number, value: Uint8Array, total = value.length): Uint8Array[] {
    const room = limits.maxChunkBytes - CALL_PREFIX_BYTES - 4;
    const frames = [call(id, concat([u32s(total), value.subarray(0, room)]), fn.size, Flag.MORE)];
    for (let at = room; at < value.length; at += limits.maxChunkBytes) {
      const isLast = at + limits.maxChunkBytes >= value.length;
      const part = value.subarray(at, at + limits.maxChunkBytes);
      frames.push(frame(FrameType.CHUNK, part, { peer: 9, id, flags: isLast ? 0 : Flag.MORE }));
    }
    return frames;
  }

  it('Chunks make a value again, and credit comes each time a quarter of the window was taken', async () => {
    const { peer } = await connected();
    peer.send(introduce());
    const frames = upload(1, bytesValue(700_000));
    for (const each of frames) peer.send(each);
    expect(textOf((await peer.take(FrameType.RESULT)).payload)).toBe('700000');
    const credits = peer
      .seen(FrameType.CREDIT)
      .map(({ payload }) => new DataView(payload.buffer, payload.byteOffset).getUint32(0, true));
    expect(credits).toHaveLength(2);
    for (const credit of credits) {
      expect(credit).toBeGreaterThanOrEqual(limits.creditWindowBytes / 4);
      expect(credit).toBeLessThan(limits.creditWindowBytes / 4 + limits.maxChunkBytes);
    }
  });

  it.each([
    ['bring more than was announced', 100_000],
    ['bring less than was announced', 300_000],
    ['are announced to be longer than maxValueBytes', limits.maxValueBytes + 1],
    ['are announced to be nothing', 0],
  ])('Parts that %s are answered by FAILURE invalid, and the link stays', async (_, total) => {
    const { peer } = await connected();
    peer.send(introduce());
    for (const each of upload(1, bytesValue(200_000), total)) peer.send(each);
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    peer.send(call(2, '["next"]'));
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 2 });
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });

  it('A first part without its announcement is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, 'abc', fn.size, Flag.MORE));
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('More at once than maxAssemblyBytes fails the call that exceeds it, and the others go on', async () => {
    const { peer } = await connected();
    peer.send(introduce());
    const announce = (id: number): Uint8Array =>
      call(id, concat([u32s(limits.maxValueBytes), new Uint8Array(8)]), fn.size, Flag.MORE);
    peer.send(announce(1), announce(2), announce(3));
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
    peer.send(frame(FrameType.CANCEL, '', { peer: 9, id: 1 }), announce(4));
    await read(peer);
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });

  it('A CHUNK that continues nothing is ignored', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CHUNK, 'abc', { peer: 9, id: 5 }),
      frame(FrameType.CHUNK, '', { peer: 9, id: 5, flags: Flag.MORE }),
    );
    await read(peer);
  });
});

describe('Streams and credit:', () => {
  it('A stream is ITEMs, then RESULT with STREAM', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[3]', fn.count, Flag.STREAM));
    const result = await peer.take(FrameType.RESULT);
    expect(result).toMatchObject({ flags: Flag.STREAM, id: 1 });
    expect(textOf(result.payload)).toBe('"end"');
    expect(peer.seen(FrameType.ITEM).map(({ payload }) => textOf(payload))).toEqual(['0', '1', '2']);
  });

  it('Without credit a stream stops at its window, and goes on by what CREDIT gives', async () => {
    const item = 'x'.repeat(59_998); // 60 000 bytes as JSON
    const { peer } = await connected({
      functions: {
        endless: async function* () {
          for (;;) yield item;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    const most = Math.floor(limits.creditWindowBytes / 60_000);
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBe(most);
    await read(peer);
    expect(peer.seen(FrameType.ITEM)).toHaveLength(most);
    peer.send(frame(FrameType.CREDIT, u32s(120_000), { peer: 9, id: 1 }));
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBe(most + 2);
    // More than was sent makes no larger window.
    peer.send(
      ...Array.from({ length: 5 }, () => frame(FrameType.CREDIT, u32s(0xffff_ffff), { peer: 9, id: 1 })),
    );
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBeGreaterThan(most + 2);
    await read(peer);
    expect(peer.seen(FrameType.ITEM).length).toBeLessThanOrEqual(2 * most + 4);
  });

  it('A stream of undefined is held to its window too', async () => {
    const { peer } = await connected({
      functions: {
        nothing: async function* () {
          for (;;) yield undefined;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    const count = async (): Promise<number> => {
      await read(peer);
      return peer.seen(FrameType.ITEM).length;
    };
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = await count();
          const same = now === before && now > 0;
          before = now;
          return same;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    const bytes = peer.seen(FrameType.ITEM).reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes).toBeLessThanOrEqual(limits.creditWindowBytes);
  });

  it('CREDIT of an unknown attempt is ignored', async () => {
    const { peer } = await connected();
    peer.send(introduce(), frame(FrameType.CREDIT, u32s(5), { peer: 9, id: 5 }));
    await read(peer);
  });
});

describe('Resume:', () => {
  it('QUERY is answered by FATE, and outcomes that are not acknowledged follow it', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '["one"]'), call(2, '[]', fn.never), call(3, '[]', fn.fail));
    await peer.take(FrameType.RESULT);
    await peer.take(FrameType.FAILURE);
    peer.send(query([1], [2], [3], [4]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [1, Fate.DONE],
      [2, Fate.RUNNING],
      [3, Fate.DONE],
      [4, Fate.UNSTARTED],
    ]);
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
  });

  it('ACK frees the memory of the node: the outcome is not known any more', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '["one"]'), call(2, '["two"]'));
    await peer.take(FrameType.RESULT, ({ id }) => id === 2);
    expect(node.it.status().retainedResults).toBe(2);
    peer.send(ack(1, 99));
    await read(peer);
    expect(node.it.status().retainedResults).toBe(1);
    peer.send(query([1], [2]));
    expect(fatesOf(await peer.take(FrameType.FATE, (it) => it.peer === 9))).toContainEqual([2, Fate.DONE]);
  });

  it('An ACK of nothing has the node forget the client and abort its calls', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '[]', fn.never), call(2, '["two"]'));
    await peer.take(FrameType.RESULT);
    expect(node.it.status()).toMatchObject({ activeExecutions: 1, retainedResults: 1 });
    peer.send(frame(FrameType.ACK, '', { peer: 9 }));
    await read(peer);
    expect(node.it.status()).toMatchObject({ activeExecutions: 0, retainedResults: 0 });
  });

  it('Outcomes outlive the link: on the next one a QUERY finds them, under whatever number the client has there', async () => {
    const { hub, peer } = await connected();
    peer.send(introduce(), call(1, '["kept"]'));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    again.send(
      introduce(21, { id: 'c9', instance: 'ci9' }),
      frame(FrameType.QUERY, u32s(1, 0, 100), { peer: 21 }),
    );
    const told = await again.take(FrameType.FATE);
    expect(told.peer).toBe(21);
    expect(fatesOf(told)).toEqual([[1, Fate.DONE]]);
    expect(jsonOf(await again.take(FrameType.RESULT))).toEqual(['kept']);
  });

  it('Outcomes are not sent on a new link before the hub asks', async () => {
    const { hub, peer } = await connected();
    peer.send(introduce(), call(1, '["kept"]'));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    await read(again);
    again.send(introduce());
    await read(again);
    expect(again.seen(FrameType.RESULT)).toEqual([]);
  });

  it('The oldest outcomes are evicted beyond what a node keeps, and have vanished', async () => {
    const { node, peer } = await connected({ maxRetainedResults: 2 });
    peer.send(introduce(), call(1, '[1]'), call(2, '[2]'), call(3, '[3]'));
    await peer.take(FrameType.RESULT, ({ id }) => id === 3);
    expect(node.it.status().retainedResults).toBe(2);
    peer.send(query([1], [3]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [1, Fate.VANISHED],
      [3, Fate.DONE],
    ]);
  });

  it('A stream goes on from the item that the client names, within the window that it names', async () => {
    const { hub, peer } = await connected({
      functions: {
        items: async function* () {
          for (let at = 0; at < 5; at += 1) yield `${at}`.repeat(1_000);
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    again.send(introduce(), query([1, 2, 1_500]));
    expect(fatesOf(await again.take(FrameType.FATE))).toEqual([[1, Fate.DONE]]);
    await read(again);
    expect(again.seen(FrameType.ITEM).map(({ payload }) => textOf(payload)[1])).toEqual(['2']);
    again.send(frame(FrameType.CREDIT, u32s(5_000), { peer: 9, id: 1 }));
    await again.take(FrameType.RESULT);
    expect(again.seen(FrameType.ITEM).map(({ payload }) => textOf(payload)[1])).toEqual(['2', '3', '4']);
  });

  it('QUERY of more items than the stream ever had is no harm', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[3]', fn.count, Flag.STREAM));
    await peer.take(FrameType.RESULT);
    peer.send(query([1, 0xffff_ffff, 0xffff_ffff]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([[1, Fate.DONE]]);
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
  });
});
