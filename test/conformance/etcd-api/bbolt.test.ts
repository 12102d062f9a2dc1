// Database files of any shape, read by bbolt itself: `etcdctl snapshot status` checks every page and hashes all rows.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bboltFile, type Bucket } from '../../../src/store/etcd-api/bbolt.ts';
import { Crc32c } from '../../../src/store/etcd-api/crc32c.ts';
import { revisionBytes, type Row } from '../../../src/store/etcd-api/history.ts';
import { etcdctl } from './etcdctl.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bbolt-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function statusOf(pages: readonly Uint8Array[]): Promise<object> {
  const file = join(folder, 'some.db');
  const sha256 = createHash('sha256');
  for (const page of pages) sha256.update(page);
  await writeFile(file, Buffer.concat([...pages, sha256.digest()]));
  const { stdout, error } = await etcdctl('', ['snapshot', 'status', file, '-w', 'json']);
  expect(error).toBe('');
  return JSON.parse(stdout) as object;
}

function hashOf(buckets: readonly Bucket[]): number {
  const hash = new Crc32c();
  for (const { name, rows } of [...buckets].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(new TextEncoder().encode(name));
    for (const { key, value } of rows) hash.update(key).update(value);
  }
  return hash.digest();
}

function rows(count: number, sizeOf: (n: number) => number): Row[] {
  return Array.from({ length: count }, (_, n) => ({
    key: revisionBytes(n + 2, 0, n % 3 === 0 ? 'delete' : 'put'),
    value: new Uint8Array(sizeOf(n)).fill(n),
  }));
}

describe('a database file', () => {
  const shapes: Record<string, Row[]> = {
    'no rows': [],
    'one row': rows(1, () => 10),
    'rows without values': rows(300, () => 0),
    'a page that is just full': rows(2, () => (4_096 - 16 - 2 * (16 + 18)) / 2),
    'values longer than a page': rows(20, (n) => n * 5_000),
    'three levels of pages': rows(30_000, (n) => n % 90),
  };

  it.each(Object.entries(shapes))('with %s is what bbolt reads', async (_, some) => {
    const buckets = [
      { name: 'key', rows: some },
      { name: 'alarm', rows: [] },
      { name: 'meta', rows: rows(3, () => 8) },
    ];
    const status = await statusOf(bboltFile(buckets));
    expect(status).toMatchObject({
      hash: hashOf(buckets),
      revision: some.length === 0 ? 0 : some.length + 1,
      totalKey: some.length + 3,
    });
  });

  it('with a byte that is not what it was has another hash', async () => {
    const buckets = [{ name: 'key', rows: rows(10, () => 100) }];
    const pages = bboltFile(buckets);
    pages[3]![1_000]! ^= 1;
    expect(await statusOf(pages)).not.toMatchObject({ hash: hashOf(buckets) });
  });
});
