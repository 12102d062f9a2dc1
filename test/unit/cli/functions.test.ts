// The functions of a module: found by its exports, and what is wrong is said in terms of the file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionsOf, loadFunctions } from '../../../src/cli/functions.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-functions-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function moduleOf(name: string, source: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, source);
  return file;
}

describe('exports', () => {
  test('that are functions are offered by their names, everything else is left out', () => {
    const add = (a: number, b: number): number => a + b;
    expect(functionsOf({ add, version: 3, nothing: null })).toEqual({ add });
  });

  test('by default offer the functions of the object; a named export of the same name wins', () => {
    const one = (): number => 1;
    const other = (): number => 2;
    expect(functionsOf({ default: { one, both: one }, both: other })).toEqual({ one, both: other });
  });

  test('by default offer a function by its own name', () => {
    function greet(): string {
      return 'hi';
    }
    expect(functionsOf({ default: greet })).toEqual({ greet });
  });
});

describe('a file', () => {
  test('is loaded, TypeScript too', async () => {
    const file = await moduleOf('typed.ts', 'export const double = (n: number): number => 2 * n;');
    const { double } = await loadFunctions(file);
    expect(double?.(21)).toBe(42);
  });

  test('that does not exist is named with its whole path', async () => {
    await expect(loadFunctions(join(folder, 'nowhere.mjs'))).rejects.toThrow(
      `there is no file ${join(folder, 'nowhere.mjs')}; --functions wants a module that exports functions`,
    );
  });

  test('that is a folder is no file', async () => {
    await expect(loadFunctions(folder)).rejects.toThrow(`${folder} is no file`);
  });

  test('without functions says what it has, and how one is written', async () => {
    const constants = await moduleOf('constants.mjs', 'export const a = 1, b = 2;');
    await expect(loadFunctions(constants)).rejects.toThrow(
      `${constants} exports a, b, and none of it is a function; write for example: export function add(`,
    );
    const empty = await moduleOf('empty.mjs', '');
    await expect(loadFunctions(empty)).rejects.toThrow(`${empty} exports nothing; write for example`);
  });

  test('that throws while it is loaded is told with its error', async () => {
    const file = await moduleOf('throws.mjs', 'throw new RangeError("no model here");');
    await expect(loadFunctions(file)).rejects.toMatchObject({
      code: 'invalid_option',
      message: `${file} cannot be loaded: RangeError: no model here`,
    });
  });
});
