// Runs every check of `npm run verify` that is no test, one after the other, and says which ones failed.
// Invariant: all of them run, whatever fails, and the status is 0 only when all passed.
// CHECK_REPORT names a file that gets { "passed": n, "failed": n } as JSON.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** npm scripts, in the order in which they run: what the package lint looks at was built by `types`. */
const checks: readonly { readonly script: string; readonly shows: string }[] = [
  {
    script: 'manifest',
    shows: 'the Node that runs this, the lock file and the licences are as they should be',
  },
  { script: 'format:check', shows: 'all files have the format of .oxfmtrc.json' },
  { script: 'types', shows: 'types fit, and no folder imports one above it' },
  { script: 'lint', shows: 'the linter has nothing to say' },
  { script: 'layers', shows: 'a planted violation of each layer rule is refused' },
  { script: 'unused', shows: 'no file, export or dependency is unused' },
  { script: 'page', shows: 'the page is built, within its weight, and with nothing inline' },
  { script: 'package', shows: 'the package that would be published is sound' },
];

const failed: string[] = [];
for (const { script, shows } of checks) {
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', script], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    shell: process.platform === 'win32',
  });
  const tookS = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (status === 0) {
    console.log(`ok    ${script} (${tookS} s): ${shows}`);
  } else {
    failed.push(script);
    console.log(`FAILED ${script} (${tookS} s): expected that ${shows}\n${stdout}${stderr}`);
  }
}

const report = { passed: checks.length - failed.length, failed: failed.length };
if (process.env['CHECK_REPORT'] !== undefined)
  writeFileSync(process.env['CHECK_REPORT'], JSON.stringify(report));
console.log(
  `checks: ${report.passed} passed, ${report.failed} failed${failed.length > 0 ? ` (${failed.join(', ')})` : ''}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
