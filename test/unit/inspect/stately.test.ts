// The file for Stately Studio: literals only, read by Stately's own extractor, type-checked and run with XState.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as xstate from 'xstate';
import type { AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { toDocument, toStately } from '../../../src/inspect/index.ts';
import { answersOf, eventsOf } from './answers.ts';
import { machines } from './arbitrary.ts';
import { extracted, importsOf, literalConfig } from './importer.ts';
import { ours } from './ours.ts';

/** Runs a text as it stands, with the real XState. */
function evaluated(text: string): AnyStateMachine {
  const [, names = ''] = /^import \{ (.*) \} from 'xstate';$/m.exec(text) ?? [];
  const body = stripTypeScriptTypes(text)
    .replace(/^import .*$/m, '')
    .replace(/export const \w+ =/, 'return');
  const values = names.split(', ').filter((name) => !name.startsWith('type '));
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is what is under test
  const run = new Function(...values, body) as (...given: unknown[]) => AnyStateMachine;
  const known: Readonly<Record<string, unknown>> = { setup: xstate.setup, fromCallback: xstate.fromCallback };
  return run(...values.map((name) => known[name]));
}

const shop = xstate.createMachine({
  id: 'shop',
  description: 'A shop: it\'s open\nor "closed" \\ `${x}`',
  context: { coins: 1, labels: [], owner: null },
  initial: 'open',
  states: {
    open: {
      tags: ['busy'],
      invoke: { src: 'greet', input: { politely: true }, onDone: 'closed' },
      on: {
        'door opened': {
          actions: { type: 'ring', params: { times: 2 } },
          guard: { type: 'loud', params: 1 },
        },
      },
      after: { 1000: 'closed', patience: { target: 'closed', description: 'nobody came' } },
    },
    closed: { type: 'final', entry: 'ring' },
  },
}) as unknown as AnyStateMachine;
const samples = [...ours, { name: 'shop', machine: shop, input: undefined }];

describe.each(samples)('the file of $name', ({ machine, input }) => {
  const text = toStately(machine, { input });

  test('holds literals only, and the very document', () => {
    expect(literalConfig(text)).toEqual(JSON.parse(JSON.stringify(toDocument(machine, { input }).document)));
    expect(importsOf(text)).toEqual(['xstate']);
    expect(text).not.toMatch(/\.\.\.|=> `/);
  });

  test('is read by the extractor of Stately: every state, event, target, action and guard', () => {
    const bare = xstate.createMachine(toDocument(machine, { input }).document as never);
    const again = xstate.createMachine(extracted(text) as never);
    const events = eventsOf(bare as unknown as AnyStateMachine);
    expect(statesAndTargets(again)).toEqual(statesAndTargets(bare));
    expect(events.length).toBeGreaterThan(3);
  });

  test('runs as it stands, and makes a machine with the same transitions', () => {
    const events = eventsOf(machine);
    expect(answersOf(evaluated(text), events)).toEqual(answersOf(machine, events));
    expect(xstate.createActor(evaluated(text)).start().stop().getSnapshot().context).toEqual(
      toDocument(machine, { input }).document.context,
    );
  });
});

/** Without re-entering, a word of XState 5 that the extractor, built on 4, passes over; the editor reads it. */
function statesAndTargets(machine: unknown): unknown {
  const it = machine as AnyStateMachine;
  const table = Object.entries(answersOf(it, eventsOf(it)));
  return Object.fromEntries(table.map(([key, tried]) => [key, tried.replaceAll(' again', '')]));
}

test('type-checks as it stands, and would not with a name that has no stub', () => {
  const folder = mkdtempSync(join(fileURLToPath(new URL('.', import.meta.url)), 'stately-'));
  const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
  const check = (files: readonly string[]): string => {
    const flags = '--noEmit --strict --skipLibCheck --ignoreConfig --module nodenext --target es2024'.split(
      ' ',
    );
    return spawnSync(tsc, [...flags, ...files], { encoding: 'utf8' }).stdout;
  };
  try {
    const files = samples.map(({ name, machine, input }) => {
      const file = join(folder, `${name}.ts`);
      writeFileSync(file, toStately(machine, { input }));
      return file;
    });
    expect(check(files)).toBe('');
    const broken = join(folder, 'broken.ts');
    writeFileSync(broken, toStately(shop).replace("entry: 'ring'", "entry: 'rang'"));
    expect(check([broken])).toContain('"rang"');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('files of random machines hold literals only, run, and make the same machine', () => {
  fc.assert(
    fc.property(machines, (machine) => {
      const text = toStately(machine);
      expect(literalConfig(text)).toEqual(JSON.parse(JSON.stringify(toDocument(machine).document)));
      const events = eventsOf(machine);
      expect(answersOf(evaluated(text), events)).toEqual(answersOf(machine, events));
      extracted(text);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['connection', 'connectionMachine'],
  ['order-form 2', 'orderForm2Machine'],
  ['tvMachine', 'tvMachine'],
  ['(machine)', 'machine'],
  ['3d', 'machine3d'],
  ['é', 'machine'],
])('the machine %s is exported as %s', (id, name) => {
  const machine = xstate.createMachine({ id }) as unknown as AnyStateMachine;
  expect(toStately(machine)).toContain(`export const ${name} = setup({`);
});

test.each([
  ['a template literal', 'setup({}).createMachine({ initial: `a` })', 'TemplateLiteral is no literal'],
  ['a spread', 'setup({}).createMachine({ ...a })', 'SpreadElement is no plain field'],
  ['a computed key', 'setup({}).createMachine({ [a]: 1 })', 'ObjectProperty is no plain field'],
  ['a function', 'setup({}).createMachine({ a: () => 1 })', 'ArrowFunctionExpression is no literal'],
])('%s would be found', (_, text, complaint) => {
  expect(() => literalConfig(text)).toThrow(complaint);
});
