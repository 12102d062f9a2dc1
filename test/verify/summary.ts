// Prints `N passed, N failed` over the tests and the checks, from their reports: the last line of .ci/run.
// Invariant: a report that is missing, or a run that failed without a failed test in it, counts as a failure.
// Arguments: vitest's JSON report, the status of the test run, the report of check.ts.

import { readFileSync } from 'node:fs';

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface TestReport {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function countTests(report: TestReport | undefined, status: number): Count {
  const files = report?.testResults ?? [];
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  // Skipped and unfinished tests are not passed. A file that could not be loaded has no tests and is one failure.
  const unloaded = files.filter(
    (file) => file.status !== 'passed' && file.assertionResults.length === 0,
  ).length;
  const failed = tests.length - passed + unloaded;
  return { passed, failed: failed === 0 && (status !== 0 || passed === 0) ? 1 : failed };
}

const [testsFile = '', testsStatus = '1', checksFile = ''] = process.argv.slice(2);
const tests = countTests(read(testsFile) as TestReport | undefined, Number(testsStatus));
const checks = (read(checksFile) as Count | undefined) ?? { passed: 0, failed: 1 };
const failed = tests.failed + checks.failed;

console.log(`${tests.passed + checks.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
