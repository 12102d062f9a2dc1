// What makes a commit survive a loss of power: no test can cut the power, so this looks at what SQLite was told.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { requireVersions } from '../../../src/adapters/sqlite-backend.ts';
import { openDatabase } from '../../../src/adapters/sqlite-database.ts';

test('every commit is flushed to the disk, in a write-ahead log', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  // A new file is made with less; one that is there is opened as any other.
  for (const _time of ['new', 'there']) {
    const database = openDatabase(directory);
    const asked = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    expect([asked('journal_mode'), asked('synchronous')]).toEqual(['wal', 2]);
    database.close();
  }
});

test.each([
  ['24.15.0', '3.51.3', 'taken'],
  ['26.0.0', '4.0.0', 'taken'],
  ['24.14.9', '3.51.3', 'refused'],
  ['22.23.3', '3.51.3', 'refused'],
  ['24.15.0', '3.51.2', 'refused'],
  ['24.15.0', '3.50.9', 'refused'],
  ['24.15.0', undefined, 'refused'],
])('Node %s with SQLite %s is %s', (node, sqlite, outcome) => {
  const look = (): void => requireVersions({ ...process.versions, node, sqlite } as NodeJS.ProcessVersions);
  if (outcome === 'taken') expect(look).not.toThrow();
  else expect(look).toThrow(expect.objectContaining({ code: 'unsupported' }));
});
