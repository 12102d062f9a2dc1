// The admin server against those who may not ask: other machines, other sites' pages, whoever has no token.
// Invariant of all: a request that was refused ran nothing.
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { checkAdminReach, serveAdmin, type AdminServer } from '../../../src/adapters/admin-server.ts';
import { HoldfastError } from '../../../src/index.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function ask(
  server: AdminServer,
  { path = '/status', method = 'GET', headers = {}, body }: Asked = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: server.host, port: server.port, path, method, headers, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

async function serve(token?: string): Promise<{ server: AdminServer; commands: unknown[] }> {
  const commands: unknown[] = [];
  const page = { status: 200, contentType: 'application/json', body: '{"ok":true}' };
  const server = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    token,
    routes: {
      '/status': { GET: () => page },
      '/do': {
        POST: (body) => {
          commands.push(body);
          return page;
        },
      },
      '/wrong': {
        POST: () => {
          throw new HoldfastError('there is no such endpoint', { code: 'invalid_argument' });
        },
      },
      '/broken': { GET: () => Promise.reject(new Error('a defect')) },
    },
  });
  onTestFinished(() => server.close());
  return { server, commands };
}

const json = { 'content-type': 'application/json' };

test('it gives pages, and takes commands in JSON', async () => {
  const { server, commands } = await serve();
  expect(await ask(server)).toMatchObject({ status: 200, body: '{"ok":true}' });
  expect(await ask(server, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  expect(await ask(server, { path: '/do', method: 'POST', headers: json, body: '{"a":1}' })).toMatchObject({
    status: 200,
  });
  expect(await ask(server, { path: '/do', method: 'POST', headers: json })).toMatchObject({ status: 200 });
  expect(commands).toEqual([{ a: 1 }, undefined]);
});

test('what is wrong with a request is told by status, code and message', async () => {
  const { server } = await serve();
  const post = { method: 'POST', headers: json };
  expect(await ask(server, { path: '/nowhere?a=1' })).toMatchObject({
    status: 404,
    body: expect.stringContaining('there is nothing at /nowhere; there are /status, /do') as string,
  });
  expect(await ask(server, { path: '/toString' })).toMatchObject({ status: 404 });
  expect(await ask(server, { path: '/do' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  expect(await ask(server, { ...post, path: '/status' })).toMatchObject({
    status: 405,
    headers: { allow: 'GET, HEAD' },
  });
  expect(await ask(server, { ...post, path: '/do', body: '{"a":' })).toMatchObject({ status: 400 });
  expect(await ask(server, { ...post, path: '/do', body: 'x'.repeat(70_000) })).toMatchObject({
    status: 413,
  });
  expect(await ask(server, { ...post, path: '/wrong', body: '{}' })).toMatchObject({
    status: 400,
    body: '{"code":"invalid_argument","message":"there is no such endpoint"}\n',
  });
  expect(await ask(server, { path: '/broken' })).toMatchObject({ status: 500 });
});

test.each([
  ['evil.example', 421],
  ['evil.example:80', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.evil.example:7081', 421],
  ['localhost:1', 200],
  ['127.0.0.1', 200],
  ['[::1]:7081', 200],
])('of the name %s in the Host header it makes %i: a rebound name reads nothing', async (host, status) => {
  const { server } = await serve();
  expect(await ask(server, { headers: { host } })).toMatchObject({ status });
});

test('no page of another site reads anything, or runs a command', async () => {
  const { server, commands } = await serve();
  const post = (headers: Record<string, string>): Promise<Answer> =>
    ask(server, { path: '/do', method: 'POST', headers, body: '{}' });
  // What a form can send, with whatever it claims to be.
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
    expect(await post({ 'content-type': type })).toMatchObject({ status: 415 });
  expect(await post({ 'content-type': 'text/plain;application/json' })).toMatchObject({ status: 415 });
  expect(await post({})).toMatchObject({ status: 415 });
  // What a script sends; browsers add these, and scripts cannot take them away.
  expect(await post({ ...json, origin: 'https://evil.example' })).toMatchObject({ status: 403 });
  expect(await post({ ...json, origin: 'null' })).toMatchObject({ status: 403 });
  expect(await post({ ...json, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
  expect(await ask(server, { headers: { 'sec-fetch-site': 'same-site' } })).toMatchObject({ status: 403 });
  // Before a script may send JSON, its browser asks whether it may: it is told no.
  const preflight = await ask(server, {
    path: '/do',
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
  });
  expect(preflight.status).toBe(403);
  expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  expect(commands).toEqual([]);
  // A person who types the address sees the page.
  expect(await ask(server, { headers: { 'sec-fetch-site': 'none' } })).toMatchObject({ status: 200 });
});

test('with a token it answers whoever shows it, whatever name it has, and nobody else', async () => {
  const { server } = await serve('s3cret');
  const shown = (authorization: string, host = 'proxy.example'): Promise<Answer> =>
    ask(server, { headers: { authorization, host } });
  expect(await ask(server)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
  expect(await shown('Bearer wrong')).toMatchObject({ status: 401 });
  expect(await shown('Bearer s3cre')).toMatchObject({ status: 401 });
  expect(await shown('s3cret')).toMatchObject({ status: 401 });
  expect(await shown('Bearer s3cret')).toMatchObject({ status: 200 });
});

test('off loopback it wants a token', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.com', '127.0.0.1.example.com'])
    expect(() => checkAdminReach({ host })).toThrow(/needs a token .*or listen at 127\.0\.0\.1/);
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1'])
    expect(() => checkAdminReach({ host })).not.toThrow();
  expect(() => checkAdminReach({ host: '0.0.0.0', token: 's3cret' })).not.toThrow();
  expect(() => checkAdminReach({ host: '127.0.0.1', token: '' })).toThrow(/is empty/);
});
