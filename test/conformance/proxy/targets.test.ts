// No open proxy: whatever a client names, only the configured upstream is reached.
import { describe, expect, it } from 'vitest';
import { startProxy } from './fronts.ts';
import { startNaiveProxy, type Front } from './naive-proxy.ts';
import { answersIn, say, type RawAnswer } from './raw-client.ts';
import { startUpstream, type Exchange } from './upstreams.ts';

const CLOSE = 'Connection: close\r\n\r\n';

/** Requests that name a host of their own, or a place outside of the upstream's path. `TRAP` is an address. */
const requests: Readonly<Record<string, string>> = {
  'an absolute target': `GET http://TRAP/x HTTP/1.1\r\nHost: TRAP\r\n${CLOSE}`,
  'an absolute target and another host': `GET http://TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'an absolute target with a user': `GET http://proxy.example@TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a target of another scheme': `GET file:///etc/passwd HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a tunnel': `CONNECT TRAP HTTP/1.1\r\nHost: TRAP\r\n\r\nGET / HTTP/1.1\r\nHost: TRAP\r\n${CLOSE}`,
  'the host of another': `GET /x HTTP/1.1\r\nHost: TRAP\r\n${CLOSE}`,
  'the host of another, forwarded': `GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: TRAP\r\nForwarded: host=TRAP\r\n${CLOSE}`,
  'the target of another, forwarded': `GET /x HTTP/1.1\r\nHost: a\r\nX-Original-URL: http://TRAP/\r\nX-Rewrite-URL: http://TRAP/\r\n${CLOSE}`,
  'two slashes': `GET //TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a slash and a backslash': `GET /\\TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'an at sign': `GET @TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'an at sign in the path': `GET /@TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a colon': `GET :80@TRAP/x HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a query alone': `GET ?u=http://TRAP/ HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a URL in the query': `GET /x?u=http://TRAP/ HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a fragment': `GET /x#@TRAP/ HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'an asterisk': `OPTIONS * HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards': `GET /../../secret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards, encoded': `GET /%2e%2e/%2E%2E/secret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards, encoded twice': `GET /%252e%252e/secret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards behind encoded slashes': `GET /x%2f..%2f..%2fsecret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards behind backslashes': `GET /x\\..\\..\\secret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'steps upwards with parameters': `GET /..;a=b/secret HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'a step at the end': `GET /x/.. HTTP/1.1\r\nHost: proxy.example\r\n${CLOSE}`,
  'an upgrade': `GET /x HTTP/1.1\r\nHost: TRAP\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
};

interface Heard {
  readonly answers: readonly RawAnswer[];
  readonly upstream: readonly Exchange[];
  /** Connections to the place that nobody configured. */
  readonly trapped: number;
  readonly host: string;
}

async function tell(request: string, startFront: (urls: string[]) => Promise<Front>): Promise<Heard> {
  await using upstream = await startUpstream(({ response, target }) => void response.end(target));
  await using trap = await startUpstream();
  await using front = await startFront([`${upstream.url}/base`]);
  const text = await say(front.url, request.replaceAll('TRAP', new URL(trap.url).host));
  return {
    answers: answersIn(text),
    upstream: upstream.requests,
    trapped: trap.connections,
    host: new URL(upstream.url).host,
  };
}

describe('a request with', () => {
  it.for(Object.entries(requests))('%s reaches the upstream or nobody', async ([, request]) => {
    const { answers, upstream, trapped, host } = await tell(request, (urls) => startProxy(urls));
    expect(trapped).toBe(0);
    expect(answers).toHaveLength(1);
    if (upstream.length === 0) expect([400, 404, 405, 421, 501]).toContain(answers[0]!.status);
    else expect(answers[0]!.status).toBe(200);
    for (const { target, headers } of upstream) {
      expect(headers.host).toBe(host);
      expect(target).toMatch(/^\/base\//);
      // As any server would resolve it.
      expect(new URL(target, 'http://a').pathname).toMatch(/^\/base(\/|$)/);
    }
  });

  it('a host of its own is seen to get there, through a proxy that is open', async () => {
    const { trapped } = await tell(requests['an absolute target']!, (urls) => startNaiveProxy(urls, 'open'));
    expect(trapped).toBe(1);
  });
});

describe('an answer', () => {
  it.for([301, 302, 307, 308])('that leads elsewhere (%i) is passed on, and not followed', async (status) => {
    await using trap = await startUpstream();
    await using upstream = await startUpstream(
      ({ response }) => void response.writeHead(status, { location: `${trap.url}/x` }).end(),
    );
    await using front = await startProxy([upstream.url]);
    const [answer] = answersIn(
      await say(front.url, `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${CLOSE}`),
    );
    expect(answer).toMatchObject({ status });
    expect(answer!.headers.get('location')).toBe(`${trap.url}/x`);
    expect(trap.connections).toBe(0);
  });
});
