// Checks what package.json and package-lock.json promise: the Node that npm scripts run on, a lock file that names no
// registry, and licences that allow use with MIT.
// Invariant: reads only; every fault says what to do.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
  packages: Record<string, Locked>;
};
const faults: string[] = [];

// Both `node` and its alias `node22` bring a command called `node`. In a full install npm links commands in the order
// of their folders' names and the first one keeps the place (arborist sorts, bin-links remembers), so `node_modules/node`
// wins, always. But an install that touches node22 alone would take the place over: hence this check. Whoever wants
// Node 22 names node_modules/node22/bin/node.
const versions: readonly (readonly [file: string, major: number])[] = [
  ['node_modules/.bin/node', 24],
  ['node_modules/node22/bin/node', 22],
];
for (const [file, major] of versions) {
  const version = execFileSync(`${root}${file}`, ['--version'], { encoding: 'utf8' }).trim();
  if (!version.startsWith(`v${major}.`)) faults.push(`${file} is ${version}, not ${major}: run npm ci`);
}
if (!process.version.startsWith('v24.')) {
  faults.push(`this runs on Node ${process.version}, not 24: run it as an npm script`);
}

const permissive = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
]);
for (const [path, { license, dev, resolved }] of Object.entries(lock.packages)) {
  if (path === '') continue;
  if (resolved !== undefined) {
    faults.push(`package-lock.json names where ${path} comes from: remove "resolved" (.npmrc keeps it out)`);
  }
  if (dev !== true && !permissive.has(license ?? '')) {
    faults.push(
      `${path} is shipped to users under ${license ?? 'no licence'}: replace it, or add the licence to the list`,
    );
  }
}

for (const fault of faults) console.error(fault);
console.log(`manifest: ${Object.keys(lock.packages).length - 1} packages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
