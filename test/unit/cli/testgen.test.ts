// `holdfast testgen`: the files that it writes compile, need no formatter, pass as they stand, and fail when they should.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testFile, type TestFileOptions } from '../../../src/testing/index.ts';
import { counter, form, inline, player } from '../testing/model/machines.ts';
import { aliases, ROOT, Workshop } from '../testing/model/workshop.ts';
import { run, type Ended } from './command.ts';

const workshop = new Workshop();
const { folder } = workshop;

const tsconfig = {
  extends: join(ROOT, 'test/tsconfig.json'),
  compilerOptions: {
    paths: Object.fromEntries(Object.entries(aliases).map(([name, path]) => [name, [path]])),
    tsBuildInfoFile: join(folder, 'tsbuildinfo'),
    lib: ['es2024', 'esnext.disposable', 'dom'],
    types: [],
  },
  include: ['*.ts'],
  references: [],
};

const testgen = (...args: string[]): Promise<Ended> => run(['testgen', ...args]);
const messagesOf = (file: string): string =>
  workshop
    .resultsOf(file)
    .map(({ message }) => message)
    .join('');

beforeAll(async () => {
  workshop.write('tsconfig.json', JSON.stringify(tsconfig));
  const source = readFileSync(new URL('../testing/model/machines.ts', import.meta.url), 'utf8');
  const beside = `
export const formEvents = { typed: [{ value: '' }, { value: "it's" }] };
export const formScripts = { loadUser: [{ output: { name: 'Ada' } }, { error: new Error('no user') }] };
`;
  workshop.write('machines.ts', source + beside);
  const written = ['form', 'wizard'].map((name) =>
    testgen(`${join(folder, 'machines.ts')}#${name}`, '--out', join(folder, `${name}.test.ts`)),
  );
  // The command is slow to start: the rest is written by what it calls.
  for (const [name, machine] of Object.entries({ player, counter, inline })) {
    const imports = [`import { ${name} } from './machines.ts';`];
    workshop.write(`${name}.test.ts`, testFile(machine, { name, imports }));
  }
  const spec = `${join(folder, 'machines.ts')}#form`;
  written.push(testgen(spec, '--out', join(folder, 'plain.test.js'), '--timing', 'middles'));
  const ours = testgen('execution', '--out', join(folder, 'execution.test.ts'), '--coverage', 'states');
  for (const { status, stderr } of await Promise.all([...written, ours])) {
    expect(stderr).toBe('');
    expect(status).toBe(0);
  }
  // One that is turned to the reader's own system, and one whose machine was changed afterwards.
  const wizard = workshop.read('wizard.test.ts');
  workshop.write('yours.test.ts', wizard.replace('systems.theMachine', 'systems.yourSystem'));
  const old = "break: { on: { resumed: 'steps.last' } }";
  const changes = {
    changed: "break: { on: { resumed: 'steps.first' } }",
    grown: "break: { on: { resumed: 'steps.last', left: 'gone' } }, gone: {}",
  };
  for (const [name, change] of Object.entries(changes)) {
    workshop.write(`${name}.ts`, workshop.read('machines.ts').replace(old, change));
    workshop.write(`${name}.test.ts`, wizard.replace('./machines.ts', `./${name}.ts`));
  }
  workshop.runTests();
}, 60_000);

afterAll(() => workshop[Symbol.dispose]());

const files = ['form', 'wizard', 'player', 'counter', 'inline', 'execution'].map((name) => `${name}.test.ts`);

