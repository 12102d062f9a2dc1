// PROTOCOL.md, resume: RESUME, QUERY and FATE, as the hub keeps them.
import { describe, expect, it } from 'vitest';

import { CloseCode, Fate, Flag, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import {
  call,
  define,
  dial,
  join,
  pair,
  register,
  registration,
  running,
  startHub,
  type Joined,
} from './fleet.ts';
import { frame, jsonOf, textOf, u32s, type Frame, type RawPeer } from './raw.ts';

function resumed(attempt: number, more: object = {}): object {
  return { attempt, received: 0, windowBytes: limits.creditWindowBytes, idempotent: false, ...more };
}

/** A RESUME that names `calls` at this node. */
function resume(
  { message }: Joined,
  calls: readonly object[],
  unassigned: readonly number[] = [],
): Uint8Array {
  const nodes = calls.length === 0 ? [] : [{ id: message['id'], instance: message['instance'], calls }];
  return frame(FrameType.RESUME, { nodes, unassigned });
}

function fatesOf({ payload }: Frame): [number, number][] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: payload.length / 5 }, (_, at) => [
    view.getUint32(at * 5, true),
    view.getUint8(at * 5 + 4),
  ]);
}

function fate(peer: number, ...fates: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(fates.length * 5);
  const view = new DataView(bytes.buffer);
  fates.forEach(([attempt, what], at) => {
    view.setUint32(at * 5, attempt, true);
    view.setUint8(at * 5 + 4, what);
  });
  return frame(FrameType.FATE, bytes, { peer });
}

/** The client's next link: registered again under a newer epoch, with its dictionary. */
async function comeBack(hub: { url: string }, { message }: Joined): Promise<Joined> {
  const epoch = Number(message['epoch']) + 1;
  const again = await join(hub, message['role'] as 'node' | 'client', {
    ...message,
    epoch,
    registrationEpoch: epoch,
  });
  if (message['role'] === 'client') again.peer.send(define(0, 'echo'), define(1, 'slow'));
  return again;
}

const nextFates = async (peer: RawPeer): Promise<[number, number][]> =>
  fatesOf(await peer.take(FrameType.FATE));

it('A client that comes back has its node queried, and hears the fates and the outcomes under the number of the node', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  await running(fleet, 2);
  const client = await comeBack(hub, fleet.client);
  client.peer.send(resume(fleet.node, [resumed(1, { received: 3, windowBytes: 500 }), resumed(2)]));
  const query = await fleet.node.peer.take(FrameType.QUERY);
  expect(query.peer).toBe(client.number);
  expect([...query.payload]).toEqual([...u32s(1, 3, 500, 2, 0, limits.creditWindowBytes)]);
  fleet.node.peer.send(
    fate(client.number, [1, Fate.DONE], [2, Fate.RUNNING]),
    frame(FrameType.RESULT, '"one"', { peer: client.number, id: 1 }),
  );
  const told = await client.peer.take(FrameType.FATE);
  expect(told.peer).toBe(fleet.node.number);
  expect(fatesOf(told)).toEqual([
    [1, Fate.DONE],
    [2, Fate.RUNNING],
  ]);
  expect(textOf((await client.peer.take(FrameType.RESULT)).payload)).toBe('"one"');
});

it('PEER names the node again on a new link, before the FATE that carries its number', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  const client = await comeBack(hub, fleet.client);
  client.peer.send(resume(fleet.node, [resumed(1)]));
  await fleet.node.peer.take(FrameType.QUERY);
  fleet.node.peer.send(fate(client.number, [1, Fate.RUNNING]));
  const types: number[] = [];
  await client.peer.take(FrameType.FATE);
  types.push(...client.peer.messages.flat().map(({ type }) => type));
  expect(types.indexOf(FrameType.PEER)).toBeGreaterThan(-1);
  expect(types.indexOf(FrameType.PEER)).toBeLessThan(types.indexOf(FrameType.FATE));
});

