// A machine's paths as a test file to read, edit and keep.
// Invariant: the same machine and options give the same text, which passes as it stands and needs no formatter.
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { array, laidOut, object, pieceOf, prefixed, quoted, type Piece } from './code.ts';
import { inShort } from './coverage.ts';
import { createTestModel, type Plan, type TestModel, type TestModelOptions, type TestPath } from './model.ts';
import { notationOf, type TestStep } from './steps.ts';
import { nodeName, statesOf } from './transitions.ts';
import { stateInWords } from './words.ts';

export interface TestFileOptions extends TestModelOptions {
  /** The import that brings the machine: `import { form } from './form.ts';` */
  readonly imports: readonly string[];
  /** What the machine is called in the file. */
  readonly name: string;
  /** Code of options, where it is not what the value itself would print: `{ events: 'formEvents' }`. */
  readonly code?: Readonly<Record<string, string>>;
  /** The whole second argument of `createTestModel`, in place of single options. */
  readonly optionsCode?: string;
  /** 'js': without types, for projects without TypeScript. @default 'ts' */
  readonly language?: 'ts' | 'js';
  /** Names that `holdfast/testing` gives beside those that every file needs. @default none */
  readonly testingNames?: readonly string[];
}

type Named = keyof TestModelOptions;
const WRITTEN: readonly Named[] = [
  'input',
  'events',
  'scripts',
  'coverage',
  'timing',
  'maxPaths',
  'maxDepth',
  'maxStates',
];

/** What one would be asked for first: the events and the invoked actors of the definition, each with a case. */
function casesOf(machine: AnyStateMachine): { events: Piece; scripts: Piece } {
  const nodes = [machine.root as AnyStateNode, ...statesOf(machine)];
  const types = nodes
    .flatMap((node) => [...node.transitions.keys()])
    .filter((type) => !type.startsWith('xstate.') && !type.endsWith('*'));
  const outcomes = new Map<string, Map<string, Piece>>();
  for (const node of nodes) {
    for (const { id, src } of node.invoke) {
      const name = typeof src === 'string' && !src.startsWith('xstate.invoke.') ? src : id;
      const known = outcomes.get(name) ?? new Map<string, Piece>();
      if (node.transitions.has(`xstate.done.actor.${id}`)) known.set('done', pieceOf({ output: undefined }));
      if (node.transitions.has(`xstate.error.actor.${id}`))
        known.set('failed', pieceOf({ error: new Error(`${name} failed`) }));
      if (known.size > 0) outcomes.set(name, known);
    }
  }
  return {
    events: object(
      [...new Set(types)].map((type) => [type, array(['{}'])]),
      'broken',
    ),
    scripts: object(
      [...outcomes].map(([src, of]) => [src, array([...of.values()])]),
      'broken',
    ),
  };
}

function modelCode(machine: AnyStateMachine, options: TestFileOptions): string {
  const { name, code = {}, optionsCode } = options;
  if (optionsCode !== undefined) return `const model = createTestModel(${name}, ${optionsCode});`;
  const cases: Readonly<Record<string, Piece>> = casesOf(machine);
  const entries = WRITTEN.flatMap((key): [string, Piece][] => {
    const written = code[key];
    if (written !== undefined) return [[key, written]];
    if (options[key] !== undefined) return [[key, pieceOf(options[key])]];
    const found = cases[key];
    return found === undefined || found === '{}' ? [] : [[key, found]];
  });
  if (entries.length === 0) return `const model = createTestModel(${name});`;
  return `const model = createTestModel(${name}, ${laidOut(object(entries, 'broken'))});`;
}

/** Executors and assertions by their keys, each to be filled in. */
function partsCode(machine: AnyStateMachine, paths: readonly TestPath[]): string {
  const steps = paths.flatMap((path) => path.steps);
  const keys = (of: (step: TestStep) => string | undefined): string[] =>
    [...new Set(steps.map(of))].filter((key) => key !== undefined);
  const leaves = statesOf(machine).filter(({ type }) => type === 'atomic' || type === 'final');
  const parts: [string, string[]][] = [
    ['events', keys((step) => (step.kind === 'event' ? step.event.type : undefined))],
    ['waits', keys((step) => (step.kind === 'wait' ? step.delay : undefined))],
    ['actors', keys((step) => (step.kind === 'actor' ? step.src : undefined))],
    ['states', leaves.length === 0 ? ['*'] : leaves.map(nodeName)],
  ];
  const filled = parts
    .filter(([part, of]) => of.length > 0 || part === 'events')
    .map(([part, of]): [string, Piece] => [
      part,
      object(
        of.map((key) => [key, `() => fillIn(${quoted(`${part}[${quoted(key)}]`)})`]),
        'broken',
      ),
    ]);
  return laidOut(object([['create', "() => fillIn('create')"], ...filled], 'broken'));
}

