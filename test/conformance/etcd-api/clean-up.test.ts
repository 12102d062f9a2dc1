// Watches of clients that vanish, that stop reading, or that cannot make up their minds.
// Invariant: whatever a client does, nothing of it is left when its connection is gone.
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadEtcdProtos } from '../../../src/adapters/etcd-protos.ts';
import {
  createNodeClock,
  noLog,
  serveEtcd,
  type EtcdServer,
  type Store,
  type WatchHandle,
} from '../../../src/index.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import type { LocalStore } from '../../../src/store/local-store.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { dial, ending, framed, onMessage, request } from '../../unit/adapters/grpc-client.ts';
import { Etcdctl, endAll } from './etcdctl.ts';

const WATCH = loadEtcdProtos().methods.get('/etcdserverpb.Watch/Watch')!;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const create = (more: object = {}): Buffer =>
  framed(WATCH.request.encode({ create_request: { key: bytes('k'), range_end: bytes('l'), ...more } }));
const cancel = (watch_id: number): Buffer => framed(WATCH.request.encode({ cancel_request: { watch_id } }));

let store: LocalStore;
let server: EtcdServer;

beforeEach(async () => {
  const ports = { clock: createNodeClock(), random: createNodeRandom(), log: noLog() };
  store = await openMemoryStore(ports);
  server = await serveEtcd({ store, port: 0 });
});

afterEach(async () => {
  await endAll();
  await server.close();
  await store.close();
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A client with so many watches on one stream, each of them answered. */
async function watching(
  watches: number,
): Promise<{ session: ClientHttp2Session; stream: ClientHttp2Stream }> {
  const session = dial(server.url);
  const stream = request(session, WATCH.path);
  let answered = 0;
  onMessage(stream, () => answered++);
  const one = create();
  stream.write(Buffer.concat(Array.from({ length: watches }, () => one)));
  await until(() => answered === watches);
  return { session, stream };
}

/** Bytes in use, without what the collector would take. */
async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What sockets leave to be closed is closed in the turns after.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('clients that vanish', () => {
  it('leave no watch behind, of ten thousand, nor memory', async () => {
    const round = async (): Promise<number> => {
      const clients = await Promise.all([1_000, 2_000, 3_000, 4_000].map(watching));
      expect(store.watches).toBe(10_000);
      await store.put({ key: bytes('k1'), value: bytes('v') });
      for (const { session } of clients) session.destroy();
      await until(() => store.watches === 0);
      await until(() => server.connections === 0);
      expect(server.calls).toBe(0);
      return heapBytes();
    };
    const before = await round();
    const after = await round();
    // A watch takes some 4 KiB while it is there: ten thousand that stayed would be five times this.
    expect(after - before).toBeLessThan(8_000_000);
  });

  it('leave none behind when one stream ends and the connection goes on', async () => {
    const { session, stream } = await watching(500);
    const other = request(session, WATCH.path);
    other.on('error', () => {});
    other.write(create());
    await until(() => store.watches === 501);
    stream.close(8);
    await until(() => store.watches === 1);
    other.end(); // has said all: it goes on listening
    await store.put({ key: bytes('k'), value: bytes('v') });
    expect(store.watches).toBe(1);
    session.destroy();
    await until(() => store.watches === 0);
  });

  it('leave none behind when their process is killed', async () => {
    const client = new Etcdctl(`127.0.0.1:${server.port}`, ['watch', '-i']);
    for (let n = 0; n < 200; n++) client.type(`watch k${n}`);
    await until(() => store.watches === 200);
    await client.kill('SIGKILL');
    await until(() => store.watches === 0);
  });

  it('leave none behind when the server is closed, twice', async () => {
    const { stream } = await watching(100);
    const ended = ending(stream);
    await Promise.all([server.close(), server.close()]);
    await ended;
    expect(store.watches).toBe(0);
  });
});

describe('clients that cannot make up their minds', () => {
  it('cancel what is being created, what is not there, and what is gone', async () => {
    const session = dial(server.url);
    const stream = request(session, WATCH.path);
    const responses: { watch_id: object; created: boolean; canceled: boolean }[] = [];
    onMessage(stream, (message) => responses.push(WATCH.response.decode(message) as never));
    const rounds = 200;
    for (let n = 1; n <= rounds; n++) {
      stream.write(Buffer.concat([create({ watch_id: n }), cancel(n), cancel(n), cancel(n + 1_000)]));
    }
    await until(() => responses.length === 2 * rounds);
    expect(store.watches).toBe(0);
    session.destroy();
    for (let n = 1; n <= rounds; n++) {
      const mine = responses.filter(({ watch_id }) => Number(watch_id) === n);
      expect(mine.map(({ created, canceled }) => [created, canceled])).toEqual([
        [true, false],
        [false, true],
      ]);
    }
  });

  it('go while their watches are being created', async () => {
    for (let n = 0; n < 50; n++) {
      const session = dial(server.url);
      const stream = request(session, WATCH.path);
      stream.on('error', () => {});
      stream.write(Buffer.concat(Array.from({ length: 20 }, () => create())));
      await new Promise<void>((resolve) => session.once('connect', () => resolve()));
      for (let turn = 0; turn < n % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      session.destroy();
    }
    await until(() => server.connections === 0 && store.watches === 0);
    expect(server.calls).toBe(0);
  });
});

describe('a client that does not read', () => {
  it('makes the store wait, and then gets all in order', async () => {
    let told = 0;
    const counting = new Proxy<Store>(store, {
      get(target, name) {
        if (name !== 'watch') return Reflect.get(target, name, target) as unknown;
        return (...[wanted, sink]: Parameters<Store['watch']>): WatchHandle =>
          target.watch(wanted, {
            ready: (revision) => sink.ready(revision),
            events(events, revision) {
              told += events.length;
              return sink.events(events, revision);
            },
            progress: (revision) => sink.progress(revision),
            ended: (end) => sink.ended(end),
          });
      },
    });
    const slow = await serveEtcd({ store: counting, port: 0 });
    const session = dial(slow.url);
    const stream = request(session, WATCH.path);
    stream.write(create());
    await until(() => store.watches === 1);
    const value = new Uint8Array(10_000);
    for (let n = 1; n <= 1_000; n++) await store.put({ key: bytes('k'), value });
    expect(told).toBeLessThan(300);
    const heard: number[] = [];
    onMessage(stream, (message) => {
      const { events } = WATCH.response.decode(message) as { events: { kv: { mod_revision: object } }[] };
      for (const { kv } of events) heard.push(Number(kv.mod_revision));
    });
    await until(() => heard.length >= 1_000);
    expect(heard).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 2));
    session.destroy();
    await until(() => store.watches === 0);
    await slow.close();
  });
});
