// The generated test file is run by vitest itself, against a broken and a repaired system.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { check, toTrace, toVitest, type VitestOptions } from '../../../src/checker/index.ts';
import { dialogue } from './toys.ts';

const root = resolve(import.meta.dirname, '../../..');
const source = (path: string) => join(root, path);

// Inside the project, so that the generated files find vitest; where nothing else looks for tests.
let folder: string;
beforeAll(() => {
  mkdirSync(source('dist'), { recursive: true });
  folder = mkdtempSync(source('dist/trace-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const owed = `{ noDeadlock: (view) => !view.actor('asker').in('done') }`;
const module = (patience: string) => `
import { dialogue } from ${JSON.stringify(source('test/unit/checker/toys.ts'))};
export const system = dialogue('${patience}', { lossy: true });
export const properties = ${owed};
export const systems = { lossy: { system, properties } };
`;

function generated(options: Omit<VitestOptions, 'testing'>): string {
  const { violation } = check(dialogue('for ever', { lossy: true }), {
    noDeadlock: (view) => !view.actor('asker').in('done'),
  });
  return toVitest(toTrace(violation!, 'dialogue'), { ...options, testing: source('src/testing/index.ts') });
}

it('guards a repair, or a broken twin, as it is asked to', () => {
  writeFileSync(join(folder, 'broken.ts'), module('for ever'));
  writeFileSync(join(folder, 'repaired.ts'), module('patient'));
  for (const name of ['broken', 'repaired'])
    for (const expects of ['gone', 'there'] as const)
      writeFileSync(
        join(folder, `${name}-${expects}.test.ts`),
        generated({ module: `./${name}.ts`, expects, ...(expects === 'there' ? { name: 'lossy' } : {}) }),
      );
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default { test: { include: ['*.test.ts'] } };`);
  const vitest = source('node_modules/vitest/vitest.mjs');
  const report = join(folder, 'report.json');
  spawnSync(process.execPath, [vitest, 'run', '--reporter=json', `--outputFile=${report}`], { cwd: folder });
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: { name: string; assertionResults: { title: string; status: string }[] }[];
  };
  const outcomes = testResults.map(({ name, assertionResults }) => {
    const [{ title, status } = { title: '', status: '' }] = assertionResults;
    return `${name.slice(folder.length + 1)}: ${title}: ${status}`;
  });
  const property = 'dialogue: deadlock: something is owed, and nothing can happen is';
  expect(outcomes.toSorted()).toEqual([
    `broken-gone.test.ts: ${property} gone: failed`,
    `broken-there.test.ts: ${property} there: passed`,
    `repaired-gone.test.ts: ${property} gone: passed`,
    `repaired-there.test.ts: ${property} there: failed`,
  ]);
});
