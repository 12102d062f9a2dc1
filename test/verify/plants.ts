// Violations of the layer rules, one of each kind, for layers.ts to plant.
// Invariant: each plant is one file (or lines at the end of one) whose only fault is the one that it is named for.

/** What must refuse a plant: the compiler by error number, the linter by rule. */
export interface Plant {
  readonly kind: string;
  readonly file: string;
  readonly text: string;
  readonly compiler?: number;
  readonly linter?: string;
}

/** A module in each folder that plants import, so that they depend on nobody's file names. */
export const TARGET = 'planted-target.ts';
export const targetFolders: readonly string[] = [
  'machines',
  'src/engine',
  'src/protocol',
  'src/actors',
  'src/checker',
  'src/links',
  'src/calls',
  'src/store',
  'src/training',
  'src/endpoints',
  'src/hub',
  'src/node',
  'src/client',
  'src/adapters',
  'src/inspect',
  'src/testing',
  'src/cli',
  'src/demo',
  'test',
  'visualizer/stream',
];

const NOT_REFERENCED = 6307;
const NO_NODE_TYPES = 2591;
const NO_CONSOLE = 2584;
const NO_SUCH_NAME = 2304;
const IMPORTS = 'eslint(no-restricted-imports)';
const GLOBALS = 'eslint(no-restricted-globals)';
const PROPERTIES = 'eslint(no-restricted-properties)';

const folderOf = (file: string) => file.slice(0, file.lastIndexOf('/'));

function pathFrom(folder: string, to: string): string {
  const up = folder.split('/').map(() => '..');
  const [first, second] = folder.split('/');
  if (second !== undefined && to.startsWith(`${first}/`)) return `../${to.slice(`${first}/`.length)}`;
  if (second === undefined && to.startsWith(`${first}/`)) return `./${to.slice(`${first}/`.length)}`;
  return [...up, to].join('/');
}

let plantsMade = 0;
const freshName = (folder: string) => `${folder}/planted-${++plantsMade}.ts`;

/** A file in `folder` that imports the target of folder `of`, which both tools refuse. */
function importing(folder: string, of: string): Plant {
  return {
    kind: `${folder} imports ${of}`,
    file: freshName(folder),
    text: `import { target } from '${pathFrom(folder, `${of}/${TARGET}`)}';\n\nexport const planted = target;\n`,
    compiler: NOT_REFERENCED,
    linter: IMPORTS,
  };
}

/** A file in `folder` that imports `specifier`: only the linter knows which packages and which files a folder may name. */
function naming(folder: string, specifier: string, name: string, compiler?: number): Plant {
  return {
    kind: `${folder} names ${specifier}`,
    file: freshName(folder),
    text: `import { ${name} } from '${specifier}';\n\nexport const planted = ${name};\n`,
    ...(compiler === undefined ? {} : { compiler }),
    linter: IMPORTS,
  };
}

function using(folder: string, expression: string, linter: string, compiler?: number): Plant {
  return {
    kind: `${folder} uses ${expression}`,
    file: freshName(folder),
    text: `export const planted = (): unknown => ${expression};\n`,
    ...(compiler === undefined ? {} : { compiler }),
    linter,
  };
}

const cycle: readonly Plant[] = ['one', 'other'].map((name, index) => ({
  kind: `src/hub has an import cycle (${name} file)`,
  file: `src/hub/planted-cycle-${name}.ts`,
  text:
    `import { ${index === 0 ? 'other' : 'one'} } from './planted-cycle-${index === 0 ? 'other' : 'one'}.ts';\n\n` +
    `export const ${name} = (): unknown => ${index === 0 ? 'other' : 'one'};\n`,
  linter: 'import(no-cycle)',
}));