it('After a new link nothing of an attempt passes before the FATE that answers for it', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  const client = await comeBack(hub, fleet.client);
  const item = (text: string): Uint8Array => frame(FrameType.ITEM, text, { peer: client.number, id: 1 });
  fleet.node.peer.send(item('"before the question"'));
  client.peer.send(resume(fleet.node, [resumed(1)]));
  await fleet.node.peer.take(FrameType.QUERY);
  fleet.node.peer.send(item('"before the answer"'), fate(client.number, [1, Fate.RUNNING]), item('"fresh"'));
  expect(textOf((await client.peer.take(FrameType.ITEM)).payload)).toBe('"fresh"');
  expect(client.peer.seen(FrameType.FATE)).toHaveLength(1);
});

it('Each FATE answers one QUERY: the answer to an older question is not passed on', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  const about = frame(
    FrameType.RESUME,
    jsonOf({ payload: resume(fleet.node, [resumed(1)]).subarray(12) } as Frame),
    { peer: 999 },
  );
  fleet.client.peer.send(about, about);
  await fleet.node.peer.take(FrameType.QUERY);
  await fleet.node.peer.take(FrameType.QUERY);
  const to = fleet.client.number;
  fleet.node.peer.send(fate(to, [1, Fate.RUNNING]), fate(to, [1, Fate.DONE]));
  expect(await nextFates(fleet.client.peer)).toEqual([[1, Fate.DONE]]);
  await fleet.client.peer.barrier();
  expect(fleet.client.peer.seen(FrameType.FATE)).toEqual([]);
});

it('A hub without memory takes the word of the client, and passes on what the node says', async () => {
  const hub = await startHub();
  const node = await join(hub, 'node');
  const client = await join(hub, 'client');
  client.peer.send(resume(node, [resumed(41)]));
  expect([...(await node.peer.take(FrameType.QUERY)).payload]).toEqual([
    ...u32s(41, 0, limits.creditWindowBytes),
  ]);
  node.peer.send(
    fate(client.number, [41, Fate.DONE]),
    frame(FrameType.RESULT, '41', { peer: client.number, id: 41 }),
  );
  expect(await client.peer.take(FrameType.RESULT)).toMatchObject({ id: 41, peer: node.number });
});

it('A node that is expected, because a client spoke of it, is queried when it is online', async () => {
  const hub = await startHub();
  const client = await join(hub, 'client');
  const message = registration('node');
  client.peer.send(resume({ message } as Joined, [resumed(7)]));
  await client.peer.barrier();
  const node = await register(await dial(hub), message);
  // The hub asks the client first, who knows best what it has by now.
  const question = await client.peer.take(FrameType.RESUME);
  expect(question).toMatchObject({ peer: node.number, payload: new Uint8Array() });
  client.peer.send(
    frame(
      FrameType.RESUME,
      jsonOf({ payload: resume(node, [resumed(7, { received: 2 })]).subarray(12) } as Frame),
      { peer: node.number },
    ),
  );
  expect([...(await node.peer.take(FrameType.QUERY)).payload]).toEqual([
    ...u32s(7, 2, limits.creditWindowBytes),
  ]);
});

it('A node that does not come within sessionGraceMs has its calls vanish', async () => {
  const hub = await startHub({ sessionGraceMs: 60 });
  const client = await join(hub, 'client');
  client.peer.send(resume({ message: registration('node') } as Joined, [resumed(7)]));
  const told = await client.peer.take(FrameType.FATE);
  expect(told.peer).toBe(0);
  expect(fatesOf(told)).toEqual([[7, Fate.VANISHED]]);
});

it('An idempotent call leaves a node that is away after failoverAfterMs, another one waits', async () => {
  const hub = await startHub({ failoverAfterMs: 60 });
  const client = await join(hub, 'client');
  const calls = [resumed(1, { idempotent: true }), resumed(2)];
  client.peer.send(resume({ message: registration('node') } as Joined, calls));
  expect(await nextFates(client.peer)).toEqual([[1, Fate.VANISHED]]);
  await client.peer.barrier();
  expect(client.peer.seen(FrameType.FATE)).toEqual([]);
});

