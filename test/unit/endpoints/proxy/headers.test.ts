// Which headers go on, and which end at the proxy.
import { describe, expect, it } from 'vitest';
import {
  headersFor,
  readAnswerHeaders,
  readRequestHeaders,
  withLocation,
} from '../../../../src/endpoints/proxy/headers.ts';
import { mayRepeat, sessionOf, withoutToken } from '../../../../src/endpoints/proxy/intake.ts';
import { targetOf } from '../../../../src/endpoints/proxy/target.ts';

const url = 'https://a.test/v1';

describe("a request's headers", () => {
  it('go on, but for those of the connection and those that it lists', () => {
    const { forward } = readRequestHeaders([
      'Host',
      'proxy.test',
      'Connection',
      'keep-alive, X-Hop, content-length',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=5',
      'TE',
      'trailers',
      'Transfer-Encoding',
      'chunked',
      'Proxy-Authorization',
      'Basic x',
      'Expect',
      '100-continue',
      'Upgrade',
      'h2c',
      'Content-Length',
      '3',
      'X-Two',
      'a',
      'X-Two',
      'b',
    ]);
    expect(forward).toEqual(['content-length', '3', 'x-two', 'a', 'x-two', 'b']);
  });

  const client = ['Authorization', 'Bearer client', 'X-Api-Key', 'client', 'Accept', '*/*'];

  it('carry the credentials of the client to an endpoint that has none', () => {
    const target = targetOf({ id: 'a', url, headers: { 'X-Org': 'o' } });
    expect(headersFor(target, readRequestHeaders(client), ['via', 'p'])).toEqual([
      'accept',
      '*/*',
      'authorization',
      'Bearer client',
      'x-api-key',
      'client',
      'x-org',
      'o',
      'via',
      'p',
    ]);
  });

  it('carry the key of the endpoint, and then none of the client', () => {
    const bearer = targetOf({ id: 'a', url, key: 'own' });
    expect(headersFor(bearer, readRequestHeaders(client), [])).toEqual([
      'accept',
      '*/*',
      'authorization',
      'Bearer own',
    ]);
    const named = targetOf({ id: 'a', url, key: 'own', keyHeader: 'X-API-Key' });
    expect(headersFor(named, readRequestHeaders(client), [])).toEqual(['accept', '*/*', 'x-api-key', 'own']);
  });

  it('give way to those of the endpoint', () => {
    const target = targetOf({ id: 'a', url, headers: { Accept: 'text/plain' } });
    expect(headersFor(target, readRequestHeaders(['ACCEPT', '*/*']), [])).toEqual(['accept', 'text/plain']);
  });

  it('ask for no compression of what is looked into', () => {
    const target = targetOf({ id: 'a', url });
    const headers = readRequestHeaders(['Accept-Encoding', 'gzip', 'Accept-Encoding', 'br']);
    expect(headersFor(target, headers, [])).toEqual(['accept-encoding', 'gzip, br']);
    expect(headersFor(target, headers, [], 'plain')).toEqual(['accept-encoding', 'identity']);
  });

  it('do not carry the token of the proxy', () => {
    const { credentials } = readRequestHeaders(client);
    expect(withoutToken(credentials, 'client')).toEqual([]);
    expect(withoutToken(credentials, 'other')).toHaveLength(4);
  });

  it('tell whether a request may be repeated, and its session', () => {
    const none = readRequestHeaders([]);
    expect(['GET', 'HEAD', 'PUT', 'DELETE'].every((method) => mayRepeat(method, none, 'idempotent'))).toBe(
      true,
    );
    expect(['POST', 'PATCH'].some((method) => mayRepeat(method, none, 'idempotent'))).toBe(false);
    expect(mayRepeat('POST', readRequestHeaders(['Idempotency-Key', 'k']), 'idempotent')).toBe(true);
    expect(mayRepeat('POST', none, 'all')).toBe(true);
    const headers = ['Cookie', 'a=1; sid=s=7 ; b=2', 'X-Session', 'x'];
    expect(sessionOf(headers, { cookie: 'sid' })).toBe('s=7');
    expect(sessionOf(headers, { header: 'x-Session' })).toBe('x');
    expect(sessionOf(headers, { cookie: 'c' })).toBeUndefined();
    expect(sessionOf(headers, undefined)).toBeUndefined();
  });
});

describe("an answer's headers", () => {
  it('go on, but for those of the connection', () => {
    const read = readAnswerHeaders([
      'connection',
      'close, x-hop',
      'x-hop',
      '1',
      'transfer-encoding',
      'chunked',
      'set-cookie',
      'a',
      'set-cookie',
      'b',
      'retry-after',
      '3',
    ]);
    expect(read.forward).toEqual(['set-cookie', 'a', 'set-cookie', 'b', 'retry-after', '3']);
    expect(read).toMatchObject({ retryAfter: '3', contentLength: undefined, contentType: '' });
  });

  it('lead a redirect below the endpoint back through the proxy', () => {
    const target = targetOf({ id: 'a', url });
    const to = (location: string) => withLocation(['location', location], target)[1];
    expect(to('https://a.test/v1/files/7')).toBe('/files/7');
    expect(to('https://a.test/v2/files/7')).toBe('https://a.test/v2/files/7');
    expect(to('https://a.test.evil/v1/')).toBe('https://a.test.evil/v1/');
    expect(to('/relative')).toBe('/relative');
  });
});
