// The proxy's own life, and what of its pool is seen from outside: sessions, hedges, probes, changes, and the end.
// Invariant: a change reaches requests that begin after it; the end is seen by clients as an error or a cut, never as an answer.
import { describe, expect, it } from 'vitest';
import { createProxy, noLog } from '../../src/index.ts';
import {
  answer,
  event,
  EVENTS,
  LAST,
  named,
  proxyOver,
  rawUpstream,
  request,
  sendRaw,
} from './proxy-upstreams.ts';

const GET = request('GET', '/');

describe('a session', () => {
  it.each([
    [{ header: 'X-Session' }, (id: string) => ({ 'X-Session': id })],
    [{ cookie: 'sid' }, (id: string) => ({ Cookie: `a=b; sid=${id}` })],
  ] as const)('by %o stays with its endpoint', async (affinity, headers) => {
    const all = await Promise.all(['0', '1', '2'].map((name) => named(name)));
    const { proxy } = await proxyOver(
      all.map(({ url }) => url),
      { affinity, selection: 'roundRobin' },
    );
    const ask = async (id: string): Promise<string> =>
      (await sendRaw(proxy, request('GET', '/', headers(id)))).body;
    const [one, other] = [await ask('one'), await ask('other')];
    expect(one).not.toBe(other);
    for (let i = 0; i < 3; i++) expect([await ask('one'), await ask('other')]).toEqual([one, other]);
    expect(proxy.status().pool.sessions).toBe(2);
  });
});

