// Which machine a command is asked about, and what it says when there is none.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectionMachine } from '../../../machines/index.ts';
import { loadMachine } from '../../../src/cli/machine-file.ts';

const XSTATE = createRequire(import.meta.url).resolve('xstate');
const MACHINES = `
import xstate from ${JSON.stringify(XSTATE)};
export const order = xstate.createMachine({ id: 'order', initial: 'open', states: { open: {} } });
export const lamp = xstate.createMachine({ id: 'lamp' });
export const config = { initial: 'open', states: { open: {} } };
export const make = () => order;
export const old = { config: {}, withConfig() {} };
export const seats = 4;
`;

let folder: string;
let machines: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-machines-'));
  machines = await moduleOf('machines.mjs', MACHINES);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function moduleOf(name: string, source: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, source);
  return file;
}

describe('a machine is found', () => {
  test('by its name, when it is one of ours', async () => {
    const { name, machine, path, exports } = await loadMachine('connection');
    expect({ name, path }).toEqual({ name: 'connection', path: undefined });
    expect(machine).toBe(connectionMachine);
    expect(exports).toHaveProperty('examples');
  });

  test('by file and export, with what stands beside it', async () => {
    const { name, machine, path, exports } = await loadMachine(`${machines}#order`);
    expect({ name, id: machine.id, path }).toEqual({ name: 'order', id: 'order', path: machines });
    expect(exports['seats']).toBe(4);
  });

  test('by file alone, when the module exports one only; a default export of it counts once', async () => {
    const source = `import { order } from './machines.mjs';\nexport { order, order as default };`;
    expect((await loadMachine(await moduleOf('one.mjs', source))).name).toBe('order');
    const unnamed = await moduleOf('unnamed.mjs', `export { order as default } from './machines.mjs';`);
    expect((await loadMachine(unnamed)).name).toBe('unnamed');
  });

  test('in a file of CommonJS and of TypeScript', async () => {
    const common = `const { createMachine } = require(${JSON.stringify(XSTATE)});\nexports.lamp = createMachine({});`;
    expect((await loadMachine(await moduleOf('common.cjs', common))).name).toBe('lamp');
    const typed = `import xstate from ${JSON.stringify(XSTATE)};\nexport const t: unknown = xstate.createMachine({});`;
    expect((await loadMachine(await moduleOf('typed.ts', typed))).name).toBe('t');
  });
});

describe('what is refused', () => {
  const refusal = (spec: string): Promise<string> =>
    loadMachine(spec).then(
      () => 'it was found',
      (error: Error) => error.message,
    );

  test('a name that is none of ours says which are', async () => {
    expect(await refusal('conection')).toContain(
      'there is no machine conection; ours are connection, session',
    );
    expect(await refusal('toString')).toContain('there is no machine toString');
  });

  test('a file that is missing is named with its whole path', async () => {
    expect(await refusal(join(folder, 'nowhere.ts#order'))).toContain(
      `there is no file ${join(folder, 'nowhere.ts')};`,
    );
  });

  test('an export that is missing lists the machines', async () => {
    expect(await refusal(`${machines}#odrer`)).toBe(
      `${machines} exports no odrer; the machines that it exports are lamp, order`,
    );
  });

  test('a file with several machines asks which', async () => {
    expect(await refusal(machines)).toBe(
      `${machines} exports 2 machines (lamp, order): say which, as in ${machines}#lamp`,
    );
  });

  test.each([
    ['seats', 'a number'],
    ['config', 'a plain object (give it to createMachine)'],
    ['make', 'a function (call it, and export what it makes)'],
    ['old', 'a machine of XState 4'],
  ])('%s is %s', async (name, what) => {
    expect(await refusal(`${machines}#${name}`)).toContain(
      `${name} of ${machines} is ${what}, not a machine of XState v5; the machines that it exports are lamp, order`,
    );
  });

  test('a module without machines says what it has', async () => {
    const none = await moduleOf('none.mjs', 'export const a = 1;');
    expect(await refusal(none)).toContain(`${none} exports a, and none of it is a machine of XState v5`);
    expect(await refusal(await moduleOf('empty.mjs', ''))).toContain('exports nothing');
  });

  test('a module that throws says what it said', async () => {
    const broken = await moduleOf('broken.mjs', `throw new Error('no database');`);
    expect(await refusal(broken)).toBe(`${broken} cannot be loaded: Error: no database`);
  });
});
