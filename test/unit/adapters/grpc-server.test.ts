// The gRPC server as node:http2's client sees it, and what broken peers get.
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { ClientHttp2Session } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadEtcdProtos } from '../../../src/adapters/etcd-protos.ts';
import { listenGrpc, type GrpcServer } from '../../../src/adapters/grpc-server.ts';
import {
  StatusError,
  type Metadata,
  type Method,
  type Replies,
  type Requests,
} from '../../../src/store/etcd-api/call.ts';
import { dial, ending, framed, request, unary } from './grpc-client.ts';

const PUT = '/etcdserverpb.KV/Put';
const WATCH = '/etcdserverpb.Watch/Watch';
const protos = loadEtcdProtos();
const put = protos.message('etcdserverpb.PutRequest');
const putResponse = protos.message('etcdserverpb.PutResponse');
const watchRequest = protos.message('etcdserverpb.WatchRequest');
const watchResponse = protos.message('etcdserverpb.WatchResponse');

let server: GrpcServer;
let session: ClientHttp2Session;
let answer: (request: { key: Buffer; value: Buffer }, metadata: Metadata) => Promise<object> | object;
let open: (replies: Replies, metadata: Metadata) => Requests;

const idle: Requests = { message() {}, ended() {}, drained() {}, closed() {} };

beforeEach(async () => {
  answer = ({ key, value }) => ({ prev_kv: { key, value } });
  open = () => idle;
  const methods = new Map<string, Method>([
    [PUT, { type: 'unary', answer: (message, metadata) => answer(message as never, metadata) }],
    [WATCH, { type: 'stream', open: (replies, metadata) => open(replies, metadata) }],
  ]);
  server = await listenGrpc({ host: '127.0.0.1', port: 0, methods, keepaliveIntervalMs: 20 });
  session = dial(server.url);
});

afterEach(async () => {
  session.destroy();
  await server.close();
});

function putOf(key: string, value: Uint8Array = new Uint8Array()): Uint8Array {
  return put.encode({ key: Buffer.from(key), value });
}

function valueOf(message: Buffer | undefined): Buffer {
  return (putResponse.decode(message!) as { prev_kv: { value: Buffer } }).prev_kv.value;
}

describe('a call with one answer', () => {
  it('gets a message and a status', async () => {
    const ended = await unary(session, PUT, putOf('k', Buffer.from('v')));
    expect(ended).toMatchObject({ status: '0', httpStatus: 200 });
    expect(valueOf(ended.messages[0]).toString()).toBe('v');
  });

  it('carries long messages both ways, through windows of any size', async () => {
    for (const [initialWindowSize, bytes] of [
      [1, 300],
      [1_000, 50_000],
      [16_384, 300_000],
      [10_000_000, 2_000_000],
    ] as const) {
      const value = Buffer.from({ length: bytes, 0: 1, [bytes - 1]: 2 });
      const small = dial(server.url, { settings: { initialWindowSize } });
      const ended = await unary(small, PUT, putOf('k', value));
      expect(ended.status).toBe('0');
      expect(valueOf(ended.messages[0]).equals(value)).toBe(true);
      small.destroy();
    }
  });

  it('is put together from single bytes', async () => {
    const stream = request(session, PUT);
    for (const byte of framed(putOf('key', Buffer.from('value')))) stream.write(Uint8Array.of(byte));
    stream.end();
    expect(valueOf((await ending(stream)).messages[0]).toString()).toBe('value');
  });

  it('is one of a thousand at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => unary(session, PUT, putOf('k', Buffer.from(String(n))))),
    );
    expect(all.map((ended) => Number(valueOf(ended.messages[0]).toString()))).toEqual(all.map((_, n) => n));
    expect(server.calls).toBe(0);
  });

  it('fails with the code and the words of whoever serves it', async () => {
    answer = () => Promise.reject(new StatusError(11, 'etcdserver: 100 % zu späт\n'));
    expect(await unary(session, PUT, putOf('k'))).toMatchObject({
      status: '11',
      text: 'etcdserver: 100 % zu späт\n',
      messages: [],
    });
    answer = () => {
      throw new Error('what nobody expects');
    };
    expect(await unary(session, PUT, putOf('k'))).toMatchObject({ status: '2', text: 'what nobody expects' });
  });

  it('hears in the words of grpc-go what is wrong with it', async () => {
    const wrong = async (path: string, bytes: Buffer, headers = {}): Promise<unknown> => {
      const stream = request(session, path, headers);
      stream.end(bytes);
      const { status, text } = await ending(stream);
      return [status, text];
    };
    const fine = framed(putOf('k'));
    expect(await wrong('/etcdserverpb.KV/Steal', fine)).toEqual([
      '12',
      'unknown method Steal for service etcdserverpb.KV',
    ]);
    expect(await wrong('/v3lockpb.Lock/Lock', fine)).toEqual(['12', 'unknown service v3lockpb.Lock']);
    expect(await wrong('/nothing', fine)).toEqual(['12', 'malformed method name: "/nothing"']);
    expect(await wrong(PUT, framed(putOf('k'), 1), { 'grpc-encoding': 'gzip' })).toEqual([
      '12',
      'grpc: Decompressor is not installed for grpc-encoding "gzip"',
    ]);
    expect(await wrong(PUT, framed(putOf('k'), 1))).toEqual([
      '13',
      'grpc: compressed flag set with identity or empty encoding',
    ]);
    expect(await wrong(PUT, framed(putOf('k', Buffer.alloc(2_097_152))))).toEqual([
      '8',
      'grpc: received message larger than max (2097160 vs. 2097152)',
    ]);
    expect((await wrong(PUT, framed(Buffer.from([0x0a, 9])))) as string[]).toContain('13');
    expect((await wrong(PUT, Buffer.alloc(0))) as string[]).toContain('13');
    expect((await unary(session, PUT, putOf('k'))).status).toBe('0');
  });

  it('is no web page', async () => {
    const page = session.request({ ':method': 'GET', ':path': '/' });
    expect(await ending(page)).toMatchObject({ httpStatus: 415 });
  });
});