describe('a hedge', () => {
  it('is a second attempt while the first is silent, and the loser is cancelled', async () => {
    const slow = await rawUpstream(() => {});
    const fast = await named('fast');
    const { proxy, over } = await proxyOver([slow.url, fast.url], { hedgeAfterMs: 20 });
    expect((await sendRaw(proxy, GET)).body).toBe('fast');
    const { attempts } = await over(1);
    expect(attempts.map(({ endpoint, verdict }) => [endpoint, verdict])).toEqual([
      ['e0', 'abandoned'],
      ['e1', 'success'],
    ]);
    const { ended } = await slow.connected(1);
    await ended;
    expect(proxy.status().pool.endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  it('is not made of what must not be repeated', async () => {
    const slow = await rawUpstream(() => {});
    const fast = await named('fast');
    const { proxy } = await proxyOver([slow.url, fast.url], {
      hedgeAfterMs: 20,
      timeouts: { firstByteMs: 150 },
    });
    const { status, body } = await sendRaw(proxy, request('POST', '/', {}, '{}'));
    expect([status, JSON.parse(body).error.code]).toEqual([504, 'upstream_timeout']);
    expect(fast.got).toHaveLength(0);
  });
});

describe('a health check', () => {
  const check = { path: '/health?deep=1', status: [200, 204], contains: /"ok": *true/ };

  it('brings an endpoint back when its answer is as it should be, and not before', async () => {
    const says = ['{"ok":false}', '{"ok":true}'];
    const upstream = await rawUpstream((socket, { head }) => {
      if (!head.startsWith('GET /v1/health?deep=1')) return socket.write(answer(500, 'sick'));
      return socket.write(answer(200, says[0]!));
    });
    const { proxy } = await proxyOver([{ url: `${upstream.url}/v1`, key: 'sk-own' }], {
      healthCheck: check,
      consecutiveFailures: 1,
      ejectionMs: 1,
      maxEjectionMs: 1,
      probeIntervalMs: 1,
      rise: 1,
    });
    await sendRaw(proxy, request('POST', '/', {}, '{}'));
    const state = (): string => proxy.status().pool.endpoints[0]!.state;
    await upstream.seen(3);
    expect(state()).not.toBe('healthy');
    says.shift();
    await expect.poll(state).toBe('healthy');
    expect(upstream.got[1]!.head).toContain('authorization: Bearer sk-own');
    expect(proxy.status().pool.endpoints[0]!.failedProbes).toBeGreaterThan(0);
  });

  it('may be a tiny completion', async () => {
    const upstream = await rawUpstream((socket, { head }) =>
      socket.write(answer(head.startsWith('POST /v1/chat') ? 200 : 500, '{"choices":[]}')),
    );
    const { proxy } = await proxyOver([upstream.url], {
      healthCheck: { path: '/v1/chat', body: { model: 'm', max_tokens: 1 }, contains: 'choices' },
      consecutiveFailures: 1,
      ejectionMs: 1,
      maxEjectionMs: 1,
      rise: 1,
    });
    await sendRaw(proxy, request('POST', '/', {}, '{}'));
    expect((await upstream.seen(2)).body).toBe('{"model":"m","max_tokens":1}');
    expect(upstream.got[1]!.head).toContain('content-type: application/json');
  });
});

describe('an update', () => {
  it('takes effect with the next request, keeps those under way, and changes nothing when it is wrong', async () => {
    const first = await rawUpstream((socket, { head }) => {
      if (head.startsWith('GET /stream')) socket.write(EVENTS + event('1'));
      else socket.write(answer(200, 'first'));
    });
    const second = await named('second');
    const { proxy } = await proxyOver([first.url]);
    const stream = sendRaw(proxy, request('GET', '/stream'));
    const { socket } = await first.seen(1);
    expect(() => proxy.update({ endpoints: [{ id: 'x', url: 'nowhere' }] })).toThrow('url of x');
    expect(() => proxy.update({ endpoints: [], token: 't' })).toThrow('endpoints');
    expect((await sendRaw(proxy, GET)).body).toBe('first');
    proxy.update({ endpoints: [{ id: 'e1', url: second.url }], token: 't' });
    expect((await sendRaw(proxy, GET)).status).toBe(401);
    expect((await sendRaw(proxy, request('GET', '/', { Authorization: 'Bearer t' }))).body).toBe('second');
    proxy.update({ token: undefined });
    expect((await sendRaw(proxy, GET)).body).toBe('second');
    socket.write(event('2') + LAST);
    expect((await stream).body).toBe(event('1') + event('2') + LAST);
  });
});

describe('the end', () => {
  it('by draining: what runs ends well, on a connection that closes; nobody new is let in', async () => {
    const upstream = await rawUpstream((socket) => socket.write(EVENTS + event('1')));
    const { proxy, over } = await proxyOver([upstream.url]);
    const stream = sendRaw(proxy, request('GET', '/', { Connection: 'keep-alive' }));
    const { socket } = await upstream.seen(1);
    const drained = proxy.drain();
    expect(proxy.status()).toMatchObject({ state: 'draining', active: 1 });
    expect((await sendRaw(proxy, GET)).error).toBe('ECONNREFUSED');
    socket.write(event('2') + LAST);
    expect((await stream).body).toBe(event('1') + event('2') + LAST);
    await Promise.all([drained, proxy.stopped, proxy.drain(), proxy.stop()]);
    expect((await over(1)).outcome).toBe('answered');
    expect(proxy.status().state).toBe('stopped');
  });

  it('by draining for too long: what is left is cut, and says so', async () => {
    const upstream = await rawUpstream((socket) => socket.write(EVENTS + event('1')));
    const { proxy, over } = await proxyOver([upstream.url]);
    const stream = sendRaw(proxy, GET);
    await upstream.seen(1);
    await proxy.drain(50);
    const { body } = await stream;
    expect(body).toContain('"code":"proxy_stopping"');
    expect(body.endsWith(LAST)).toBe(false);
    expect((await over(1)).outcome).toBe('cut');
  });

  it('at once: requests without an answer get an error', async () => {
    const upstream = await rawUpstream(() => {});
    const { proxy, over } = await proxyOver([upstream.url]);
    const asked = sendRaw(proxy, GET);
    await upstream.seen(1);
    await proxy.stop();
    const { status, body } = await asked;
    expect([status, JSON.parse(body).error.code]).toEqual([503, 'proxy_stopping']);
    expect((await over(1)).outcome).toBe('failed');
  });

  it('before the beginning: a port that is taken is said, and nothing is left open', async () => {
    const { proxy } = await proxyOver(['http://127.0.0.1:9']);
    const endpoints = [{ id: 'a', url: 'http://127.0.0.1:9' }];
    await expect(createProxy({ endpoints, port: proxy.port, log: noLog() })).rejects.toThrow('EADDRINUSE');
  });
});

it.each([
  [{ endpoints: [] }, 'endpoints is a list of 0'],
  [{ port: 70_000 }, 'port is 70000'],
  [{ timeouts: { idleMs: 0 } }, 'timeouts.idleMs is 0'],
  [{ limits: { headerBytes: 1 } }, 'limits.headerBytes is 1'],
  [{ repeat: 'never' as 'all' }, 'repeat is "never"; choose'],
  [{ affinity: { header: 'a b' } }, 'affinity is "a b"'],
  [{ hedgeAfterMs: 1.5 }, 'hedgeAfterMs is 1.5'],
  [{ token: '' }, 'token is empty'],
  [{ healthCheck: { path: 'health' } }, 'healthCheck.path is "health"'],
  [{ healthCheck: { status: 42 } }, 'healthCheck.status is 42'],
])('%j is refused', async (options, message) => {
  const endpoints = [{ id: 'a', url: 'http://127.0.0.1:9' }];
  await expect(createProxy({ endpoints, log: noLog(), ...options })).rejects.toThrow(message);
});
