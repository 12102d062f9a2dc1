// Traces of `holdfast check`: saved, made again in the same and in a repaired system, drawn, and turned into tests.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { endAll, run } from './command.ts';

const testing = pathToFileURL(join(import.meta.dirname, '../../../src/testing/index.ts')).href;

/** A model that climbs by ones and `leap`; it must stay below 5. */
const systems = (leap: number, top: number) => `
import { defineSystem, model, type View } from '${testing}';
const climber = model<number>({
  initial: 0,
  step: (height, { by }) => ({ state: height + (by as number) }),
  choices: (height) =>
    [1, ${leap}].filter((by) => height + by <= ${top}).map((by) => ({ event: { type: 'climb', by }, label: \`climb \${by}\` })),
});
export const system = defineSystem({ actors: { climber }, route: () => [] });
export const properties = { always: { 'below 5': (view: View) => view.model<number>('climber') < 5 } };
export const systems = { same: { system, properties } };
`;

let folder: string;
const path = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-traces-'));
  await writeFile(path('high.ts'), systems(4, 6));
  await writeFile(path('low.ts'), systems(4, 4));
  await writeFile(path('other.ts'), systems(3, 6));
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('holdfast check saves a trace, a diagram and a test, and makes the trace again', async () => {
  const files = [
    '--save',
    path('high.json'),
    '--diagram',
    path('high.mmd'),
    '--vitest',
    path('high.test.ts'),
  ];
  const found = await run(['check', path('high.ts'), '--system', 'system', ...files]);
  expect(found.status).toBe(1);
  expect(found.stderr.match(/wrote /g)).toHaveLength(3);
  expect(JSON.parse(await readFile(path('high.json'), 'utf8'))).toMatchObject({
    holdfast: 'trace',
    system: 'system',
  });
  expect(await readFile(path('high.mmd'), 'utf8')).toMatch(/^sequenceDiagram\n/);
  expect(await readFile(path('high.test.ts'), 'utf8')).toContain('import * as checked from "./high.ts";');

  const replay = (name: string, ...more: string[]) =>
    run(['check', path(name), '--replay', path('high.json'), ...more]);
  const [same, low, other, json] = await Promise.all([
    replay('high.ts', '--diagram', '-'),
    replay('low.ts'),
    replay('other.ts'),
    replay('other.ts', '--json'),
  ]);
  expect([same.status, low.status, other.status]).toEqual([1, 0, 0]);
  expect(same.stdout).toContain('always: below 5: still violated\n');
  expect(same.stdout).toContain('sequenceDiagram\n');
  expect(low.stdout).toContain('NOT POSSIBLE ANY MORE');
  expect(other.stdout).toMatch(
    /climb 4: NOT POSSIBLE ANY MORE\n {5}possible instead:\n(.*climb 1\n)?.*climb [13]\n/,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({
    system: 'system',
    verdict: 'impossible',
    instead: expect.any(Array),
  });
}, 60_000);

test('holdfast check names the files of several systems after them', async () => {
  const { status, stderr } = await run([
    'check',
    path('high.ts'),
    '--partial-order',
    '--no-symmetry',
    '--save',
    path('both.json'),
  ]);
  expect(status).toBe(1);
  expect(stderr).toContain(path('both.system.json'));
  const again = await run(['check', path('high.ts'), '--replay', path('both.same.json'), '--vitest', '-']);
  expect(again.stdout).toContain('same: ');
  expect(again.stdout).toContain(
    'const { system, properties } = { properties: {}, ...checked.systems["same"] };',
  );
});

test('holdfast check says what is wrong with a trace, and ends with 2', async () => {
  await writeFile(path('broken.json'), '{ "steps": [] }');
  const [broken, missing, unwritable] = await Promise.all([
    run(['check', path('high.ts'), '--replay', path('broken.json')]),
    run(['check', path('high.ts'), '--replay', path('nowhere.json')]),
    run(['check', path('high.ts'), '--save', path('no/folder.json')]),
  ]);
  expect(broken.stderr).toContain('this JSON is no trace');
  expect(missing.stderr).toContain('nowhere.json is no trace');
  expect(unwritable.stderr).toContain('cannot be written');
  expect([broken, missing, unwritable].map(({ status }) => status)).toEqual([2, 2, 2]);
});
