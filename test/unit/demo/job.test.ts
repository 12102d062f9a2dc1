// The demo's job, and how it is judged: what must fail a run fails it.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listDocuments } from '../../../src/demo/words/documents.ts';
import { appendEntry, ledgerName, readLedgers } from '../../../src/demo/words/ledger.ts';
import { hashOf, statisticsOf, Tally } from '../../../src/demo/words/statistics.ts';
import { executedTwice } from '../../../src/demo/words/verdict.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-job-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('documents are text files in sorted order, evenly chosen; links, hidden folders and binaries are left out', async () => {
  const root = join(folder, 'tree');
  await mkdir(join(root, 'b', '.cache'), { recursive: true });
  for (const name of ['z.md', 'a.txt', 'LICENSE', 'b/c.ts', 'b/.cache/x.md', 'image.png', 'empty.md']) {
    await writeFile(join(root, name), name === 'empty.md' ? '' : name);
  }
  await symlink(join(root, 'z.md'), join(root, 'link.md'));
  const all = listDocuments(root, 100);
  expect(all.paths).toEqual(['LICENSE', 'a.txt', 'b/c.ts', 'z.md']);
  expect(listDocuments(root, 2)).toMatchObject({ paths: ['LICENSE', 'b/c.ts'], found: 4, bytes: 13 });
});

test('words are counted without regard to case, the most frequent first', () => {
  const content = bytes('One fish, two fish.\nRed FISH, blöd 7 x2');
  expect(statisticsOf(content)).toEqual({
    bytes: 40,
    lines: 2,
    words: 8,
    sha256: hashOf(content),
    top: [
      ['fish', 3],
      ['blöd', 1],
      ['one', 1],
      ['red', 1],
      ['two', 1],
      ['x2', 1],
    ],
  });
});

test('a tally is the same in any order, and another one when a result is missing, doubled or different', () => {
  const documents = ['one two', 'two three', 'three'].map(
    (text, i) => [`f${i}`, statisticsOf(bytes(text))] as const,
  );
  const tallyOf = (list: typeof documents): string => {
    const tally = new Tally();
    for (const [path, statistics] of list) tally.add(path, statistics);
    return tally.fingerprint();
  };
  const right = tallyOf(documents);
  expect(tallyOf(documents.toReversed())).toBe(right);
  expect(tallyOf(documents.slice(1))).not.toBe(right);
  expect(tallyOf([...documents, documents[0]!])).not.toBe(right);
  expect(tallyOf([...documents.slice(1), ['f0', statisticsOf(bytes('one twö'))]])).not.toBe(right);
});

test('the ledgers tell which path was executed twice, in whichever ledgers and by whichever call', async () => {
  const ledgers = join(folder, 'ledgers');
  await mkdir(ledgers);
  const [one, other] = [ledgerName('node-1', 11), ledgerName('node-2', 12)];
  appendEntry(ledgers, one, { call: 'c1', path: 'a.md', sha256: 'aa' });
  appendEntry(ledgers, one, { call: 'c2', path: 'b.md', sha256: 'bb' });
  expect(executedTwice(readLedgers(ledgers))).toEqual([]);
  appendEntry(ledgers, other, { call: 'c3', path: 'a.md', sha256: 'aa' });
  expect(readLedgers(ledgers)).toHaveLength(3);
  expect(executedTwice(readLedgers(ledgers))).toEqual(['a.md']);
});
