// Builds the page into dist/visualizer and weighs it as a server with brotli would send it.
// Invariant: it stays within its weight with everything that is loaded later, nothing in its HTML is inline, and the terms of
// all that is bundled come with it.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

/** All of it, and what stands between a visitor and the fleet. */
const MAX_BYTES = 600_000;
const MAX_FIRST_BYTES = 200_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'dist', 'visualizer');
execFileSync(
  process.execPath,
  [join(root, 'node_modules/vite/bin/vite.js'), 'build', join(root, 'visualizer'), '--logLevel', 'warn'],
  { cwd: root, stdio: 'inherit' },
);

const html = readFileSync(join(folder, 'index.html'), 'utf8');
const faults: string[] = [];
let bytes = 0;
let firstBytes = 0;
for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
  if (!/\.(js|css|html|svg|json)$/.test(name)) continue;
  const packed = brotliCompressSync(readFileSync(join(folder, name))).length;
  bytes += packed;
  if (name === 'index.html' || html.includes(name.replaceAll('\\', '/'))) firstBytes += packed;
}
if (bytes > MAX_BYTES) faults.push(`the page weighs ${bytes} bytes in brotli, more than ${MAX_BYTES}`);
if (firstBytes > MAX_FIRST_BYTES)
  faults.push(
    `${firstBytes} bytes in brotli are loaded at first, more than ${MAX_FIRST_BYTES}: load views later`,
  );
if (/<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=|https?:\/\//.test(html))
  faults.push('index.html has something inline, or from elsewhere: the Content-Security-Policy refuses it');

// elkjs is a file of its own, as its authors built it: the EPL asks for its text and its source's place, which licenses.md and the README have.
const permitted = new Set(['Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT', 'EPL-2.0 OR GPL-3.0-or-later']);
const bundled = [...readFileSync(join(folder, 'licenses.md'), 'utf8').matchAll(/^## (.+) - \S+ \((.+)\)$/gm)];
if (!bundled.some(([, name]) => name === 'react')) faults.push('licenses.md does not name what is bundled');
for (const [, name, licence = ''] of bundled)
  if (!permitted.has(licence) || (licence.startsWith('EPL') && name !== 'elkjs'))
    faults.push(`${name} is bundled under ${licence}: replace it, or add the licence to the list`);

for (const fault of faults) console.error(fault);
console.log(`page: ${bytes} bytes in brotli, ${firstBytes} of them at first, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
