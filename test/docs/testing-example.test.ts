// The example of README.md's "Tests from your machine", run by vitest as it stands, on a door that works and on ones that do not.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { README } from './readme.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const example =
  /```ts\n(import [^\n]*\nimport \{ describeModel [\s\S]*?)```/.exec(readFileSync(README, 'utf8'))?.[1] ?? '';

const door = `
import { createMachine } from 'xstate';

export const doorMachine = createMachine({
  id: 'door',
  initial: 'closed',
  states: {
    closed: { on: { opened: 'open' } },
    open: { on: { held: 'kept' }, after: { autoClose: 'closed' } },
    kept: {},
  },
}, { delays: { autoClose: 5_000 } });

export class Door {
  state = 'closed';
  #leftMs = Infinity;
  open() { this.state = 'open'; this.#leftMs = 5_000; }
  hold() { this.state = 'kept'; this.#leftMs = Infinity; }
  pass(delayMs: number) {
    this.#leftMs -= delayMs;
    if (this.#leftMs <= 0) this.state = 'closed';
  }
}
`;

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** What each test of the example says: nothing, or why it failed. One run of vitest for all doors. */
function tried(doors: Readonly<Record<string, string>>): Record<string, string>[] {
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'dist', 'readme-'));
  const write = (name: string, content: string): void => writeFileSync(join(folder, name), content);
  const alias = { 'holdfast/testing': join(ROOT, 'src/testing/index.ts') };
  write(
    'vitest.config.mjs',
    `export default { test: { include: ['*.test.ts'], exclude: [], isolate: false }, resolve: { alias: ${JSON.stringify(alias)} } };`,
  );
  for (const [name, source] of Object.entries(doors)) {
    write(`${name}.ts`, source);
    write(`${name}.test.ts`, example.replace('./door.ts', `./${name}.ts`));
  }
  const vitest = join(ROOT, 'node_modules/.bin/vitest');
  const args = [
    'run',
    '--config',
    'vitest.config.mjs',
    '--root',
    '.',
    '--reporter',
    'json',
    '--outputFile',
    'report.json',
  ];
  const { stderr } = spawnSync(process.execPath, [vitest, ...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 25_000,
  });
  try {
    const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report & {
      testResults: { name: string }[];
    };
    return Object.keys(doors).map((name) => {
      const file = report.testResults.find((result) => result.name.endsWith(`/${name}.test.ts`));
      const tests = file?.assertionResults ?? [];
      return Object.fromEntries(
        tests.map(({ title, failureMessages }) => [title, failureMessages.join('\n')]),
      );
    });
  } catch (error) {
    throw new Error(`vitest wrote no report: ${stderr}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the example of generated tests runs as it stands, and catches a door that is wrong', () => {
  const [right, slow, forgetful] = tried({
    door,
    slow: door.replace('this.#leftMs = 5_000', 'this.#leftMs = 6_000'),
    forgetful: door.replace("this.state = 'kept';", ''),
  });
  expect(right).toEqual({
    'reaches closed: opened → wait 5000 ms (autoClose)': '',
    'reaches kept: opened → held': '',
    'covers 3 of 3 states, 3 of 3 transitions': '',
  });
  expect(slow?.['reaches closed: opened → wait 5000 ms (autoClose)']).toContain(
    "expected 'open' to be 'closed'",
  );
  expect(slow?.['reaches kept: opened → held']).toBe('');
  expect(forgetful?.['reaches kept: opened → held']).toContain("expected 'open' to be 'kept'");
});

test('the example has at most ten lines of code', () => {
  expect(
    example
      .trim()
      .split('\n')
      .filter((line) => line !== '').length,
  ).toBeLessThanOrEqual(10);
});
