// A folder of test files as a user would have them, and one run of vitest over all of it.
// Invariant: the files import `holdfast/testing` by that name, and get the sources; the folder is gone when it is disposed of.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** What the names of our package stand for while it is not installed. */
export const aliases = {
  'holdfast/testing': join(ROOT, 'src/testing/index.ts'),
  'holdfast/machines': join(ROOT, 'machines/index.ts'),
};

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export interface TestResult {
  readonly title: string;
  readonly status: string;
  /** Why it failed; nothing when it passed. */
  readonly message: string;
}

export class Workshop implements Disposable {
  readonly folder: string;
  #report: Report = { testResults: [] };

  constructor() {
    // Inside the project, so that the files find xstate and vitest, in the folder that no tool looks into.
    mkdirSync(join(ROOT, 'dist'), { recursive: true });
    this.folder = mkdtempSync(join(ROOT, 'dist', 'workshop-'));
    this.write('package.json', '{ "type": "module" }');
    const test = { include: ['*.test.{ts,js}'], exclude: [], isolate: false };
    this.write(
      'vitest.config.mjs',
      `export default ${JSON.stringify({ test, resolve: { alias: aliases } })};`,
    );
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
  }

  /** Runs a tool of the project in the folder. */
  tool(name: string, args: readonly string[], input?: string): { stdout: string; stderr: string } {
    const command = [join(ROOT, 'node_modules/.bin', name), ...args];
    return spawnSync(process.execPath, command, {
      cwd: this.folder,
      encoding: 'utf8',
      input,
      timeout: 60_000,
    });
  }

  /** Runs every test file of the folder. */
  runTests(): void {
    const reporting = ['--reporter', 'json', '--outputFile', 'report.json'];
    const { stderr } = this.tool('vitest', [
      'run',
      '--config',
      'vitest.config.mjs',
      '--root',
      '.',
      ...reporting,
    ]);
    try {
      this.#report = JSON.parse(this.read('report.json')) as Report;
    } catch (error) {
      throw new Error(`vitest wrote no report: ${stderr}`, { cause: error });
    }
  }

  /** What became of the tests of a file. */
  resultsOf(file: string): TestResult[] {
    const found = this.#report.testResults.find(({ name }) => name.endsWith(`/${file}`));
    if (found === undefined) throw new Error(`vitest did not run ${file}`);
    return found.assertionResults.map(({ title, status, failureMessages }) => ({
      title,
      status,
      message: failureMessages.join('\n'),
    }));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
