// The corners of etcd's API where servers that look like etcd fail first: raw requests to ours and to a real etcd.
// Invariant: both get the same bytes in the same order; answers are compared as they came, ids of servers aside.
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEtcdProtos } from '../../../src/adapters/etcd-protos.ts';
import { openStore, serveEtcd, type EtcdServer, type Store } from '../../../src/index.ts';
import { dial, framed, onMessage, request, unary } from '../../unit/adapters/grpc-client.ts';
import { startEtcd, type EtcdServer as RealEtcd } from '../store/etcd-server.ts';

const protos = loadEtcdProtos();
const bytes = (text: string): Buffer => Buffer.from(text);

let store: Store;
let ours: EtcdServer;
let real: RealEtcd;
let sessions: ClientHttp2Session[];

beforeAll(async () => {
  store = await openStore('memory:');
  ours = await serveEtcd({ store, port: 0 });
  real = await startEtcd({ args: ['--heartbeat-interval=100', '--election-timeout=1000'] });
  sessions = [dial(ours.url), dial(`http://${real.endpoint}`)];
}, 30_000);

afterAll(async () => {
  for (const session of sessions) session.destroy();
  await ours.close();
  await store.close();
  await real.close();
});

/** Without what differs between two servers. */
function alike(message: object): unknown {
  return JSON.parse(
    JSON.stringify(message, (name, value: unknown) =>
      /^(cluster_id|member_id)$/.test(name) ? 'an id' : value,
    ),
  );
}

interface Said {
  readonly code: number;
  readonly text: string;
  readonly message: unknown;
}

async function askOne(session: ClientHttp2Session, path: string, message: Uint8Array): Promise<Said> {
  const { response } = protos.methods.get(path)!;
  const { status, text, messages } = await unary(session, path, message);
  return {
    code: Number(status),
    text: text ?? '',
    message: messages.map((one) => alike(response.decode(one))),
  };
}

/** The same request to both; they must agree. */
async function both(method: string, message: object): Promise<Said> {
  const path = `/etcdserverpb.${method}`;
  const encoded = protos.methods.get(path)!.request.encode(message);
  const [mine, reference] = await Promise.all(sessions.map((session) => askOne(session, path, encoded)));
  const asked = `${method} ${inspect(message, { depth: 6 })}`;
  expect({ asked, ...mine }).toEqual({ asked, ...reference });
  return mine!;
}

function revisionOf(message: unknown): number {
  return Number((message as { header: { revision: string } }[])[0]!.header.revision);
}

const put = (key: string, more: object = {}): object => ({
  request_put: { key: bytes(key), value: bytes('v'), ...more },
});
const del = (key: string, end = ''): object => ({
  request_delete_range: { key: bytes(key), range_end: bytes(end) },
});