it('Calls at a node whose place another instance took have vanished', async () => {
  const hub = await startHub();
  const fleet = await pair(hub, { id: 'n1' });
  await running(fleet, 1);
  await join(hub, 'node', { id: 'n1', instance: 'another' });
  expect(await nextFates(fleet.client.peer)).toEqual([[1, Fate.VANISHED]]);
  fleet.client.peer.send(resume(fleet.node, [resumed(5)]));
  expect(await nextFates(fleet.client.peer)).toEqual([[5, Fate.VANISHED]]);
});

describe('Attempts of which the client does not know the node:', () => {
  it('one that the hub never had is unstarted, when it is no young hub', async () => {
    const hub = await startHub({ failoverAfterMs: 0 });
    const client = await join(hub, 'client');
    client.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [3, 4] }));
    expect([...(await nextFates(client.peer)), ...(await nextFates(client.peer))]).toEqual([
      [3, Fate.UNSTARTED],
      [4, Fate.UNSTARTED],
    ]);
  });

  it('one that a young hub never had waits until the nodes that come in time were asked, and is unstarted then', async () => {
    const hub = await startHub({ failoverAfterMs: 700 });
    const here = await join(hub, 'node');
    const client = await join(hub, 'client');
    client.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [3] }));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    expect(await here.peer.take(FrameType.QUERY)).toMatchObject({ peer: client.number });
    here.peer.send(fate(client.number, [3, Fate.UNSTARTED]));
    const late = await join(hub, 'node');
    expect(await late.peer.take(FrameType.QUERY)).toMatchObject({ peer: client.number });
    late.peer.send(fate(client.number, [3, Fate.UNSTARTED]));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.UNSTARTED]]);
  });

  it('one that a hub before this one handed to some node is found there, and its outcome passed on', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client');
    client.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [3] }));
    expect(await nextFates(client.peer)).toEqual([[3, Fate.WAITING]]);
    const node = await join(hub, 'node');
    await node.peer.take(FrameType.QUERY);
    node.peer.send(
      fate(client.number, [3, Fate.DONE]),
      frame(FrameType.RESULT, '7', { peer: client.number, id: 3 }),
    );
    expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ id: 3, peer: node.number });
    expect(await client.peer.take(FrameType.RESULT)).toMatchObject({ id: 3, peer: node.number });
  });

  it('one that waits at the hub goes on waiting', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 1 });
    await running(fleet, 1);
    fleet.client.peer.send(call(2));
    await fleet.client.peer.barrier();
    const client = await comeBack(hub, fleet.client);
    client.peer.send(resume(fleet.node, [resumed(1)], [2]));
    expect(await nextFates(client.peer)).toEqual([[2, Fate.WAITING]]);
    fleet.node.peer.send(frame(FrameType.RESULT, '', { peer: client.number, id: 1 }));
    expect(await fleet.node.peer.take(FrameType.CALL)).toMatchObject({ id: 2 });
  });

  it('one that was assigned meanwhile is told so, and asked about', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    const client = await comeBack(hub, fleet.client);
    client.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [1] }));
    expect(await client.peer.take(FrameType.ASSIGNED)).toMatchObject({ id: 1, peer: fleet.node.number });
    expect(await fleet.node.peer.take(FrameType.QUERY)).toMatchObject({ peer: client.number });
  });

  it('one whose arguments had arrived in part is unstarted', async () => {
    const hub = await startHub({ failoverAfterMs: 0 });
    const client = await join(hub, 'client');
    client.peer.send(define(0, 'later'), call(1, new Uint8Array(100), Flag.MORE));
    await client.peer.barrier();
    const again = await comeBack(hub, client);
    again.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [1] }));
    expect(await nextFates(again.peer)).toEqual([[1, Fate.UNSTARTED]]);
  });
});

