import { expect, test } from 'vitest';
import { parseEtcdUrl } from '../../../src/store/etcd/url.ts';

test('a URL names the members, the user and whether there is TLS', () => {
  expect(parseEtcdUrl('etcd://127.0.0.1:2379')).toEqual({
    security: 'plain',
    endpoints: ['127.0.0.1:2379'],
    user: undefined,
  });
  expect(parseEtcdUrl('etcds://ann:p%40ss:w%2Ford@a.example,b.example:12379,[::1]:2380/')).toEqual({
    security: 'tls',
    endpoints: ['a.example:2379', 'b.example:12379', '[::1]:2380'],
    user: { name: 'ann', password: 'p@ss:w/ord' },
  });
});

test.each([
  'etcd://',
  'etcd://host:0',
  'etcd://host:65536',
  'etcd://host:port',
  'etcd://a,,b',
  'etcd://a/path',
  'etcd://a?b=c',
  'http://host:2379',
  'etcd://user@host',
  'etcd://:secret@host',
  'etcd://user:%zz@host',
])('%s is refused, with what to write instead', (url) => {
  expect(() => parseEtcdUrl(url)).toThrow(
    expect.objectContaining({ code: 'invalid_option', message: expect.stringMatching(/no etcd URL: \S/) }),
  );
});

test('a password is never shown', () => {
  for (const url of [
    'etcd://ann:secret@host:0',
    'etcd://ann:secret@',
    'http://ann:secret@host',
    'etcd://ann:se@secret@host',
  ])
    expect(() => parseEtcdUrl(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
});
