// PROTOCOL.md as a client keeps it, towards a hub that is not ours.
import { describe, expect, it } from 'vitest';

import { CloseCode, Fate, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { FakeHub, registered, startClient, welcome } from './fake-hub.ts';
import { concat, frame, jsonOf, u32s } from './raw.ts';
import { introduce, assigned, result, fate, connected, read, codeOf } from './client-lines.ts';

describe('Resume:', () => {
  it('A first link has nothing to ask about: no RESUME', async () => {
    const { client, peer } = await connected();
    void codeOf(client.it.call('add'));
    await peer.take(FrameType.CALL);
    expect(peer.seen(FrameType.RESUME)).toEqual([]);
  });

  it('A client that comes back names its attempts by node, and those without one, before any new CALL', async () => {
    const { hub, client, peer } = await connected();
    const stream = client.it.stream('items', [], { idempotent: true });
    void codeOf(client.it.call('add', [2]));
    const third = client.it.call('add', [3]);
    await peer.take(FrameType.CALL, ({ id }) => id === 3);
    peer.send(introduce(), assigned(1), assigned(2), frame(FrameType.ITEM, '"a"', { peer: 12, id: 1 }));
    await stream.next();
    peer.vanish();
    const again = await hub.accept();
    await welcome(again);
    const asked = await again.take(FrameType.RESUME);
    expect(asked).toMatchObject({ peer: 0, flags: 0 });
    const at = { windowBytes: limits.creditWindowBytes, presumed: false };
    expect(jsonOf(asked)).toEqual({
      nodes: [
        {
          id: 'n12',
          instance: 'ni12',
          calls: [
            { ...at, attempt: 1, received: 1, idempotent: true },
            { ...at, attempt: 2, received: 0, idempotent: false },
          ],
        },
      ],
      unassigned: [3],
    });
    again.send(fate(3, Fate.UNSTARTED, 0));
    expect(await again.take(FrameType.CALL)).toMatchObject({ id: 4 });
    // The dictionary begins anew.
    expect(again.messages.flat().find(({ type }) => type === FrameType.DEFINE)).toMatchObject({ id: 0 });
    again.send(introduce(30), result(4, '"third"', 0, 30));
    expect(await third).toBe('third');
  });

  it('RESUME from the hub is answered by the calls at that node, under its number', async () => {
    const { client, peer } = await connected();
    void codeOf(client.it.call('add', [1]));
    void codeOf(client.it.call('add', [2]));
    await peer.take(FrameType.CALL, ({ id }) => id === 2);
    peer.send(
      introduce(12),
      introduce(13),
      assigned(1, 12),
      assigned(2, 13),
      frame(FrameType.RESUME, '', { peer: 13 }),
    );
    const asked = await peer.take(FrameType.RESUME);
    expect(asked.peer).toBe(13);
    expect(jsonOf(asked)).toMatchObject({ nodes: [{ id: 'n13', calls: [{ attempt: 2 }] }], unassigned: [] });
  });

  it('FATE vanished has an idempotent call sent again, and loses another one', async () => {
    const { client, peer } = await connected();
    const lost = codeOf(client.it.call('add', [1]));
    const again = client.it.call('add', [2], { idempotent: true });
    await peer.take(FrameType.CALL, ({ id }) => id === 2);
    peer.send(introduce(), assigned(1), assigned(2), fate(1, Fate.VANISHED), fate(2, Fate.VANISHED));
    expect(await lost).toBe('lost');
    await peer.take(FrameType.CALL, ({ id }) => id === 3);
    peer.send(result(3, '"again"'));
    expect(await again).toBe('again');
  });

  it('FATE running and done change nothing but the node', async () => {
    const { client, peer } = await connected();
    const call = client.it.call('add', [1]);
    await peer.take(FrameType.CALL);
    peer.send(introduce(), fate(1, Fate.RUNNING), fate(1, Fate.DONE));
    await read(peer);
    expect(client.it.status().inFlight).toBe(1);
    peer.send(result(1, '"done"'));
    expect(await call).toBe('done');
  });
});

describe('Questions:', () => {
  it('ASK is numbered, asked again on the next link, and settled by the ANSWER with its number', async () => {
    const { hub, client, peer } = await connected();
    const status = client.it.hubStatus();
    const { id } = await peer.take(FrameType.ASK);
    peer.json(FrameType.ANSWER, { ok: true, status: { not: 'mine' } }, { id: id + 100 });
    peer.vanish();
    const again = await hub.welcome();
    expect(await again.take(FrameType.ASK)).toMatchObject({ id });
    again.json(FrameType.ANSWER, { ok: true, status: { nodes: 3 } }, { id });
    expect(await status).toEqual({ nodes: 3 });
  });

  it('Nodes are asked for page by page', async () => {
    const { client, peer } = await connected();
    const nodes = client.it.nodes();
    for (const [from, count] of [
      [0, 2],
      [2, 1],
    ] as const) {
      const asked = await peer.take(FrameType.ASK);
      expect(jsonOf(asked)).toEqual({ ask: 'nodes', from });
      const page = Array.from({ length: count }, (_, at) => ({ id: `n${from + at}`, state: 'online' }));
      peer.json(FrameType.ANSWER, { ok: true, nodes: page, total: 3 }, { id: asked.id });
    }
    expect((await nodes).map(({ id }) => id)).toEqual(['n0', 'n1', 'n2']);
  });

  it.each([
    { ok: true },
    { ok: false },
    { ok: true, status: {} },
    { ok: true, nodes: [] },
    { ok: true, total: 1 },
  ])('An answer %j to another question than ours rejects it, and the link stays', async (answer) => {
    const { client, peer } = await connected();
    const nodes = codeOf(client.it.nodes());
    const asked = await peer.take(FrameType.ASK);
    peer.json(FrameType.ANSWER, answer, { id: asked.id });
    expect(await nodes).toBe('protocol_violation');
    await read(peer);
  });

  it('A question to a hub that cannot be reached any more is rejected', async () => {
    const { client, peer } = await connected();
    const asked = codeOf(client.it.hubStatus());
    await peer.take(FrameType.ASK);
    peer.ws.close(CloseCode.REPLACED, 'another instance of c1 took over');
    expect(await asked).toBe('replaced');
    expect(await codeOf(client.it.nodes())).toBe('replaced');
  });

  it('More than maxQuestions at once are refused on the spot', async () => {
    const { client, peer } = await connected();
    const asked = Array.from({ length: limits.maxQuestions + 1 }, () => codeOf(client.it.hubStatus()));
    expect(await asked.at(-1)).toBe('queue_full');
    await peer.take(FrameType.ASK, ({ id }) => id === limits.maxQuestions);
  });
});

const violations: readonly (readonly [string, Uint8Array, number])[] = [
  ['A truncated frame', new Uint8Array(3), CloseCode.MALFORMED],
  ['A type that does not exist', frame(0x2f, ''), CloseCode.UNEXPECTED_TYPE],
  ...(
    [
      'REGISTER',
      'SYNCED',
      'PING',
      'CHECK',
      'DEPARTING',
      'DEFINE',
      'CALL',
      'CANCEL',
      'ACK',
      'QUERY',
      'ASK',
    ] as const
  ).map(
    (name) =>
      [
        `A ${name}`,
        concat([introduce(), frame(FrameType[name], '{}', { peer: 12 })]),
        CloseCode.UNEXPECTED_TYPE,
      ] as const,
  ),
  ['A CREDIT of 3 bytes', frame(FrameType.CREDIT, new Uint8Array(3), { id: 1 }), CloseCode.MALFORMED],
  ['A CREDIT of nothing', frame(FrameType.CREDIT, u32s(0), { id: 77 }), CloseCode.MALFORMED],
  ['A FATE of 4 bytes', frame(FrameType.FATE, new Uint8Array(4), { peer: 12 }), CloseCode.MALFORMED],
  [
    'A FATE that does not exist',
    frame(FrameType.FATE, Uint8Array.of(1, 0, 0, 0, 9), { peer: 12 }),
    CloseCode.MALFORMED,
  ],
  ['An ANSWER that is no JSON', frame(FrameType.ANSWER, '{', { id: 1 }), CloseCode.MALFORMED],
  [
    'An ANSWER whose nodes are no list',
    frame(FrameType.ANSWER, { ok: true, nodes: 'none', total: 1 }, { id: 1 }),
    CloseCode.MALFORMED,
  ],
  [
    'An ANSWER whose nodes are none',
    frame(FrameType.ANSWER, { ok: true, nodes: [null], total: 1 }, { id: 1 }),
    CloseCode.MALFORMED,
  ],
  [
    'An ANSWER with a negative total',
    frame(FrameType.ANSWER, { ok: true, nodes: [], total: -1 }, { id: 1 }),
    CloseCode.MALFORMED,
  ],
  ['An ANSWER without ok', frame(FrameType.ANSWER, '{}', { id: 1 }), CloseCode.MALFORMED],
  ['A PEER without an instance', frame(FrameType.PEER, { id: 'n1' }, { peer: 12 }), CloseCode.MALFORMED],
  [
    'A PEER with a poisoned key',
    frame(FrameType.PEER, '{"id":"n","instance":"i","__proto__":{"a":1}}', { peer: 12 }),
    CloseCode.MALFORMED,
  ],
];

it.each(violations)(
  'From a hub, %s is broken off with its code, the client comes back, and its calls are not lost',
  async (_, message, code) => {
    const { hub, client, peer } = await connected();
    const call = client.it.call('add', [1]);
    await peer.take(FrameType.CALL);
    peer.ws.send(message);
    expect((await peer.closed).code).toBe(code);
    const again = await hub.welcome();
    expect(jsonOf(await again.take(FrameType.RESUME))).toMatchObject({ unassigned: [1] });
    again.send(introduce(12), result(1, '"kept"'));
    expect(await call).toBe('kept');
    expect(client.ended).toEqual([]);
  },
);

it('Calls of a client whose link ends for good are lost, and say whether they were started', async () => {
  const { client, peer } = await connected();
  const call = client.it.call('add', [1]);
  await peer.take(FrameType.CALL);
  peer.send(introduce(), assigned(1));
  peer.json(FrameType.REPLACED, { reason: 'another instance of c1 took over' });
  await expect(call).rejects.toMatchObject({ code: 'lost', started: 'unknown' });
  expect(await codeOf(client.it.call('add', [2]))).toBe('replaced');
});

it('A client whose first hub speaks of other registrations waits for its own', async () => {
  const hub = await FakeHub.start();
  const client = startClient(hub);
  const peer = await hub.accept();
  await peer.take(FrameType.REGISTER);
  peer.send(registered({ epoch: 9, registrationEpoch: 9 }));
  void codeOf(client.it.call('add'));
  await expect.poll(() => client.it.status().state).toBe('registering');
  expect(peer.seen(FrameType.CALL)).toEqual([]);
  peer.send(registered({ epoch: 1, registrationEpoch: 1 }));
  await peer.take(FrameType.CALL);
});
