// PROTOCOL.md, REGISTER: what a message may hold. Everything else is closed with 4400 and leaves nothing behind.
import { expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { dial, join, registration, startHub } from './fleet.ts';
import { frame, jsonOf, textOf } from './raw.ts';

const long = 'x'.repeat(limits.maxNameLength + 1);
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `f${index}`);

/** JSON text in which `id` is replaced by whatever text is given. */
const withText = (from: string, to: string): string =>
  JSON.stringify(registration('node', { id: 'victim' })).replace(from, to);

const malformed: readonly (readonly [rule: string, payload: object | string | Uint8Array])[] = [
  ['An empty payload', ''],
  ['A payload that is no JSON', '{"role":'],
  ['A payload that is no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ['A payload that is no object', '[]'],
  ['null', 'null'],
  ['An object without fields', {}],
  ['A nest of 100 000 lists', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['A role that does not exist', registration('node', { role: 'hub' })],
  ['A role of another type', registration('node', { role: 1 })],
  ['An empty id', registration('node', { id: '' })],
  ['An id that is longer than maxNameLength', registration('node', { id: long })],
  ['An id with a line feed', registration('node', { id: 'a\nb' })],
  ['An id with an escape sequence of terminals', registration('node', { id: '\u001b[2Jn1' })],
  ['An id with a NUL', registration('node', { id: 'n\u00001' })],
  ['An id that writes from right to left', registration('node', { id: 'n\u202e1' })],
  ['An id with a zero-width joiner', registration('node', { id: 'n\u200d1' })],
  ['An id of half a character', withText('victim', '\\ud800')],
  ['An id of blanks', registration('node', { id: '  ' })],
  ['An id with blanks at its end', registration('node', { id: 'n1 ' })],
  ['A number as id', registration('node', { id: 7 })],
  ['An instance that is longer than maxNameLength', registration('node', { instance: long })],
  ['An instance with a control character', registration('node', { instance: 'i\u0007' })],
  ['An instance that is missing', registration('node', { instance: undefined })],
  ['A negative epoch', registration('node', { epoch: -1 })],
  ['An epoch with a fraction', registration('node', { epoch: 1.5 })],
  ['An epoch beyond 2^53', withText('"epoch":1', '"epoch":9007199254740993')],
  ['An infinite epoch', withText('"epoch":1', '"epoch":1e999')],
  ['A registrationEpoch of text', registration('node', { registrationEpoch: '1' })],
  ['A key __proto__', withText('"labels":{}', '"labels":{},"__proto__":{"role":"client"}')],
  ['A label __proto__', withText('"labels":{}', '"labels":{"__proto__":"x"}')],
  ['A label constructor', registration('node', { labels: { constructor: 'x' } })],
  ['A label prototype', registration('node', { labels: { prototype: 'x' } })],
  [
    '10 000 labels',
    registration('node', { labels: Object.fromEntries(many(10_000).map((name) => [name, 'x'])) }),
  ],
  [
    'One label more than maxLabels',
    registration('node', {
      labels: Object.fromEntries(many(limits.maxLabels + 1).map((name) => [name, 'x'])),
    }),
  ],
  ['A label whose name is too long', registration('node', { labels: { [long]: 'x' } })],
  ['A label whose value is too long', registration('node', { labels: { zone: long } })],
  ['A label whose value is no text', registration('node', { labels: { gpu: true } })],
  ['A label whose value has a control character', registration('node', { labels: { zone: 'a\u0000' } })],
  ['Labels in a list', registration('node', { labels: ['a'] })],
  [
    'One function more than maxFunctionsPerNode',
    registration('node', { functions: many(limits.maxFunctionsPerNode + 1) }),
  ],
  ['A function without a name', registration('node', { functions: [''] })],
  ['A function whose name is too long', registration('node', { functions: [long] })],
  [
    'A token that is longer than maxTokenLength',
    registration('node', { token: 'x'.repeat(limits.maxTokenLength + 1) }),
  ],
  ['A token that is no text', registration('node', { token: { a: 1 } })],
  ['A negative maxConcurrent', registration('node', { maxConcurrent: -1 })],
  ['No encoding', registration('node', { encodings: [] })],
  ['An encoding that does not exist', registration('node', { encodings: ['xml'] })],
  ['A negative heartbeatIntervalMs', registration('node', { heartbeatIntervalMs: -1 })],
  ['A heartbeatTimeoutMs that is no number', registration('node', { heartbeatTimeoutMs: 'long' })],
  ['A heartbeatTimeoutMs of a month', registration('node', { heartbeatTimeoutMs: 2_592_000_000 })],
  ['A version that is longer than maxNameLength', registration('node', { version: long })],
];

it.each(malformed)('%s in a REGISTER is closed with 4400', async (_, payload) => {
  const hub = await startHub();
  const peer = await dial(hub);
  peer.send(frame(FrameType.REGISTER, payload));
  const { code, reason } = await peer.closed;
  expect(code).toBe(CloseCode.MALFORMED);
  expect(reason).toMatch(/^REGISTER: /);
  expect(peer.inbox).toEqual([]);
  expect(hub.status()).toMatchObject({ nodes: 0, clients: 0 });
  await expect.poll(() => hub.status().connections).toBe(0);
});

it('Nothing that a REGISTER says changes the prototype of our objects', async () => {
  const hub = await startHub();
  for (const text of ['"__proto__":{"polluted":"yes"}', '"constructor":{"prototype":{"polluted":"yes"}}']) {
    const peer = await dial(hub);
    peer.send(frame(FrameType.REGISTER, withText('"labels":{}', `"labels":{},${text}`)));
    await peer.closed;
  }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

it.each(['toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'then'])(
  'A node, a function and a label may be called %s',
  async (name) => {
    const hub = await startHub();
    await join(hub, 'node', { id: name, functions: [name], labels: { [name]: name } });
    expect(hub.nodes()).toMatchObject([{ id: name, functions: [name], state: 'online' }]);
    const client = await join(hub, 'client', { id: name });
    client.peer.send(frame(FrameType.DEFINE, name), frame(FrameType.ASK, { ask: 'nodes' }, { id: 1 }));
    expect(textOf((await client.peer.take(FrameType.ANSWER)).payload)).toContain(`"${name}"`);
  },
);

it('A REGISTER at every limit is taken', async () => {
  const hub = await startHub({ token: 'x'.repeat(limits.maxTokenLength) });
  const name = 'n'.repeat(limits.maxNameLength);
  await join(hub, 'node', {
    id: name,
    instance: name,
    version: name,
    token: 'x'.repeat(limits.maxTokenLength),
    functions: many(limits.maxFunctionsPerNode),
    labels: Object.fromEntries(many(limits.maxLabels).map((label) => [label, name])),
  });
  expect(hub.nodes()).toHaveLength(1);
});

it('Names are counted in characters of any script', async () => {
  const hub = await startHub();
  await join(hub, 'node', { id: 'Knoten-ä-節点-🙂' });
  expect(hub.nodes()).toMatchObject([{ id: 'Knoten-ä-節点-🙂' }]);
});

it('Fields that this version does not know are ignored', async () => {
  const hub = await startHub();
  await join(hub, 'node', { id: 'n1', later: { version: [1, 2, 3] } });
  expect(hub.nodes()).toHaveLength(1);
});

it('Two REGISTERs of different instances in one message make one session', async () => {
  const hub = await startHub();
  const peer = await dial(hub);
  peer.send(
    frame(FrameType.REGISTER, registration('node', { id: 'first' })),
    frame(FrameType.REGISTER, registration('node', { id: 'second' })),
  );
  expect(await peer.closed).toMatchObject({ code: CloseCode.OUT_OF_ORDER });
  expect(hub.nodes().map(({ id }) => id)).toEqual(['first']);
});

it('More REGISTERs at once than maxUndecided close with 4404, and the application is asked no more often', async () => {
  let asked = 0;
  const hub = await startHub({
    verify: () => {
      asked += 1;
      return true;
    },
  });
  const peer = await dial(hub);
  const message = registration('node');
  const register = (at: number): Uint8Array =>
    frame(FrameType.REGISTER, { ...message, registrationEpoch: at + 1 });
  peer.send(...Array.from({ length: limits.maxUndecided }, (_, at) => register(at)));
  await peer.take(FrameType.REGISTERED, (it) => jsonOf(it)['registrationEpoch'] === limits.maxUndecided);
  expect(asked).toBe(limits.maxUndecided);
  peer.send(...Array.from({ length: 1_000 }, (_, at) => register(100 + at)));
  expect(await peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
  expect(asked).toBeLessThanOrEqual(2 * limits.maxUndecided);
});
