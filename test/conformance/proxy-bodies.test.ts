// Bodies on their way up and down: sent again from their first byte, or not at all; held in bounded memory.
// Invariant: an upstream never gets a part of a body that looks whole.
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  answer,
  chunk,
  event,
  EVENTS,
  LAST,
  named,
  proxyOver,
  rawUpstream,
  request,
  sendRaw,
} from './proxy-upstreams.ts';

const LONG = 'abcdefgh'.repeat(40_000);

describe('a long body', () => {
  it('goes to the next endpoint whole, when it was kept', async () => {
    const first = await rawUpstream((socket) => socket.write(answer(503, 'busy')));
    const second = await rawUpstream((socket, { body }) => socket.write(answer(200, String(body.length))));
    const { proxy, over } = await proxyOver([first.url, second.url], { repeat: 'all' });
    const { status, body } = await sendRaw(proxy, request('POST', '/', {}, LONG));
    expect([status, body]).toEqual([200, String(LONG.length)]);
    expect(second.got[0]!.body).toBe(LONG);
    expect((await over(1)).attempts).toHaveLength(2);
    expect(proxy.status().replayBytes).toBe(0);
  });

  it('in chunks of unknown number goes up in chunks, and again', async () => {
    const first = await rawUpstream((socket) => socket.destroy());
    const second = await rawUpstream((socket, { body }) => socket.write(answer(200, body)));
    const { proxy } = await proxyOver([first.url, second.url], { repeat: 'all' });
    const { body } = await sendRaw(
      proxy,
      `POST / HTTP/1.1\r\nHost: p\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('one')}${chunk('two')}${LAST}`,
    );
    expect(body.replaceAll(/\r\n|\b[0-9a-f]+\r\n/g, '')).toBe('onetwo');
    expect(second.got[0]!.head).toMatch(/transfer-encoding: chunked/);
  });

  it('that was sent and is too long to be kept is not sent again, and the client is told why', async () => {
    const first = await rawUpstream((socket) => socket.destroy());
    const second = await named('second');
    const { proxy } = await proxyOver([first.url, second.url], {
      repeat: 'all',
      limits: { replayBytes: 1_000 },
    });
    const { status, body } = await sendRaw(proxy, request('POST', '/', {}, LONG));
    expect(status).toBe(502);
    expect(JSON.parse(body).error.message).toContain('limits.replayBytes');
    expect(second.got).toHaveLength(0);
  });

  it('that is answered before it is whole does not hold the answer up', async () => {
    const upstream = await rawUpstream(() => {});
    const { proxy, over } = await proxyOver([upstream.url]);
    const socket = connect(proxy.port, proxy.host);
    const answered = new Promise<string>((resolve) =>
      socket.once('data', (bytes) => resolve(bytes.toString())),
    );
    socket.write(`${request('POST', '/', { 'Content-Length': '100000' })}the first of them`);
    const { socket: up } = await upstream.connected(1);
    await new Promise((resolve) => up.once('data', resolve));
    up.write(answer(403, 'no'));
    expect(await answered).toMatch(/^HTTP\/1\.1 403/);
    expect(await over(1)).toMatchObject({ outcome: 'answered', status: 403 });
    socket.destroy();
  });

  it('that its client leaves unfinished reaches no upstream as a whole one', async () => {
    const upstream = await rawUpstream(() => {});
    const { proxy, over } = await proxyOver([upstream.url], { repeat: 'all' });
    const socket = connect(proxy.port, proxy.host);
    socket.write(`POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('half')}`);
    const { socket: up, ended } = await upstream.connected(1);
    await new Promise((resolve) => up.once('data', resolve));
    socket.destroy();
    expect(await ended).not.toContain(LAST);
    expect(await over(1)).toMatchObject({ outcome: 'cancelled' });
    expect(upstream.got).toHaveLength(0);
    expect(proxy.status().pool.endpoints[0]).toMatchObject({ abandonedRequests: 1, failedRequests: 0 });
  });
});

describe('a stream', () => {
  it('is passed on event by event, each as soon as it is whole', async () => {
    const upstream = await rawUpstream((socket) => socket.write(EVENTS + chunk('data: 1\n')));
    const { proxy } = await proxyOver([upstream.url]);
    const socket = connect(proxy.port, proxy.host);
    let read = '';
    const has = async (text: string): Promise<void> => {
      while (!read.includes(text)) await new Promise((resolve) => socket.once('data', resolve));
    };
    socket.on('data', (bytes) => {
      read += bytes.toString();
    });
    socket.write(request('GET', '/'));
    const { socket: up } = await upstream.seen(1);
    // Not one byte before the event is whole: the head would be the commitment.
    up.write(chunk('\ndata: 2\n\ndata: 3'));
    await has('data: 1\n\ndata: 2\n\n');
    expect(read).not.toContain('data: 3');
    up.write(chunk('\n\n'));
    await has('data: 3\n\n');
    up.write(event('4') + LAST);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(read.endsWith(`${event('4')}${LAST}`)).toBe(true);
  });

  it('that its client does not read holds its upstream back', async () => {
    let written = 0;
    const upstream = await rawUpstream((socket) => {
      socket.write(EVENTS);
      const big = event('x'.repeat(60_000));
      const more = (): void => {
        while (written < 400 && socket.write(big)) written += 1;
        if (written < 400) {
          written += 1;
          socket.once('drain', more);
        }
      };
      more();
    });
    const { proxy, over } = await proxyOver([upstream.url], { timeouts: { idleMs: 300 } });
    const socket = connect(proxy.port, proxy.host);
    socket.on('error', () => {});
    socket.pause();
    socket.write(request('GET', '/'));
    // It never reads: it is cut off, and until then the upstream could not write all.
    expect(await over(1)).toMatchObject({
      outcome: 'cancelled',
      problem: 'the client does not take the answer',
    });
    expect(written).toBeLessThan(400);
    expect(proxy.status().pool.endpoints[0]).toMatchObject({ failedRequests: 0, abandonedRequests: 1 });
    socket.destroy();
  });
});