test('the files pass as they stand', () => {
  for (const file of files) {
    const statuses = workshop.resultsOf(file).map(({ status }) => status);
    expect(messagesOf(file), file).toBe('');
    expect(statuses.length, file).toBe(workshop.read(file).match(/^ {2}it\(/gm)?.length);
    expect(new Set(statuses), file).toEqual(new Set(['passed']));
  }
});

test('a .js file has no types, and passes where time stops in the middle of delays', () => {
  const text = workshop.read('plain.test.js');
  expect(text).toContain("import { actorSut, createTestModel } from 'holdfast/testing';");
  expect(text).toContain("timing: 'middles',");
  expect(text).toMatch(/\[\{ wait: 150, of: 'debounce' \}, '/);
  expect(messagesOf('plain.test.js')).toBe('');
  expect(workshop.resultsOf('plain.test.js').length).toBeGreaterThan(
    workshop.resultsOf('form.test.ts').length,
  );
});

test('the files compile under strict options', () => {
  const { stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder, '--noEmit'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stdout).toBe('');
}, 60_000);

test('the files need no formatter', () => {
  for (const file of files) {
    const { stdout } = workshop.tool(
      'oxfmt',
      ['-c', join(ROOT, '.oxfmtrc.json'), '--stdin-filepath', 'x.ts'],
      workshop.read(file),
    );
    expect(workshop.read(file), file).toBe(stdout);
  }
});

test('the same machine gives the same file, in another process too', () => {
  const options: TestFileOptions = {
    name: 'form',
    imports: ["import { form, formEvents, formScripts } from './machines.ts';"],
    code: { events: 'formEvents', scripts: 'formScripts' },
    events: { typed: [{ value: '' }, { value: "it's" }] },
    scripts: { loadUser: [{ output: { name: 'Ada' } }, { error: new Error('no user') }] },
  };
  expect(testFile(form, options)).toBe(workshop.read('form.test.ts'));
});

describe('a file that was made earlier', () => {
  test('says what to fill in when it is turned to a system that is not filled in', () => {
    const failed = workshop.resultsOf('yours.test.ts').filter(({ status }) => status === 'failed');
    expect(failed.length).toBe(3);
    expect(messagesOf('yours.test.ts')).toContain('fill in yourSystem.create');
  });

  test('fails when the machine goes elsewhere, and when it gets a transition', () => {
    expect(messagesOf('changed.test.ts')).toContain('resumed leads to steps.first, not to steps.second');
    const grown = workshop.resultsOf('grown.test.ts').map(({ status }) => status);
    expect(grown).toEqual(['passed', 'passed', 'passed', 'failed']);
    expect(messagesOf('grown.test.ts')).toContain(
      'not covered: transition break: left → gone: no tested path takes it',
    );
  });
});

describe('the command', () => {
  test('prints without --out, with the options asked for', async () => {
    const { stdout, status } = await testgen('call', '--coverage', 'states', '--max-paths', '3');
    expect(status).toBe(0);
    expect(stdout).toContain("import { callExamples, callInput, callMachine } from 'holdfast/machines';");
    expect(stdout).toContain("coverage: 'states', maxPaths: 3");
    expect(stdout.match(/^ {2}it\('reaches/gm)?.length).toBe(3);
    expect(stdout).toContain('// left out by maxPaths 3');
  });

  test('overwrites nothing unless --force says so', async () => {
    const out = join(folder, 'kept.ts');
    workshop.write('kept.ts', 'mine');
    const kept = await testgen('call', '--out', out);
    expect(kept.stderr).toMatch(
      /^holdfast: there is a file .*kept\.ts already.* say --force \[invalid_option\]\n$/,
    );
    expect(workshop.read('kept.ts')).toBe('mine');
    const forced = await testgen('execution', '--out', out, '--force', '--coverage', 'states');
    expect(forced.stdout).toBe(`6 tests written to ${out}; run them with: npx vitest run ${out}\n`);
    expect(workshop.read('kept.ts')).toBe(workshop.read('execution.test.ts'));
    rmSync(out);
  });

  test('says what is wrong with the machine, in one line', async () => {
    workshop.write(
      'sorry.ts',
      `import { createMachine } from 'xstate';
export default createMachine({ id: 'sorry', context: ({ input }: any) => ({ size: input.size.wide }), initial: 'a', states: { a: {} } });`,
    );
    const { stderr, status } = await testgen(join(folder, 'sorry.ts'));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^holdfast: sorry: sorry fails when it starts \(TypeError: .*\); does it need another `input`\? \[/,
    );
    const { stdout } = await testgen(join(folder, 'sorry.ts'), '--input', '{"size":{"wide":3}}');
    expect(stdout).toContain('import sorry from ');
    expect(stdout).toContain('input: { size: { wide: 3 } }');
    rmSync(join(folder, 'sorry.ts'));
  });
});