describe('a stream of messages', () => {
  it('has every header that is made of printable bytes', async () => {
    const heard: (string | undefined)[] = [];
    open = (replies, metadata) => {
      heard.push(metadata.get('x-text'));
      replies.end();
      return idle;
    };
    const texts = Array.from(
      { length: 95 },
      (_, n) => `${'aeiost'.repeat(n % 4)}${String.fromCharCode(32 + n)}z`,
    );
    for (const text of [...texts, ...texts]) {
      const stream = request(session, WATCH, { 'x-text': text });
      stream.end();
      expect((await ending(stream)).status).toBe('0');
    }
    expect(heard).toEqual([...texts, ...texts]);
  });

  it('stops its server while its client does not read, and loses nothing', async () => {
    let told = 0;
    let waits = 0;
    const closed = Promise.withResolvers<void>();
    open = (replies) => {
      const pour = (): void => {
        while (told < 400) {
          told++;
          const events = [{ kv: { key: Buffer.alloc(10_000), mod_revision: told } }];
          if (replies.send({ watch_id: '1', events }) === 'wait') return void waits++;
        }
        replies.end();
      };
      return { message: pour, ended() {}, drained: pour, closed: closed.resolve };
    };
    const stream = request(session, WATCH);
    stream.pause();
    stream.end(framed(watchRequest.encode({ progress_request: {} })));
    await once(stream, 'response');
    expect(told).toBeLessThan(400);
    const { messages, status } = await ending(stream);
    expect(status).toBe('0');
    const revisions = messages.map(
      (message) =>
        (watchResponse.decode(message) as { events: { kv: { mod_revision: object } }[] }).events[0]!.kv
          .mod_revision,
    );
    expect(revisions.map(Number)).toEqual(Array.from({ length: 400 }, (_, n) => n + 1));
    expect(waits).toBeGreaterThan(0);
    await closed.promise;
  });

  it('ends when its client goes, however it goes', async () => {
    const ends: Promise<void>[] = [];
    open = () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(promise);
      return { ...idle, closed: resolve };
    };
    const reset = request(session, WATCH);
    const cut = request(session, WATCH);
    for (const stream of [reset, cut]) {
      stream.on('error', () => {});
      stream.write(framed(watchRequest.encode({})));
    }
    while (ends.length < 2) await unary(session, PUT, putOf('k'));
    reset.close(8);
    await ends[0];
    session.destroy();
    await ends[1];
    while (server.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(server.calls).toBe(0);
  });
});

describe('a peer that breaks the rules', () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

  function raw(...bytes: Buffer[]): Socket {
    const socket = connectTcp(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(Buffer.concat(bytes));
    return socket;
  }

  function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
    const bytes = Buffer.alloc(9 + payload.length);
    bytes.writeUIntBE(payload.length, 0, 3);
    bytes[3] = type;
    bytes[4] = flags;
    bytes.writeUInt32BE(streamId, 5);
    bytes.set(payload, 9);
    return bytes;
  }

  const headers = Buffer.from([0x83, 0x87]);
  const faults: Record<string, Buffer[]> = {
    'speaks HTTP/1': [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    'sends a frame that is too long': [preface, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1])],
    'sends data without a request': [preface, settings, frame(0, 0, 1, Buffer.alloc(5))],
    'has even stream ids': [preface, settings, frame(1, 4, 2, headers)],
    'sends a broken header block': [
      preface,
      settings,
      frame(1, 4, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])),
    ],
    'names an entry that no table has': [preface, settings, frame(1, 4, 1, Buffer.from([0xfe]))],
    'interrupts a header block': [
      preface,
      settings,
      frame(1, 0, 1, headers),
      frame(6, 0, 0, Buffer.alloc(8)),
    ],
    'continues nothing': [preface, settings, frame(9, 4, 1, headers)],
    'continues for ever': [
      preface,
      settings,
      frame(1, 0, 1, headers),
      ...Array.from({ length: 100 }, () => frame(9, 0, 1, Buffer.alloc(0))),
    ],
    'opens its window too far': [preface, settings, frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
    'opens its window by nothing': [preface, settings, frame(8, 0, 0, Buffer.alloc(4))],
    'pads more than there is': [preface, settings, frame(1, 12, 1, Buffer.from([9, 0x83]))],
    pushes: [preface, settings, frame(5, 4, 1, Buffer.alloc(4))],
    'sends a short ping': [preface, settings, frame(6, 0, 0, Buffer.alloc(7))],
    'sends short settings': [preface, settings, frame(4, 0, 0, Buffer.alloc(5))],
  };

  it.each(Object.entries(faults))(
    'that %s loses its connection, and nobody else anything',
    async (_, bytes) => {
      const socket = raw(...bytes);
      socket.resume();
      await once(socket, 'close');
      expect((await unary(session, PUT, putOf('k'))).status).toBe('0');
    },
  );

  it('that never answers is given up', async () => {
    const socket = raw(preface, settings);
    socket.resume();
    await once(socket, 'close');
    expect((await unary(session, PUT, putOf('k'))).status).toBe('0');
  });
});
