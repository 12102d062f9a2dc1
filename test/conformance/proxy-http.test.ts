// HTTP at its edges: what the proxy refuses, what it passes on, and what it must never mix up.
// Invariant: nothing that can be read in two ways reaches an endpoint, and no request chooses where it goes.
import { describe, expect, it } from 'vitest';
import { createProxy } from '../../src/index.ts';
import {
  answer,
  chunk,
  EVENTS,
  event,
  LAST,
  named,
  proxyOver,
  rawUpstream,
  request,
  sendRaw,
} from './proxy-upstreams.ts';

const errorOf = (body: string): { code: string; type: string; message: string } => JSON.parse(body).error;

describe('the proxy refuses', () => {
  it.each([
    [
      'both lengths',
      'POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    ['a length list', 'POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 1, 1\r\n\r\na', 400],
    [
      'an odd encoding',
      'POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a hidden encoding', 'POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 400],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: p\r\nX: a\r\n b\r\n\r\n', 400],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: p\n\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: p\r\nHost: q\r\nConnection: close\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    [
      'a bad chunk',
      'POST / HTTP/1.1\r\nHost: p\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00', 400],
    ['an address', request('GET', 'http://evil.test/x'), 400],
    ['steps upwards', request('GET', '/a/%2e%2e/b'), 400],
    ['long headers', request('GET', '/', { X: 'x'.repeat(20_000) }), 431],
    ['a long body', request('POST', '/', { 'Content-Length': '2001', Connection: 'close' }), 413],
    ['a tunnel', 'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n', 501],
    ['a WebSocket', request('GET', '/', { Connection: 'Upgrade, close', Upgrade: 'websocket' }), 501],
    ['TRACE', request('TRACE', '/'), 405],
  ])('%s', async (_name, text, status) => {
    const upstream = await named('reached');
    const { proxy } = await proxyOver([upstream.url], {
      limits: { bodyBytes: 2_000 },
      timeouts: { idleMs: 200 },
    });
    const got = await sendRaw(proxy, text);
    expect([got.status, upstream.got.length]).toEqual([status, 0]);
    if (got.body !== '') expect(errorOf(got.body).message).toBeTruthy();
    expect(proxy.status().pool.endpoints[0]).toMatchObject({ failedRequests: 0, inFlight: 0 });
  });

  it('a body that turns out to be too long, and blames no endpoint', async () => {
    const upstream = await named('reached');
    const { proxy } = await proxyOver([upstream.url], { limits: { bodyBytes: 2_000 } });
    const { status, body } = await sendRaw(
      proxy,
      `POST / HTTP/1.1\r\nHost: p\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('x'.repeat(1_500)).repeat(2)}${LAST}`,
    );
    expect([status, errorOf(body).code]).toEqual([413, 'request_too_large']);
    expect(upstream.got).toHaveLength(0);
    expect(proxy.status().pool.endpoints[0]).toMatchObject({ failedRequests: 0, inFlight: 0 });
  });

  it('a client that stops sending, and blames no endpoint', async () => {
    const upstream = await named('reached');
    const { proxy } = await proxyOver([upstream.url], { timeouts: { idleMs: 50 } });
    for (const length of [10, 100_000]) {
      const { status, body } = await sendRaw(
        proxy,
        request('POST', '/', { 'Content-Length': String(length) }),
      );
      expect([status, errorOf(body).code]).toEqual([408, 'request_too_slow']);
    }
    expect(upstream.got).toHaveLength(0);
    expect(proxy.status().pool.endpoints[0]).toMatchObject({ failedRequests: 0, inFlight: 0 });
  });

  it('whoever does not show its token; who does needs no more, and the token goes no further', async () => {
    const upstream = await named('reached');
    const { proxy } = await proxyOver([{ url: upstream.url }], { token: 'let-me-in' });
    for (const headers of [
      {},
      { Authorization: 'Bearer let-me-inn' },
      { 'X-Api-Key': 'LET-ME-IN' },
    ] as const) {
      const { status, body } = await sendRaw(proxy, request('GET', '/', headers));
      expect([status, errorOf(body).code]).toEqual([401, 'wrong_token']);
    }
    expect(upstream.got).toHaveLength(0);
    const shown = { Authorization: 'Bearer let-me-in', 'X-Api-Key': 'mine' };
    expect((await sendRaw(proxy, request('GET', '/', shown))).body).toBe('reached');
    expect((await sendRaw(proxy, request('GET', '/', { 'X-Api-Key': 'let-me-in' }))).body).toBe('reached');
    expect(upstream.got[0]!.head).toContain('x-api-key: mine');
    for (const { head } of upstream.got) expect(head).not.toContain('let-me-in');
  });

  it('to lend its keys to a network without a token', async () => {
    const endpoints = [{ id: 'a', url: 'http://127.0.0.1:9', key: 'sk-own' }];
    await expect(createProxy({ endpoints, host: '0.0.0.0' })).rejects.toThrow(
      'endpoint a has a key that anybody',
    );
  });

  it('a request that comes back to it', async () => {
    const loop = await proxyOver(['http://127.0.0.1:9']);
    loop.proxy.update({ endpoints: [{ id: 'e0', url: loop.proxy.url }] });
    const { status, body } = await sendRaw(loop.proxy, request('GET', '/'));
    expect([status, errorOf(body).code]).toEqual([508, 'loop_detected']);
    // The client's, and one for each attempt.
    expect(loop.proxy.status().requests).toBe(4);
  });
});

describe('the proxy passes on', () => {
  it('requests in turn on one connection, each with its own answer', async () => {
    const upstream = await rawUpstream((socket, { head }) => {
      const [, path = ''] = head.split(' ');
      socket.write(answer(200, path));
    });
    const { proxy } = await proxyOver([upstream.url]);
    const one = request('GET', '/one', { Connection: 'keep-alive' });
    const { text } = await sendRaw(proxy, one + request('POST', '/two', {}, 'body'));
    expect(text.match(/\r\n\r\n\/(?:one|two)/g)).toEqual(['\r\n\r\n/one', '\r\n\r\n/two']);
  });

  it('HEAD, 204 and 304 without a body, and lengths as they were said', async () => {
    const upstream = await rawUpstream((socket, { head }) => {
      const isEmpty = head.startsWith('GET /204');
      socket.write(
        isEmpty ? 'HTTP/1.1 204 No Content\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n',
      );
    });
    const { proxy, over } = await proxyOver([upstream.url]);
    const head = await sendRaw(proxy, request('HEAD', '/'));
    expect([head.status, head.body]).toEqual([200, '']);
    expect(head.head).toContain('content-length: 5000');
    const none = await sendRaw(proxy, request('GET', '/204'));
    expect([none.status, none.body]).toEqual([204, '']);
    expect([(await over(1)).outcome, (await over(2)).outcome]).toEqual(['answered', 'answered']);
  });

  it('trailers, interim hints, and bodies that are compressed, as they are', async () => {
    const upstream = await rawUpstream((socket) =>
      socket.write(
        'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n' +
          'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n' +
          `transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n${chunk('\x1f\x8b?')}0\r\nx-sum: 7\r\n\r\n`,
      ),
    );
    const { proxy } = await proxyOver([upstream.url]);
    const { text } = await sendRaw(proxy, request('GET', '/'));
    expect(text).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200/i,
    );
    expect(text).toMatch(/0\r\nx-sum: 7\r\n\r\n$/);
  });

  it('an invitation to send the body, and only then the body', async () => {
    const upstream = await rawUpstream((socket, { body }) => socket.write(answer(200, body)));
    const { proxy } = await proxyOver([upstream.url]);
    const { text } = await sendRaw(proxy, request('POST', '/', { Expect: '100-continue' }, 'hello'));
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(text.endsWith('hello')).toBe(true);
    expect(upstream.got[0]!.head).not.toMatch(/expect/i);
  });

  it('to a client of HTTP/1.0 in its way, and cuts its answer by a reset', async () => {
    const upstream = await rawUpstream((socket, { head }) =>
      head.startsWith('GET /cut')
        ? socket.end(EVENTS + event('1'))
        : socket.write(EVENTS + event('1') + event('2') + LAST),
    );
    const { proxy } = await proxyOver([upstream.url]);
    const whole = await sendRaw(proxy, 'GET / HTTP/1.0\r\nHost: p\r\n\r\n');
    expect(whole.body).toBe('data: 1\n\ndata: 2\n\n');
    expect(whole.error).toBeUndefined();
    const cut = await sendRaw(proxy, 'GET /cut HTTP/1.0\r\nHost: p\r\n\r\n');
    expect(cut.error).toBe('ECONNRESET');
  });

  it('the key of the endpoint alone, to that endpoint alone', async () => {
    const first = await rawUpstream((socket) => socket.write(answer(503, 'no')));
    const second = await named('second');
    const { proxy, records } = await proxyOver(
      [
        { url: first.url, key: 'sk-first' },
        { url: second.url, key: 'sk-second', keyHeader: 'x-api-key' },
      ],
      { repeat: 'all' },
    );
    const asked = request('POST', '/?api_key=sk-query', { Authorization: 'Bearer sk-client' }, '{}');
    expect((await sendRaw(proxy, asked)).body).toBe('second');
    expect(first.got[0]!.head).toContain('authorization: Bearer sk-first');
    expect(second.got[0]!.head).toContain('x-api-key: sk-second');
    expect(second.got[0]!.head).not.toMatch(/authorization|sk-client|sk-first/);
    expect(JSON.stringify([records, proxy.status()])).not.toContain('sk-');
  });
});
