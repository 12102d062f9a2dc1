// Which directory a `file:` URL means.
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { storeDirectory } from '../../../src/adapters/store-url.ts';

test.each([
  ['file:./data', resolve('data')],
  ['file:data', resolve('data')],
  ['file:../100% mine', resolve('../100% mine')],
  ['file:/srv/data', '/srv/data'],
  ['file:///srv/my%20data', '/srv/my data'],
])('%s is %s', (url, directory) => {
  expect(storeDirectory(url)).toBe(directory);
});

test.each(['file:', 'file://host/data', 'file:///a%2Fb', 'file:a\0b'])('%j is no store', (url) => {
  expect(() => storeDirectory(url)).toThrow(/is no store: .*; give file:/);
});