const singleFiles: readonly Plant[] = [
  {
    kind: 'src/ports.ts imports protocol',
    file: 'src/ports.ts',
    text: `export { target } from './protocol/${TARGET}';\n`,
    compiler: NOT_REFERENCED,
    linter: IMPORTS,
  },
  {
    kind: 'src/index.ts exports testing',
    file: 'src/index.ts',
    text: `export { target as planted } from './testing/${TARGET}';\n`,
    compiler: NOT_REFERENCED,
    linter: IMPORTS,
  },
  {
    kind: 'src/web.ts exports the hub',
    file: 'src/web.ts',
    text: `export { target as planted } from './hub/${TARGET}';\n`,
    compiler: NOT_REFERENCED,
    linter: IMPORTS,
  },
];

const style: readonly Plant[] = [
  {
    kind: 'src/hub has an any',
    file: freshName('src/hub'),
    text: 'export const planted = (value: any): unknown => value;\n',
    linter: 'typescript(no-explicit-any)',
  },
  {
    kind: 'src/hub asserts non-null',
    file: freshName('src/hub'),
    text: 'export const planted = (value: string | undefined): string => value!;\n',
    linter: 'typescript(no-non-null-assertion)',
  },
  {
    kind: 'src/hub lets a promise float',
    file: freshName('src/hub'),
    text: 'export const planted = (work: () => Promise<void>): void => {\n  work();\n};\n',
    linter: 'typescript(no-floating-promises)',
  },
  {
    kind: 'src/hub has a default export',
    file: freshName('src/hub'),
    text: 'const planted = 1;\nexport default planted;\n',
    linter: 'import(no-default-export)',
  },
  {
    kind: 'a test is focused',
    file: 'test/planted.test.ts',
    text: "import { expect, it } from 'vitest';\n\nit.only('is focused', () => expect(1).toBe(1));\n",
    linter: 'vitest(no-focused-tests)',
  },
  {
    kind: 'a test is skipped',
    file: 'test/planted-skip.test.ts',
    text: "import { expect, it } from 'vitest';\n\nit.skip('is skipped', () => expect(1).toBe(1));\n",
    linter: 'vitest(no-disabled-tests)',
  },
];

