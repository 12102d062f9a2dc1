// The upgrade check as a command: two versions of one counter, in two modules.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './command.ts';

const version = (field: string, more: string): string => `
import { assign, createMachine } from 'xstate';
export const counter = createMachine({
  id: 'counter',
  context: ({ input }) => ({ ${field}: input.${field} }),
  initial: 'counting',
  states: { counting: { on: { counted: { actions: assign({ ${field}: ({ context }) => Math.min(3, context.${field} + 1) }) } } } },
});
export const record = ({ ${field} }) => ({ ${field} });
${more}
`;

let folder: string;
const file = (name: string): string => join(folder, name);
beforeAll(async () => {
  // Inside the repository, so that the modules find xstate.
  folder = await mkdtemp(join(import.meta.dirname, 'planted-versions-'));
  await writeFile(
    file('v1.mjs'),
    version('count', 'export const input = (record) => record ?? { count: 0 };'),
  );
  await writeFile(
    file('v2.mjs'),
    version('total', 'export const input = (record) => record ?? { total: 0 };'),
  );
  const mapped = 'export const input = (record) => ({ total: record?.total ?? record?.count ?? 0 });';
  await writeFile(file('v3.mjs'), version('total', mapped));
  await writeFile(file('v4.mjs'), version('total', ''));
  const silent = version('count', 'export const input = () => ({ count: 0 });').replace(
    '({ count }) => ({ count })',
    '() => undefined',
  );
  await writeFile(file('v0.mjs'), silent);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a renamed field fails every record, with the remedy; a mapped one none', async () => {
  const [renamed, mapped, lacking, nothing] = await Promise.all([
    run(['upgrade-check', file('v1.mjs'), `${file('v2.mjs')}#counter`]),
    run(['upgrade-check', file('v1.mjs'), file('v3.mjs'), '--json']),
    run(['upgrade-check', file('v1.mjs'), file('v4.mjs')]),
    run(['upgrade-check', file('v0.mjs'), file('v1.mjs')]),
  ]);
  expect(renamed).toMatchObject({ status: 1, stderr: '' });
  expect(renamed.stdout.split('\n')).toEqual([
    ...[0, 1, 2, 3].flatMap((count) => [
      `record {"count":${count}}`,
      '  context.total is undefined; in actors of the new version it is a number',
      '  remedy: map the field in input(record): it was renamed, or it is new and old records need a default',
    ]),
    'old: 4 states explored to depth 3 (all there are); 4 different records; its events were tried without payloads, export `examples` to give them some',
    'new: 4 states explored to depth 3 (all there are); its events were tried without payloads, export `examples` to give them some',
    '4 of 4 records fail',
    '',
  ]);
  expect(mapped).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(mapped.stdout)).toEqual({
    old: { states: 4, depth: 3, extent: 'complete' },
    new: { states: 4, depth: 3, extent: 'complete' },
    records: 4,
    failed: [],
  });
  expect(lacking.status).toBe(1);
  expect(lacking.stderr).toMatch(
    /v4\.mjs exports no function input; export input\(record\), what an actor starts with/,
  );
  expect(nothing.status).toBe(1);
  expect(nothing.stderr).toMatch(/v0\.mjs leaves no record: record\(context\) answered undefined/);
});
