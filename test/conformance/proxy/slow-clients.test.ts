// Clients that send too much, too slowly or not at all, and clients that do not read.
import { describe, expect, it } from 'vitest';
import { within } from '../../chaos/eventually.ts';
import { startProxy } from './fronts.ts';
import { answersIn, dial, say } from './raw-client.ts';
import { startUpstream } from './upstreams.ts';

const HEAD = 'POST /x HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n';
const ended = (socket: ReturnType<typeof dial>) =>
  new Promise<void>((resolve) => socket.once('close', () => resolve()));

describe.concurrent('a request that is too large', () => {
  const tooLarge: Readonly<Record<string, readonly [status: number, bytes: string]>> = {
    'in one header': [431, `${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`],
    'in many headers': [431, `${HEAD}${'X: y\r\n'.repeat(4_000)}\r\n`],
    'in its target': [431, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: proxy.example\r\n\r\n`],
    'in the length that it announces': [413, `${HEAD}Content-Length: 100001\r\n\r\n`],
    'in its chunks': [
      413,
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n${`2710\r\n${'x'.repeat(10_000)}\r\n`.repeat(11)}0\r\n\r\n`,
    ],
    'in the first of its chunks': [
      413,
      `${HEAD}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n${'x'.repeat(200_000)}`,
    ],
  };

  it.for(Object.entries(tooLarge))('%s is refused, and no upstream has it', async ([, [status, bytes]]) => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url], { limits: { bodyBytes: 100_000 } });
    const [answer] = answersIn(await say(proxy.url, bytes));
    expect(answer?.status).toBe(status);
    expect(JSON.parse(answer!.body)).toMatchObject({ type: 'error' });
    expect(upstream.requests).toEqual([]);
  });

  it('by a byte is refused; without that byte it is not', async () => {
    await using upstream = await startUpstream(
      ({ response, body }) => void response.end(String(body.length)),
    );
    await using proxy = await startProxy([upstream.url], { limits: { bodyBytes: 1_000 } });
    const ask = async (length: number) => {
      const body = `Content-Length: ${length}\r\n\r\n${'x'.repeat(length)}`;
      return answersIn(await say(proxy.url, HEAD + body))[0]!;
    };
    expect(await ask(1_000)).toMatchObject({ status: 200, body: '1000' });
    expect(await ask(1_001)).toMatchObject({ status: 413 });
  });
});

describe.concurrent('a client that', () => {
  const times = { headersMs: 300, idleMs: 300, keepAliveMs: 300 };

  it('sends its headers a byte at a time is cut off', async () => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url], { timeouts: times });
    const socket = dial(proxy.url);
    let [sent, text] = [0, ''];
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    const dripping = setInterval(() => socket.write(`X-${(sent += 1)}: y\r\n`), 20);
    socket.write(HEAD);
    await within('the end of the connection', ended(socket), 10_000);
    clearInterval(dripping);
    expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/);
    expect(upstream.requests).toEqual([]);
  });

  it('says nothing at all is cut off', async () => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url], { timeouts: times });
    await within('the end of the connection', ended(dial(proxy.url)), 10_000);
  });

  it('stops in the middle of its body is cut off', async () => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url], { timeouts: times });
    const socket = dial(proxy.url);
    socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`);
    await within('the end of the connection', ended(socket), 10_000);
    expect(upstream.requests).toEqual([]);
  });

  it('has asked, and asks nothing more, is let go of', async () => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url], { timeouts: times });
    const socket = dial(proxy.url);
    socket.write('GET /x HTTP/1.1\r\nHost: proxy.example\r\n\r\n');
    await within('the end of the connection', ended(socket), 10_000);
    expect(upstream.requests).toHaveLength(1);
  });

  it('goes in the middle of its body leaves nothing behind', async () => {
    await using upstream = await startUpstream();
    await using proxy = await startProxy([upstream.url]);
    const socket = dial(proxy.url);
    socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`, () => socket.resetAndDestroy());
    await ended(socket);
    // The next one is served.
    const [answer] = answersIn(
      await say(proxy.url, `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    );
    expect(answer).toMatchObject({ status: 200 });
    expect(upstream.requests).toHaveLength(1);
  });
});

describe.concurrent('a client that does not read', () => {
  const CHUNK = Buffer.alloc(65_536, 'x');
  const CHUNKS = 1_024;

  it('holds its upstream back, and loses nothing when it does', async () => {
    let sent = 0;
    const stalled = Promise.withResolvers<void>();
    await using upstream = await startUpstream(async ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      for (; sent < CHUNKS; sent++) {
        if (response.write(CHUNK)) continue;
        const stall = setTimeout(() => stalled.resolve(), 500);
        await new Promise((resolve) => response.once('drain', resolve));
        clearTimeout(stall);
      }
      response.end();
      stalled.resolve();
    });
    await using proxy = await startProxy([upstream.url]);
    const socket = dial(proxy.url);
    socket.pause();
    socket.write('GET /x HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n');
    await stalled.promise;
    // The platform's buffers take some of the 64 MiB; the proxy takes next to nothing.
    expect(sent).toBeLessThan(CHUNKS / 2);
    const read: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => read.push(bytes));
    socket.resume();
    await ended(socket);
    const [answer] = answersIn(Buffer.concat(read).toString('latin1'));
    expect(answer?.body.length).toBe(CHUNK.length * CHUNKS);
  });
});
