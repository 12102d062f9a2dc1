// When a changed file is told: whatever way it was changed, once, and not while it is still being written.
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { StampedFiles, watchFiles } from '../../../src/cli/file-changes.ts';

const LOOK_MS = 500;

interface Watched {
  readonly folder: string;
  readonly file: string;
  /** How often a change was told after so many looks more. */
  looks(times: number): number;
  read(): void;
}

function watched(reads: 'reads when told' | 'cannot use it' = 'reads when told'): Watched {
  vi.useFakeTimers();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-changes-'));
  const file = join(folder, 'config.json');
  writeFileSync(file, 'first');
  let files = new StampedFiles();
  const read = (): void => {
    files = new StampedFiles();
    files.read(file);
  };
  read();
  let told = 0;
  const stop = watchFiles(
    () => files.stamps,
    () => {
      told += 1;
      if (reads === 'reads when told') read();
    },
  );
  onTestFinished(() => {
    stop();
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  });
  const looks = (times: number): number => {
    told = 0;
    vi.advanceTimersByTime(times * LOOK_MS);
    return told;
  };
  return { folder, file, looks, read };
}

test('a file that stays is not told; one that was written is, once it is whole', () => {
  const { file, looks } = watched();
  expect(looks(5)).toBe(0);
  writeFileSync(file, 'half');
  expect(looks(1)).toBe(0);
  writeFileSync(file, 'half and half');
  expect(looks(1)).toBe(0);
  expect(looks(1)).toBe(1);
  expect(looks(5)).toBe(0);
});

test('a file that was replaced, or whose link was turned, is told', () => {
  const { folder, file, looks } = watched();
  writeFileSync(`${file}.new`, 'other');
  renameSync(`${file}.new`, file);
  expect(looks(2)).toBe(1);
  // As a volume of Kubernetes does it.
  writeFileSync(join(folder, 'v1'), 'one');
  writeFileSync(join(folder, 'v2'), 'two');
  for (const version of ['v1', 'v2']) {
    symlinkSync(version, join(folder, 'link'));
    renameSync(join(folder, 'link'), file);
    expect(looks(2)).toBe(1);
    expect(looks(3)).toBe(0);
  }
});

test('what could not be used is told once, and again when it changes again, or comes back', () => {
  const { file, looks } = watched('cannot use it');
  writeFileSync(file, 'wrong');
  expect(looks(5)).toBe(1);
  writeFileSync(file, 'wrong again');
  expect(looks(5)).toBe(1);
  rmSync(file);
  expect(looks(5)).toBe(1);
  writeFileSync(file, 'there');
  expect(looks(5)).toBe(1);
});

test('a change that was read already, by a signal for example, is not told', () => {
  const { file, looks, read } = watched();
  writeFileSync(file, 'other');
  read();
  expect(looks(5)).toBe(0);
});

test('a change between the reading and the first look is told', () => {
  const { file, looks } = watched();
  writeFileSync(file, 'meanwhile');
  expect(looks(2)).toBe(1);
});
