// Shows that the layer rules bite: plants one violation of each kind in a copy of the tree and sees the compiler and
// the linter refuse it. Run by `npm run layers`.
// Invariant: the tree itself is never written to, and without the plants the copy passes.

import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { harmless, plants, TARGET, targetFolders } from './plants.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const copied = ['machines', 'src', 'test', 'visualizer', 'package.json', 'tsconfig.json', '.oxlintrc.json'];

interface Complaint {
  readonly file: string;
  readonly code: string;
  readonly text: string;
}

function run(copy: string, command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      join('node_modules', '.bin', command),
      args,
      { cwd: copy, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        // Both tools end with a status other than 0 when they complain; what they say is on stdout.
        if (error !== null && stdout === '')
          reject(new Error(`${command} failed: ${error.message}\n${stderr}`));
        else resolve(stdout);
      },
    );
  });
}

async function compilerComplaints(copy: string): Promise<Complaint[]> {
  const lines = (await run(copy, 'tsc', ['-b', '--pretty', 'false'])).split('\n');
  return lines.flatMap((line) => {
    const found = /^(?:(\S+?)\(\d+,\d+\): )?error TS(\d+): (.*)$/.exec(line);
    return found === null ? [] : [{ file: found[1] ?? '', code: found[2] ?? '', text: found[3] ?? '' }];
  });
}

async function linterComplaints(copy: string): Promise<Complaint[]> {
  const output = await run(copy, 'oxlint', ['--format', 'json', 'machines', 'src', 'test', 'visualizer']);
  const { diagnostics } = JSON.parse(output) as {
    diagnostics: readonly { filename: string; code?: string; message: string; help?: string }[];
  };
  return diagnostics.map(({ filename, code = '', message, help = '' }) => ({
    file: filename,
    code,
    text: `${message} ${help}`,
  }));
}

async function complaints(copy: string): Promise<{ compiler: Complaint[]; linter: Complaint[] }> {
  const [compiler, linter] = await Promise.all([compilerComplaints(copy), linterComplaints(copy)]);
  return { compiler, linter };
}

function plant(copy: string, file: string, text: string): void {
  const path = join(copy, file);
  mkdirSync(dirname(path), { recursive: true });
  const before = existsSync(path) ? `${readFileSync(path, 'utf8')}\n` : '';
  writeFileSync(path, before + text);
}

const copy = mkdtempSync(join(tmpdir(), 'holdfast-layers-'));
const faults: string[] = [];
let refusals = 0;
try {
  for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  for (const folder of targetFolders) plant(copy, `${folder}/${TARGET}`, 'export const target = 1;\n');
  for (const { file, text } of harmless) plant(copy, file, text);

  const before = await complaints(copy);
  for (const { file, code, text } of [...before.compiler, ...before.linter]) {
    faults.push(`without a violation planted, ${file} is refused: ${code} ${text}`);
  }

  for (const { file, text } of plants) plant(copy, file, text);
  const after = await complaints(copy);
  for (const { kind, file, compiler, linter } of plants) {
    const seen = [...after.compiler, ...after.linter].filter((complaint) => complaint.file === file);
    const expected = [
      ...(compiler === undefined ? [] : [{ by: after.compiler, name: 'tsc', code: String(compiler) }]),
      ...(linter === undefined ? [] : [{ by: after.linter, name: 'oxlint', code: linter }]),
    ];
    for (const { by, name, code } of expected) {
      if (by.some((complaint) => complaint.file === file && complaint.code === code)) refusals += 1;
      else
        faults.push(
          `${kind}: ${name} did not say ${code}, but: ${seen.map((it) => `${it.code} ${it.text}`).join('; ')}`,
        );
    }
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

for (const fault of faults) console.error(fault);
console.log(
  `layers: ${plants.length} violations planted, ${refusals} refusals as expected, ${faults.length} faults`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