it('What a complete list leaves out is forgotten, and its node is told that nobody waits', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  await running(fleet, 2);
  const client = await comeBack(hub, fleet.client);
  client.peer.send(resume(fleet.node, [resumed(2)]));
  expect([...(await fleet.node.peer.take(FrameType.ACK)).payload]).toEqual([...u32s(1)]);
  expect(hub.clients()[0]?.queued).toBe(1);
});

it('With MORE the list goes on: nothing is forgotten before its end', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  await running(fleet, 2);
  const client = await comeBack(hub, fleet.client);
  const part = (attempt: number, flags: number): Uint8Array =>
    frame(
      FrameType.RESUME,
      jsonOf({ payload: resume(fleet.node, [resumed(attempt)]).subarray(12) } as Frame),
      { flags },
    );
  client.peer.send(part(1, Flag.MORE), part(2, 0));
  await fleet.node.peer.take(FrameType.QUERY);
  await fleet.node.peer.take(FrameType.QUERY);
  expect(fleet.node.peer.seen(FrameType.ACK)).toEqual([]);
});

it('A list about one node leaves the calls at others alone', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  fleet.client.peer.send(frame(FrameType.RESUME, { nodes: [], unassigned: [] }, { peer: 999 }));
  await fleet.client.peer.barrier();
  await fleet.node.peer.barrier();
  expect(fleet.node.peer.seen(FrameType.ACK)).toEqual([]);
});

it('A node that comes back to its calls has its clients asked, and answers what they answer', async () => {
  const hub = await startHub();
  const fleet = await pair(hub);
  await running(fleet, 1);
  const node = await comeBack(hub, fleet.node);
  const question = await fleet.client.peer.take(FrameType.RESUME);
  expect(question.peer).toBe(node.number);
  fleet.client.peer.send(
    frame(FrameType.RESUME, jsonOf({ payload: resume(node, [resumed(1)]).subarray(12) } as Frame), {
      peer: node.number,
    }),
  );
  const query = await node.peer.take(FrameType.QUERY);
  expect(query.peer).toBe(fleet.client.number);
  expect(node.peer.seen(FrameType.PEER)[0]).toMatchObject({ peer: fleet.client.number });
});

describe('FATE:', () => {
  it('unstarted and vanished end the attempt: its place is free again', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 2 });
    await running(fleet, 1);
    await running(fleet, 2);
    fleet.client.peer.send(resume(fleet.node, [resumed(1), resumed(2)]));
    await fleet.node.peer.take(FrameType.QUERY);
    fleet.node.peer.send(fate(fleet.client.number, [1, Fate.UNSTARTED], [2, Fate.VANISHED]));
    expect(await nextFates(fleet.client.peer)).toEqual([
      [1, Fate.UNSTARTED],
      [2, Fate.VANISHED],
    ]);
    expect(hub.status()).toMatchObject({ running: 0 });
  });

  it('that nobody asked for is ignored', async () => {
    const hub = await startHub();
    const fleet = await pair(hub);
    await running(fleet, 1);
    fleet.node.peer.send(fate(fleet.client.number, [1, Fate.UNSTARTED]));
    await fleet.node.peer.barrier();
    await fleet.client.peer.barrier();
    expect(fleet.client.peer.seen(FrameType.FATE)).toEqual([]);
    expect(hub.status()).toMatchObject({ running: 1 });
  });

  it('of attempts that this node does not have is ignored', async () => {
    const hub = await startHub();
    const fleet = await pair(hub, { maxConcurrent: 1 });
    const other = await join(hub, 'node', { functions: ['other'] });
    await running(fleet, 1);
    fleet.client.peer.send(call(2));
    await fleet.client.peer.barrier();
    other.peer.send(
      fate(fleet.client.number, [1, Fate.UNSTARTED], [9, Fate.VANISHED]),
      fate(999, [1, Fate.UNSTARTED]),
    );
    // It waits for this very node, which was not handed it.
    fleet.node.peer.send(fate(fleet.client.number, [2, Fate.VANISHED]));
    await other.peer.barrier();
    await fleet.node.peer.barrier();
    await fleet.client.peer.barrier();
    expect(fleet.client.peer.seen(FrameType.FATE)).toEqual([]);
    expect(hub.status()).toMatchObject({ running: 1, waiting: 1 });
  });

  it.each([
    ['of no bytes', new Uint8Array()],
    ['of 4 bytes', new Uint8Array(4)],
    ['of 6 bytes', new Uint8Array(6)],
    ['with fate 5', Uint8Array.of(1, 0, 0, 0, 5)],
  ])('a payload %s closes with 4400, whoever it is about', async (_, payload) => {
    const hub = await startHub();
    for (const peer of [1, 2, 999]) {
      const fleet = await pair(hub);
      fleet.node.peer.send(frame(FrameType.FATE, payload, { peer }));
      expect(await fleet.node.peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
    }
  });
});

