// A file of lines: whole, in order, bounded in memory, and clear about a disk that is full.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openLineFile } from '../../../src/adapters/line-file.ts';
import type { HoldfastError } from '../../../src/protocol/errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lines-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const never = { onFailed: (error: HoldfastError) => expect.unreachable(error.message) };

it('writes what waits when it is closed, and nothing afterwards', () => {
  const path = join(folder, 'log');
  const file = openLineFile(path, never);
  file.write('one\n');
  expect(readFileSync(path, 'utf8')).toBe('');
  file.close();
  file.close();
  file.write('two\n');
  expect(readFileSync(path, 'utf8')).toBe('one\n');
});

it('writes what waits within 50 ms, and at once when it is much', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const path = join(folder, 'log');
  const file = openLineFile(path, never);
  file.write('one\n');
  vi.advanceTimersByTime(50);
  expect(readFileSync(path, 'utf8')).toBe('one\n');
  file.write(`${'x'.repeat(65_536)}\n`);
  expect(readFileSync(path, 'utf8')).toHaveLength(4 + 65_537);
  file.close();
});

it('keeps what the file holds, and ends a line that a crash had cut', () => {
  const path = join(folder, 'log');
  writeFileSync(path, 'whole\ncu');
  const file = openLineFile(path, never);
  file.write('next\n');
  file.close();
  expect(readFileSync(path, 'utf8')).toBe('whole\ncu\nnext\n');
});

it('refuses a file in a folder that does not exist, with the path and the remedy', () => {
  const path = join(folder, 'nowhere', 'log');
  expect(() => openLineFile(path, never)).toThrow(
    /cannot write .*nowhere.*ENOENT.*give a file in a folder that exists/,
  );
});

it('says once that the disk is full, and takes no more', () => {
  const failures: HoldfastError[] = [];
  const file = openLineFile('/dev/full', { onFailed: (error) => failures.push(error) });
  for (let i = 0; i < 3; i++) file.write(`${'x'.repeat(65_536)}\n`);
  file.close();
  expect(failures.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^\/dev\/full ends here: ENOSPC.*make room, or name another file/),
  ]);
});
