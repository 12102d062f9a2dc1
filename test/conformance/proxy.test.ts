// What a client of the proxy sees when upstreams answer, and when they fail, over real sockets.
// Invariant: an answer is whole, or an error that says so, or seen to be cut.
import { expect, it } from 'vitest';
import {
  answer,
  chunk,
  deadUrl,
  event,
  EVENTS,
  LAST,
  named,
  proxyOver,
  rawUpstream,
  request,
  sendRaw,
  unchunked,
} from './proxy-upstreams.ts';

const POST = request('POST', '/v1/chat', { 'Content-Type': 'application/json' }, '{"model":"m"}');
const GET = request('GET', '/v1/models');

it('passes a request on as it is, and the answer back', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.write(answer(201, '{"ok":true}', { 'content-type': 'application/json', 'x-one': '1' })),
  );
  const { proxy, over } = await proxyOver([`${upstream.url}/base/`]);
  const { status, head, body } = await sendRaw(
    proxy,
    request('POST', '/chat?a=1', { 'X-Custom': 'yes', Authorization: 'Bearer client' }, '{"b":2}'),
  );
  expect(status).toBe(201);
  expect(head).toContain('x-one: 1');
  expect(body).toBe('{"ok":true}');
  const [got] = upstream.got;
  expect(got!.head).toMatch(/^POST \/base\/chat\?a=1 HTTP\/1\.1\r\n/);
  expect(got!.head).toContain('x-custom: yes');
  expect(got!.head).toContain('authorization: Bearer client');
  expect(got!.head).not.toContain('proxy.test');
  expect(got!.body).toBe('{"b":2}');
  expect(await over(1)).toMatchObject({ outcome: 'answered', status: 201, endpoint: 'e0', bytes: 11 });
});

it('goes to the next endpoint when one cannot be reached, though the request must not be repeated', async () => {
  const upstream = await named('second');
  const { proxy, over } = await proxyOver([await deadUrl(), upstream.url]);
  expect((await sendRaw(proxy, POST)).body).toBe('second');
  const { attempts } = await over(1);
  expect(attempts.map(({ endpoint, fault }) => [endpoint, fault])).toEqual([
    ['e0', 'connect_failed'],
    ['e1', undefined],
  ]);
});

it('goes to the next endpoint on 429, and passes the last answer on with its Retry-After when all refuse', async () => {
  const busy = answer(429, 'busy', { 'retry-after': '7' });
  const first = await rawUpstream((socket) => socket.write(busy));
  const second = await rawUpstream((socket) =>
    socket.write(second.got.length > 1 ? busy : answer(200, 'ok')),
  );
  const { proxy } = await proxyOver([first.url, second.url], { consecutiveFailures: 100 });
  expect((await sendRaw(proxy, POST)).body).toBe('ok');
  const { status, head, body } = await sendRaw(proxy, POST);
  expect([status, body]).toEqual([429, 'busy']);
  expect(head).toContain('retry-after: 7');
});

it('repeats what is not idempotent only when it is told to', async () => {
  for (const repeat of ['idempotent', 'all'] as const) {
    const first = await rawUpstream((socket) => socket.write(answer(500, 'broken')));
    const second = await named('second');
    const { proxy } = await proxyOver([first.url, second.url], { repeat });
    const { body } = await sendRaw(proxy, POST);
    expect(body).toBe(repeat === 'all' ? 'second' : 'broken');
    expect((await sendRaw(proxy, request('POST', '/x', { 'Idempotency-Key': 'k' }, '{}'))).body).toBe(
      'second',
    );
  }
});

it('says clearly that a request may have happened, and makes no second one', async () => {
  const first = await rawUpstream((socket) => socket.destroy());
  const second = await named('second');
  const { proxy } = await proxyOver([first.url, second.url]);
  const { status, body } = await sendRaw(proxy, POST);
  expect(status).toBe(502);
  expect(JSON.parse(body)).toMatchObject({
    type: 'error',
    error: { type: 'api_error', code: 'upstream_failed', message: expect.stringContaining('not idempotent') },
  });
  expect(second.got).toHaveLength(0);
});

it('passes the answer of another endpoint on when a stream dies, errs or ends before its first event', async () => {
  const starts = [
    EVENTS + chunk(': ping\n\n') + chunk('data: half'),
    EVENTS + chunk('event: ping\ndata: {}\n\n') + event('{"error":{"message":"overloaded"}}') + LAST,
    EVENTS + chunk('event: error\ndata: {"type":"error"}\n\n') + LAST,
    EVENTS + LAST,
  ];
  for (const start of starts) {
    const first = await rawUpstream((socket) => socket.end(start));
    const second = await rawUpstream((socket) =>
      socket.write(EVENTS + event('{"n":1}') + event('[DONE]') + LAST),
    );
    const { proxy, over } = await proxyOver([first.url, second.url], { repeat: 'all' });
    const { body } = await sendRaw(proxy, POST);
    expect(unchunked(body)).toBe('data: {"n":1}\n\ndata: [DONE]\n\n');
    const { attempts } = await over(1);
    expect(attempts.map(({ verdict }) => verdict)).toEqual(['failure', 'success']);
  }
});

it('ends a stream that dies after its first event with an error event, and cuts the connection', async () => {
  const first = await rawUpstream((socket) => socket.end(EVENTS + event('{"n":1}') + chunk('data: {"n":')));
  const second = await named('second');
  const { proxy, over } = await proxyOver([first.url, second.url], { repeat: 'all' });
  const { body } = await sendRaw(proxy, POST);
  expect(body).toMatch(/data: \{"n":1\}\n\n/);
  expect(body).not.toContain('{"n":\n');
  expect(body).toMatch(
    /data: \{"type":"error","error":\{"type":"api_error".*"code":"upstream_failed".*\}\}\n\n/,
  );
  expect(body.endsWith(LAST)).toBe(false);
  expect(second.got).toHaveLength(0);
  expect(await over(1)).toMatchObject({ outcome: 'cut', endpoint: 'e0' });
});

it('takes an answer that is shorter than it said for broken, and never passes it on', async () => {
  const first = await rawUpstream((socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"half":'),
  );
  const second = await named('second');
  const { proxy, over } = await proxyOver([first.url, second.url]);
  expect((await sendRaw(proxy, GET)).body).toBe('second');
  expect((await over(1)).attempts[0]).toMatchObject({ fault: 'broken_body', verdict: 'failure' });
});

it('lets no answer that breaks in the middle look complete', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunk('half')}`),
  );
  const { proxy, over } = await proxyOver([upstream.url]);
  const { body } = await sendRaw(proxy, GET);
  expect(body).toBe(chunk('half'));
  expect((await over(1)).outcome).toBe('cut');
});

it('gives up an endpoint that is silent, before its answer and within it', async () => {
  const mute = await rawUpstream(() => {});
  const stuck = await rawUpstream((socket) => socket.write(EVENTS));
  const third = await named('third');
  const { proxy, over } = await proxyOver([mute.url, stuck.url, third.url], {
    timeouts: { firstByteMs: 60, idleMs: 60 },
  });
  expect((await sendRaw(proxy, GET)).body).toBe('third');
  const { attempts } = await over(1);
  expect(attempts.map(({ fault }) => fault)).toEqual(['first_byte_timeout', 'idle_timeout', undefined]);
});
