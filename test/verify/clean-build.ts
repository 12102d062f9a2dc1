// Builds dist/ from nothing, so that a package holds no file whose source is gone.
// Invariant: nothing but dist/ is removed.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
for (const [file, ...args] of [
  ['node_modules/typescript/bin/tsc', '-b'],
  ['node_modules/vite/bin/vite.js', 'build', 'visualizer', '--logLevel', 'warn'],
] as const)
  execFileSync(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' });