describe('requests', () => {
  it('that etcd refuses are refused with the same code and words', async () => {
    const cases: [method: string, message: object, code: number][] = [
      ['KV/Put', { value: bytes('v') }, 3],
      ['KV/Range', {}, 3],
      ['KV/DeleteRange', {}, 3],
      ['KV/Put', { key: bytes('a'), value: bytes('v'), ignore_value: true }, 3],
      ['KV/Put', { key: bytes('nobody'), ignore_value: true }, 3],
      ['KV/Put', { key: bytes('a'), lease: 5, ignore_lease: true }, 3],
      ['KV/Put', { key: bytes('nobody'), ignore_lease: true }, 3],
      ['KV/Put', { key: bytes('a'), lease: '-9223372036854775808' }, 5],
      ['KV/Put', { key: bytes('a'), value: Buffer.alloc(1_600_000) }, 3],
      ['KV/Put', { key: bytes('a'), value: Buffer.alloc(2_100_000) }, 8],
      ['KV/Txn', { success: [put('')] }, 3],
      ['KV/Txn', { success: [{}] }, 3],
      ['KV/Txn', { compare: [{ key: bytes('') }] }, 3],
      ['KV/Txn', { success: [put('a'), put('a')] }, 3],
      ['KV/Txn', { success: [put('a'), del('a')] }, 3],
      ['KV/Txn', { failure: [del('a', 'c'), put('b')] }, 3],
      ['KV/Txn', { success: [put('b'), { request_txn: { success: [put('b')] } }] }, 3],
      [
        'KV/Txn',
        { success: [put('a', { ignore_value: true, value: bytes('') }), put('z', { ignore_lease: true })] },
        3,
      ],
      ['KV/Txn', { success: [put('a', { lease: 99 })] }, 5],
      ['KV/Txn', { success: Array.from({ length: 129 }, (_, n) => put(`k${n}`)) }, 3],
      ['KV/Txn', { compare: Array.from({ length: 129 }, () => ({ key: bytes('a') })) }, 3],
      ['KV/Range', { key: bytes('a'), revision: '9007199254740993' }, 11],
      ['KV/Range', { key: bytes('a'), revision: '9223372036854775807' }, 11],
      ['KV/Compact', { revision: 9_999 }, 11],
      ['Lease/LeaseGrant', { TTL: '9000000001' }, 11],
      ['Lease/LeaseGrant', { TTL: '9223372036854775807' }, 11],
      ['Lease/LeaseRevoke', { ID: 12 }, 5],
      ['Auth/Authenticate', { name: 'root', password: 'x' }, 9],
      ['Maintenance/HashKV', { revision: 9_999 }, 11],
    ];
    for (const [method, message, code] of cases) {
      const said = await both(method, message);
      expect([method, inspect(message), said.code]).toEqual([method, inspect(message), code]);
    }
  });

  it('that it takes are answered alike', async () => {
    await both('KV/Put', { key: bytes('a'), value: bytes('1') });
    await both('KV/Put', { key: bytes('a'), ignore_value: true, prev_kv: true });
    await both('KV/Put', { key: Buffer.from([0]), value: Buffer.alloc(0) });
    await both('KV/Put', { key: Buffer.from([255, 255]), value: Buffer.from([0, 255]) });
    await both('KV/Txn', {});
    await both('KV/Txn', { success: [del('a', 'b'), del('a', 'c')] });
    await both('KV/Txn', {
      success: [
        {
          request_txn: {
            compare: [{ key: bytes('a'), target: 0 }],
            success: [put('n1')],
            failure: [put('n2')],
          },
        },
        put('n3', { prev_kv: true }),
      ],
    });
    for (const [target, operand] of [
      [0, { version: 1 }],
      [1, { create_revision: 3 }],
      [2, { mod_revision: '9223372036854775807' }],
      [3, { value: bytes('v') }],
      [4, { lease: 0 }],
      [4, { lease: '-5' }],
      [3, {}],
    ] as const) {
      for (const result of [0, 1, 2, 3]) {
        for (const key of ['n1', 'nobody']) {
          await both('KV/Txn', { compare: [{ key: bytes(key), target, result, ...operand }] });
        }
      }
    }
    await both('KV/Txn', {
      compare: [{ key: bytes('n'), range_end: bytes('o'), target: 3, result: 0, value: bytes('v') }],
    });
    await both('KV/Txn', {
      compare: [{ key: bytes('n'), range_end: Buffer.from([0]), target: 0, result: 1 }],
    });
    for (const more of [
      {},
      { limit: 1 },
      { limit: -1 },
      { revision: -3 },
      { revision: 3 },
      { sort_target: 3 },
      { sort_target: 3, sort_order: 2, limit: 2 },
      { sort_order: 2 },
      { min_mod_revision: 4 },
      { max_mod_revision: 4, limit: 1 },
      { min_create_revision: 4, max_create_revision: 5 },
      { max_create_revision: -1 },
      { keys_only: true },
      { count_only: true },
      { count_only: true, limit: 1 },
      { serializable: true },
    ]) {
      await both('KV/Range', { key: Buffer.from([0]), range_end: Buffer.from([0]), ...more });
    }
    await both('KV/Range', { key: bytes('n'), range_end: bytes('a') });
    await both('KV/Range', { key: bytes('n'), range_end: bytes('n') });
    await both('Lease/LeaseGrant', { TTL: 60, ID: '-9223372036854775808' });
    await both('Lease/LeaseGrant', { TTL: 60, ID: '-9223372036854775808' });
    await both('Lease/LeaseGrant', { TTL: -7, ID: 7 });
    await both('KV/Put', { key: bytes('leased'), lease: '-9223372036854775808' });
    await both('KV/Put', { key: bytes('leased'), value: bytes('x'), ignore_lease: true });
    await both('KV/Range', { key: bytes('leased') });
    await both('Lease/LeaseTimeToLive', { ID: 77, keys: true });
    await both('Lease/LeaseRevoke', { ID: '-9223372036854775808' });
    await both('Maintenance/Alarm', {});
    await both('Maintenance/Alarm', { action: 2 });
    await both('Maintenance/Defragment', {});
    await both('Maintenance/HashKV', {});
    await both('Maintenance/HashKV', { revision: 4 });
    await both('KV/Compact', { revision: 4 });
    await both('Maintenance/HashKV', { revision: 6 });
    await both('Maintenance/HashKV', { revision: 3 });
  });
});

