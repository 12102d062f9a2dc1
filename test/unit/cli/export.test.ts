// `holdfast export` as a person uses it: what goes where, and what it says when it cannot.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registry } from '../../../machines/index.ts';
import { toDot, toJson, toMermaid, toScxml, toStately } from '../../../src/inspect/index.ts';
import { run } from './command.ts';

const XSTATE = createRequire(import.meta.url).resolve('xstate');
const SHOP = `
import xstate from ${JSON.stringify(XSTATE)};
export const shop = xstate.createMachine({
  id: 'shop', initial: 'open',
  context: ({ input }) => ({ coins: input.coins }),
  states: { open: { on: { knock: {}, close: 'closed' } }, closed: {} },
});`;

let folder: string;
let shop: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-export-'));
  // A # in a file's name is part of it where there is such a file.
  shop = join(folder, 'shop#1.mjs');
  await writeFile(shop, SHOP);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('one of ours goes to standard output, with the context that it starts with', async () => {
  const { machine, input } = registry.connection;
  const texts = {
    stately: toStately(machine, { input }),
    mermaid: toMermaid(machine),
    scxml: toScxml(machine, { input }),
    json: toJson(machine, { input }),
    dot: toDot(machine),
  };
  const formats = Object.entries(texts);
  const printed = await Promise.all(formats.map(([format]) => run(['export', 'connection', '--to', format])));
  formats.forEach(([, stdout], i) => expect(printed[i]).toMatchObject({ status: 0, stderr: '', stdout }));
});

test("a user's machine goes into a file; ignores are shown when asked for", async () => {
  const out = join(folder, 'shop.json');
  const args = ['export', `${shop}#shop`, '--to', 'json', '--input', '{"coins": 3}'];
  const [file, shown] = await Promise.all([run([...args, '--out', out]), run([...args, '--ignores'])]);
  expect(file).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(JSON.parse(await readFile(out, 'utf8'))).toEqual({
    id: 'shop',
    context: { coins: 3 },
    initial: 'open',
    states: { open: { on: { close: 'closed' } }, closed: {} },
  });
  expect((JSON.parse(shown.stdout) as { states: object }).states).toHaveProperty('open.on.knock', {});
});

test('a context that needs an input is left out, and said', async () => {
  const { status, stdout, stderr } = await run(['export', shop, '--to', 'json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).not.toHaveProperty('context');
  expect(stderr).toMatch(/^shop: left out the context at the start .*; give it with --input JSON\n$/);
});

test.each([
  [['conection', '--to', 'json'], 'there is no machine conection; ours are connection'],
  [['connection'], "required option '--to <format>' not specified"],
  [['connection', '--to', 'png'], 'Allowed choices are stately, mermaid,'],
  [['connection', '--to', 'json', '--input', '{'], 'It must be JSON, such as'],
  [['connection', '--to', 'json', '--out', '/nowhere/at/all'], 'cannot write the file of --out: ENOENT'],
])('%j is refused', async (args, complaint) => {
  const { status, stdout, stderr } = await run(['export', ...args]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(complaint);
});
