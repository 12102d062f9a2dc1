// No request target leaves an endpoint's own path, and no endpoint is taken whose URL says more than where it is.
import { describe, expect, it } from 'vitest';
import { pathBelow, readRequestTarget, targetOf } from '../../../../src/endpoints/proxy/target.ts';
import { redactTarget } from '../../../../src/endpoints/proxy/record.ts';

describe('a request target', () => {
  it.each([
    '/',
    '/v1/chat/completions?stream=true',
    '/a.b/..c/c../...',
    '/%20/%2F',
    '//host/x',
    '/x?next=../../y',
    '/models/a;b=1',
  ])('%s is passed on as it is', (target) => {
    expect(readRequestTarget(target)).toEqual({ path: target });
  });

  it.each([
    ['http://evil.test/x', 'absolute'],
    ['evil.test:443', 'absolute'],
    ['', 'absolute'],
    ['*', 'asterisk'],
    ['/a b', 'characters'],
    ['/\u00e4', 'characters'],
    ['/a\r\nx', 'characters'],
    ['/a#b', 'fragment'],
    ['/..', 'dots'],
    ['/a/../b', 'dots'],
    ['/./a', 'dots'],
    ['/%2e%2E/b', 'dots'],
    ['/.%2e/b', 'dots'],
    ['/a%2f..%2fb', 'dots'],
    ['/a\\..\\b', 'dots'],
    ['/a%5c..%5Cb', 'dots'],
    ['/%252e%252e/b', 'dots'],
    ['/..;x/b', 'dots'],
    ['/..%3bx/b', 'dots'],
    ['/..?a', 'dots'],
  ])('%j is refused: %s', (target, problem) => {
    expect(readRequestTarget(target)).toEqual({ problem });
  });
});

describe('an endpoint', () => {
  it('has its path before that of each request', () => {
    const at = (url: string) => pathBelow(targetOf({ id: 'a', url }), '/chat?x=1');
    expect(at('https://a.test')).toBe('/chat?x=1');
    expect(at('https://a.test/')).toBe('/chat?x=1');
    expect(at('https://a.test/v1/')).toBe('/v1/chat?x=1');
  });

  it.each([
    [{ url: 'a.test' }, 'url of a is "a.test"; give http'],
    [{ url: 'ftp://a.test' }, 'url of a is "ftp://a.test"; give http'],
    [{ url: 'https://u:p@a.test' }, 'one with a user on a.test; give its key'],
    [{ url: 'https://a.test/?key=k' }, 'one with a query on a.test'],
    [{ url: 'https://a.test', key: '' }, 'key of a is empty'],
    [{ url: 'https://a.test', key: 'a\r\nb' }, 'key of a has characters'],
    [{ url: 'https://a.test', key: 'k', keyHeader: 'a b' }, 'keyHeader of a is "a b"'],
    [{ url: 'https://a.test', headers: { Host: 'x' } }, 'headers of a is "Host"; the proxy sets'],
    [{ url: 'https://a.test', headers: { x: 'a\nb' } }, 'headers of a: x has characters'],
  ])('with %j is refused', (given, message) => {
    expect(() => targetOf({ id: 'a', ...given })).toThrow(message);
  });

  it('is refused without its key being told', () => {
    expect(() => targetOf({ id: 'a', url: 'https://me:sk-secret@a.test/?k=sk-secret' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('sk-secret') }),
    );
  });
});

it('a target is told without what may be a key', () => {
  expect(redactTarget('/v1?a=1&key=s&api%5Fkey=s&X-Amz-Signature=s&sig=s&access_token=s&design=d')).toBe(
    '/v1?a=1&key=redacted&api%5Fkey=redacted&X-Amz-Signature=redacted&sig=redacted&access_token=redacted&design=d',
  );
  expect(redactTarget('/v1?%E0%A4%A=x&b')).toBe('/v1?%E0%A4%A=x&b');
  expect(redactTarget('/v1')).toBe('/v1');
});