export const plants: readonly Plant[] = [
  // Machines and the pure folders import nothing above them.
  importing('machines', 'src/engine'),
  naming('machines', `./${TARGET}`, 'target'),
  importing('src/engine', 'src/protocol'),
  importing('src/protocol', 'src/actors'),
  naming('src/protocol', `../../machines/${TARGET}`, 'target'),
  importing('src/actors', 'src/links'),
  naming('src/actors', `../protocol/${TARGET}`, 'target'),
  importing('src/checker', 'src/protocol'),
  // Features never import features, roles never roles, neither of them an adapter.
  importing('src/links', 'src/calls'),
  importing('src/calls', 'src/links'),
  importing('src/calls', 'src/store'),
  importing('src/store', 'src/calls'),
  importing('src/store', 'src/training'),
  importing('src/training', 'src/calls'),
  importing('src/endpoints', 'src/calls'),
  importing('src/endpoints', 'src/training'),
  importing('src/store', 'src/endpoints'),
  naming('src/endpoints/proxy', `../../store/${TARGET}`, 'target'),
  naming('src/endpoints/proxy', 'undici', 'Pool'),
  naming('src/endpoints/proxy', 'node:http', 'createServer'),
  naming('src/store/etcd', `../../calls/${TARGET}`, 'target'),
  naming('src/training/strategies', `../../calls/${TARGET}`, 'target'),
  naming('src/store/etcd', '@grpc/grpc-js', 'Client'),
  importing('src/links', 'src/hub'),
  importing('src/calls', 'src/adapters'),
  importing('src/hub', 'src/node'),
  importing('src/node', 'src/hub'),
  importing('src/client', 'src/node'),
  importing('src/hub', 'src/adapters'),
  importing('src/adapters', 'src/hub'),
  importing('src/testing', 'src/adapters'),
  // (its stream collects from actors, so the compiler lets the rest of it see them)
  naming('src/inspect', `../actors/${TARGET}`, 'target'),
  naming('src/inspect', `../../machines/${TARGET}`, 'target'),
  naming('src/inspect/stream', `../../hub/${TARGET}`, 'target', NOT_REFERENCED),
  // (the compiler sees through a reference to what that references in turn: the hub behind the public API)
  naming('src/cli', `../hub/${TARGET}`, 'target'),
  naming('src/demo', `../node/${TARGET}`, 'target'),
  // The page knows machines, protocol and what reads charts, and is known by nobody.
  naming('visualizer/stream', `../../src/hub/${TARGET}`, 'target'),
  naming('visualizer/stream', 'react', 'createElement'),
  importing('src/hub', 'visualizer/stream'),
  // Nothing imports a test or a command.
  importing('src/hub', 'src/cli'),
  ...['machines', 'src/engine', 'src/client', 'src/adapters'].map((folder): Plant => ({
    ...importing(folder, 'test'),
    kind: `${folder} imports a test`,
  })),
  // The outside stays outside.
  ...[
    'machines',
    'src/engine',
    'src/protocol',
    'src/actors',
    'src/checker',
    'src/hub',
    'src/inspect',
    'src/testing',
  ].map((folder) => naming(folder, 'node:fs', 'readFileSync', NO_NODE_TYPES)),
  naming('src/links', 'ws', 'WebSocketServer'),
  naming('src/node', 'pino', 'pino'),
  naming('src/adapters', 'zod', 'z'),
  naming('src/cli', 'ws', 'WebSocketServer'),
  naming('src/cli', 'xstate', 'createActor'),
  {
    ...naming('src/adapters', 'node:os', 'hostname', NO_NODE_TYPES),
    file: 'src/adapters/web-planted.ts',
    kind: 'a browser adapter names node:os',
  },
  // No clock, no randomness, no console inside.
  using('machines', 'Date.now()', PROPERTIES),
  using('machines', 'console.log(1)', GLOBALS, NO_CONSOLE),
  using('src/engine', 'setTimeout(() => undefined, 1)', GLOBALS, NO_SUCH_NAME),
  using('src/protocol', 'console.log(1)', GLOBALS, NO_CONSOLE),
  using('src/actors', 'performance.now()', GLOBALS, NO_SUCH_NAME),
  using('src/checker', 'process.exit()', GLOBALS, NO_NODE_TYPES),
  using('src/hub', 'Date.now()', PROPERTIES),
  using('src/hub', 'new Date()', GLOBALS),
  using('src/links', 'setTimeout(() => undefined, 1)', GLOBALS),
  using('src/calls', 'Math.random()', PROPERTIES),
  using('src/client', 'globalThis.setInterval(() => undefined, 1)', GLOBALS),
  using('src/endpoints', 'Date.now()', PROPERTIES),
  using('src/node', 'AbortSignal.timeout(1)', PROPERTIES),
  using('src/testing', 'performance.now()', GLOBALS),
  using('src/inspect', 'Date.now()', PROPERTIES),
  using('visualizer/stream', 'performance.now()', GLOBALS, NO_SUCH_NAME),
  ...cycle,
  ...singleFiles,
  ...style,
];

/** Imports that the rules allow: they show that it is the fault, not the planting, that is refused. */
export const harmless: readonly Pick<Plant, 'file' | 'text'>[] = [
  ['src/engine/planted-good.ts', 'machines'],
  ['src/actors/planted-good.ts', 'src/engine'],
  ['src/checker/planted-good.ts', 'machines'],
  ['src/links/planted-good.ts', 'src/actors'],
  ['src/hub/planted-good.ts', 'src/links'],
  ['src/node/planted-good.ts', 'src/calls'],
  ['src/adapters/planted-good.ts', 'src/protocol'],
  ['src/testing/planted-good.ts', 'src/hub'],
  ['src/cli/planted-good.ts', 'src/adapters'],
  ['test/planted-good.ts', 'src/hub'],
].map(([file = '', of = '']) => ({
  file,
  text: `import { target } from '${pathFrom(folderOf(file), `${of}/${TARGET}`)}';\n\nexport const planted = target;\n`,
}));