describe('watches on one stream', () => {
  const path = '/etcdserverpb.Watch/Watch';
  const watch = protos.methods.get(path)!;

  /** A stream to one of the servers, and what it has said. */
  class Conversation {
    readonly said: unknown[] = [];
    readonly #stream: ClientHttp2Stream;
    #news = Promise.withResolvers<void>();

    constructor(session: ClientHttp2Session) {
      this.#stream = request(session, path);
      onMessage(this.#stream, (message) => {
        this.said.push(alike(watch.response.decode(message)));
        this.#news.resolve();
        this.#news = Promise.withResolvers();
      });
    }

    say(message: object): void {
      this.#stream.write(framed(watch.request.encode(message)));
    }

    async hears(count: number): Promise<unknown[]> {
      while (this.said.length < count) await this.#news.promise;
      return this.said.slice(0, count);
    }

    close(): void {
      this.#stream.close(8);
    }
  }

  /** Talks to both at once; what they say must be the same. */
  async function talk(
    steps: readonly (readonly [say: object | (() => Promise<unknown>), hear: number])[],
  ): Promise<unknown[]> {
    const conversations = sessions.map((session) => new Conversation(session));
    let heard = 0;
    for (const [say, hear] of steps) {
      if (typeof say === 'function') await say();
      else for (const conversation of conversations) conversation.say(say);
      heard += hear;
      for (const conversation of conversations) await conversation.hears(heard);
    }
    for (const conversation of conversations) conversation.close();
    const [mine, reference] = conversations.map(({ said }) => said);
    expect(mine).toEqual(reference);
    return mine!;
  }

  const create = (more: object): object => ({ create_request: { key: bytes('w'), ...more } });
  const cancel = (watch_id: number): object => ({ cancel_request: { watch_id } });
  const puts =
    (key: string, value = 'v') =>
    () =>
      both('KV/Put', { key: bytes(key), value: bytes(value) });

  it('have ids of ours or of the client, none twice, and can be cancelled once', async () => {
    await talk([
      [create({}), 1],
      [create({}), 1],
      [create({ watch_id: 7 }), 1],
      [create({ watch_id: 7 }), 1],
      [create({ watch_id: 2 }), 1],
      [create({}), 1],
      [create({ watch_id: -9 }), 1],
      [cancel(99), 0],
      [cancel(7), 1],
      [cancel(7), 0],
      [create({ watch_id: 7 }), 1],
    ]);
  });

  it('say of a range that holds nothing that it holds nothing', async () => {
    await talk([
      [create({ range_end: bytes('a') }), 1],
      [create({ range_end: bytes('w') }), 1],
      [create({ key: bytes(''), range_end: Buffer.from([0]) }), 1],
      [{}, 0],
      [puts('q'), 1],
    ]);
  });

  it('begin in the past, in the future, and below what is compacted', async () => {
    const { message } = await both('KV/Put', { key: bytes('w'), value: bytes('0') });
    const revision = revisionOf(message);
    await talk([
      [create({ start_revision: revision }), 2],
      [create({ start_revision: revision + 2, watch_id: 5 }), 1],
      [create({ start_revision: 2, watch_id: 6 }), 2],
      [puts('w', '1'), 1],
    ]);
  });

  it('leave out what is filtered, and tell what was before', async () => {
    await talk([
      [create({ filters: [0] }), 1],
      [puts('w'), 0],
      [() => both('KV/DeleteRange', { key: bytes('w') }), 1],
      [create({ filters: [1], prev_kv: true, watch_id: 4 }), 1],
      [puts('w', '1'), 1],
      [puts('w', '2'), 1],
      [() => both('KV/Txn', { success: [del('w'), put('w2')] }), 1],
    ]);
  });

  it('tell their progress', async () => {
    await talk([
      [create({}), 1],
      [create({ key: bytes('x') }), 1],
      [{ progress_request: {} }, 1],
      [puts('w'), 1],
      [{ progress_request: {} }, 1],
    ]);
    const alone = await talk([[{ progress_request: {} }, 1]]);
    expect(alone).toMatchObject([{ watch_id: '-1' }]);
  });

  it('come in fragments when that was asked for and is needed', async () => {
    const value = Buffer.alloc(700_000, 1);
    const success = ['f1', 'f2'].map((key) => put(key, { value }));
    await both('KV/Txn', { success });
    const { message } = await both('KV/Txn', { success });
    const start_revision = revisionOf(message);
    const f = { key: bytes('f'), range_end: bytes('g'), start_revision, prev_kv: true };
    const told = (await talk([
      [create({ ...f, fragment: true }), 3],
      [create({ ...f, watch_id: 8 }), 2],
    ])) as { fragment?: boolean; events?: object[] }[];
    expect(told.map(({ fragment, events = [] }) => [fragment, events.length])).toEqual([
      [undefined, 0],
      [true, 1],
      [undefined, 1],
      [undefined, 0],
      [undefined, 2],
    ]);
  });
});