function testCode(path: TestPath, title: string): string {
  const steps = path.steps
    .slice(1)
    .map((step): Piece => array([pieceOf(notationOf(step)), quoted(stateInWords(step.state))]));
  const call = laidOut(prefixed('await takes(', array(steps)), 4, 2);
  return `  it(${quoted(title)}, async () => {\n    ${call});\n  });`;
}

function titled(paths: readonly TestPath[]): string[] {
  const seen = new Map<string, number>();
  return paths.map(({ steps, state }) => {
    const labels = steps
      .slice(1)
      .map((step) => (step.kind === 'wait' && step.until === 'end' ? `wait ${step.delay}` : step.label));
    const base = `reaches ${stateInWords(state)}: ${labels.length === 0 ? 'start' : labels.join(' → ')}`;
    const times = (seen.get(base) ?? 0) + 1;
    seen.set(base, times);
    return times === 1 ? base : `${base} (${times})`;
  });
}

function coverageCode(model: TestModel, { paths, coverage: planned }: Plan): string {
  const coverage = model.coverage(paths);
  const lines = coverage.uncovered.map(({ kind, id, reason }) => {
    const why = planned.uncovered.find((goal) => goal.kind === kind && goal.id === id)?.reason ?? reason;
    return `      // ${why.replaceAll(/\s+/g, ' ')}\n      ${quoted(id)},\n`;
  });
  const list = lines.length === 0 ? '[]' : `[\n${lines.join('')}    ]`;
  return [
    '  // Counts what the tests above took, so it comes last. A transition that the machine gets later fails it.',
    `  it('covers ${inShort(coverage)}', () => {`,
    '    const { uncovered, text } = model.coverage(taken);',
    '    const ids = uncovered.map(({ id }) => id);',
    `    expect(ids, text).toEqual(${list});`,
    '  });',
  ].join('\n');
}

/** The text of a vitest file with one test for each path of the machine. */
export function testFile(machine: AnyStateMachine, options: TestFileOptions): string {
  const model = createTestModel(machine, options);
  const plan = model.plan();
  const { paths } = plan;
  const titles = titled(paths);
  const { name, imports, code = {}, testingNames = [], language = 'ts' } = options;
  const typed = (types: string): string => (language === 'ts' ? types : '');
  const input = code['input'] ?? (options.input === undefined ? undefined : laidOut(pieceOf(options.input)));
  const names = [
    'actorSut',
    ...testingNames,
    'createTestModel',
    ...(language === 'ts' ? ['type ExpectedStep', 'type Sut', 'type TestPath'] : []),
  ];
  return `// Tests of the machine ${name}: one for each path that its states and transitions ask for.
// Made by \`holdfast testgen\`, and yours from now on: read it, edit it, keep it.
import { ${names.join(', ')} } from 'holdfast/testing';
import { describe, expect, it } from 'vitest';
${imports.join('\n')}

// Cases of events and outcomes of actors. Where the machine needs payloads, say them here and beside the machine.
${modelCode(machine, options)}

// Your system. As long as a part of it is not filled in, that part says so when it is called.
const yourSystem${typed(': Sut')} = ${partsCode(machine, paths)};

// What is tested: first the machine itself, run by XState. Say \`systems.yourSystem\` when that is filled in.
const systems = { theMachine: actorSut(${name}${input === undefined ? '' : `, { input: ${input} }`}), yourSystem };
const sut = systems.theMachine;

function fillIn(part${typed(': string')})${typed(': never')} {
  throw new Error(\`fill in yourSystem.\${part}\`);
}

const taken${typed(': TestPath[]')} = [];

/** Takes the steps on the system, and sees that machine and system are in the state beside each. */
async function takes(steps${typed(': readonly ExpectedStep[]')})${typed(': Promise<void>')} {
  const [path] = model.getPathsFromEvents(steps);
  taken.push(path);
  await model.testPath(path, sut);
}

describe(${quoted(machine.id)}, () => {
${paths.map((path, i) => testCode(path, titles[i] ?? '')).join('\n\n')}

${coverageCode(model, plan)}
});
`;
}
