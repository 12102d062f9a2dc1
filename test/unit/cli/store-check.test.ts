// `holdfast store check` and `checkStore`: what is said of a sound file, a damaged one, and where there is none.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { storeCommand } from '../../../src/cli/store.ts';
import { checkStore, noLog, openStore } from '../../../src/index.ts';

let directory = '';
let url = '';
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
  url = `file:${directory}`;
  const store = await openStore(url, { log: noLog() });
  for (let n = 0; n < 50; n++)
    await store.put({ key: new TextEncoder().encode(`key${n}`), value: new Uint8Array(500) });
  await store.close();
});
afterEach(() => {
  process.exitCode = undefined;
  rmSync(directory, { recursive: true });
});

function damage(): void {
  const file = join(directory, 'holdfast.db');
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xff, 16_000, 24_000));
}

/** What the command prints, and its exit code. */
async function check(...flags: string[]): Promise<[printed: string, code: unknown]> {
  let printed = '';
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    }),
  );
  await storeCommand().parseAsync(['check', '--store', url, ...flags], { from: 'user' });
  for (const spy of spies) spy.mockRestore();
  return [printed, process.exitCode];
}

test('a sound file', async () => {
  expect(await checkStore(url)).toEqual([]);
  expect(await check()).toEqual(['sound\n', 0]);
  expect(await check('--json')).toEqual(['{"problems":[]}\n', 0]);
});

test('a damaged file', async () => {
  damage();
  expect(await checkStore(url)).not.toEqual([]);
  const [printed, code] = await check();
  expect(printed).not.toContain('sound');
  expect(code).toBe(1);
});

test('a file that a store has open, and a folder without one', async () => {
  const store = await openStore(url, { log: noLog() });
  await expect(checkStore(url)).rejects.toThrow(/another store has it open/);
  await store.close();
  await expect(checkStore(`${url}/elsewhere`)).rejects.toThrow(/there is no store in .*elsewhere: give/);
  await expect(checkStore('memory:')).rejects.toMatchObject({ code: 'invalid_option' });
});