describe('RESUME:', () => {
  it.each([
    ['that is no JSON', 'x'],
    ['without its lists', '{}'],
    ['with an attempt beyond 32 bits', { nodes: [], unassigned: [2 ** 32] }],
    ['with a negative attempt', { nodes: [], unassigned: [-1] }],
    ['with an attempt of text', { nodes: [], unassigned: ['1'] }],
    ['with a node that has no instance', { nodes: [{ id: 'n1', calls: [] }], unassigned: [] }],
    [
      'with a window beyond the largest',
      {
        nodes: [
          { id: 'n', instance: 'i', calls: [resumed(1, { windowBytes: limits.creditWindowBytes + 1 })] },
        ],
        unassigned: [],
      },
    ],
    [
      'with a received count below 0',
      { nodes: [{ id: 'n', instance: 'i', calls: [resumed(1, { received: -1 })] }], unassigned: [] },
    ],
  ])('one %s closes with 4400', async (_, payload) => {
    const hub = await startHub();
    const { peer } = await join(hub, 'client');
    peer.send(frame(FrameType.RESUME, payload));
    expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
  });

  it.each(['unassigned', 'at a node'])(
    'more attempts (%s) than a client may have close with 4404',
    async (where) => {
      const hub = await startHub();
      const client = await join(hub, 'client');
      const most = limits.maxCallsPerClient + limits.maxUnacknowledged;
      const node = { message: registration('node') } as Joined;
      const sendUpTo = (from: number, to: number): void => {
        for (let at = from; at < to;) {
          const ids = Array.from({ length: Math.min(3_000, to - at) }, (_, index) => at + index + 1);
          const list =
            where === 'unassigned'
              ? resume(node, [], ids)
              : resume(
                  node,
                  ids.map((id) => resumed(id)),
                );
          client.peer.send(frame(FrameType.RESUME, list.subarray(12), { flags: Flag.MORE }));
          at += ids.length;
        }
      };
      sendUpTo(0, most);
      await client.peer.barrier();
      sendUpTo(most, most + 1);
      expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
    },
  );

  it('attempts of many lists are counted as those of one', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client');
    const most = limits.maxCallsPerClient + limits.maxUnacknowledged;
    const node = { message: registration('node') } as Joined;
    for (let at = 0; at <= most; at += 2_500) {
      const ids = Array.from({ length: 2_500 }, (_, index) => at + index + 1);
      // About one node: nothing is forgotten at its end.
      const list = resume(
        node,
        ids.map((id) => resumed(id)),
      ).subarray(12);
      client.peer.send(frame(FrameType.RESUME, list, { peer: 999 }));
    }
    expect(await client.peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  });

  it('nodes without calls are not expected', async () => {
    const hub = await startHub();
    const client = await join(hub, 'client');
    const nodes = Array.from({ length: 4_000 }, (_, index) => ({
      id: `n${index}`,
      instance: `i${index}`,
      calls: [],
    }));
    for (let count = 0; count < 20; count += 1) client.peer.json(FrameType.RESUME, { nodes, unassigned: [] });
    await client.peer.barrier();
    expect(hub.nodes()).toEqual([]);
  });
});
