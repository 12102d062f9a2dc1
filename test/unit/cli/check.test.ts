// `holdfast check` as a person uses it: a module with systems, what is printed, and with which status it ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  describeProgress,
  describeResult,
  formatBytes,
  formatCount,
} from '../../../src/cli/search-report.ts';
import { Command, endAll, run } from './command.ts';

const testing = pathToFileURL(join(import.meta.dirname, '../../../src/testing/index.ts')).href;

/** Models that climb to `top` by ones and twos; `endless` has ten billion states. */
const SYSTEMS = `
import { defineSystem, model, type View } from '${testing}';
const climber = (top: number) => model<number>({
  initial: 0,
  step: (height, { by }) => ({ state: height + (by as number) }),
  choices: (height) => [1, 2].filter((by) => height + by <= top).map((by) => ({ event: { type: 'climb', by } })),
});
const climbing = (top: number) => defineSystem({ actors: { climber: climber(top) }, route: () => [] });
const many = defineSystem({
  actors: { climber: climber(99), b: climber(99), c: climber(99), d: climber(99), e: climber(99) },
  route: () => [],
});
const height = (view: View) => view.model<number>('climber');
export const systems = {
  low: { system: climbing(4), properties: { always: { 'below 5': (view: View) => height(view) < 5 } } },
  high: { system: climbing(6), properties: { always: { 'below 5': (view: View) => height(view) < 5 } } },
  endless: { system: many, properties: { sometimes: { 'at -1': (view: View) => height(view) === -1 } } },
};
`;

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-check-'));
  file = join(folder, 'systems.ts');
  await writeFile(file, SYSTEMS);
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('holdfast check', () => {
  test('says that properties hold, with the counts, and ends with 0', async () => {
    const { status, stdout, stderr } = await run(['check', file, '--system', 'low']);
    expect(stdout).toMatch(/^low: holds\n {2}5 states, 7 generated, depth 2, .* states\/s\n$/);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('prints the counterexample of a violation and ends with 1, after the other systems too', async () => {
    const { status, stdout } = await run(['check', file, '--system', 'low', 'high']);
    expect(stdout).toContain('low: holds');
    expect(stdout).toContain('high: violates always: below 5');
    expect(stdout).toContain('    3. climber gets climb');
    expect(status).toBe(1);
  });

  test('prints one JSON line a system', async () => {
    const { stdout } = await run(['check', file, '--system', 'low', 'high', '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { system: 'low', states: 5, complete: true, ending: 'finished' },
      { system: 'high', complete: false, violation: { kind: 'always', property: 'below 5' } },
    ]);
  });

  test('simulates with a seed that it prints, and that replays', async () => {
    const simulate = ['check', file, '--system', 'high', '--mode', 'simulation'];
    const found = await run(simulate);
    const seed = /replay it with --mode simulation --seed (\d+) --walks 1/.exec(found.stdout)?.[1] ?? '';
    const counterexample = (text: string) => text.slice(text.indexOf('  always:'));
    const again = await run([...simulate, '--seed', seed, '--walks', '1']);
    expect(counterexample(again.stdout)).toBe(counterexample(found.stdout));
    expect(again.status).toBe(1);
  });

  test('stops at a bound, and says what it cannot judge', async () => {
    const { status, stdout } = await run(['check', file, '--system', 'endless', '--max-depth', '3']);
    expect(stdout).toContain('endless: no violation found; not every state was seen\n  ');
    expect(stdout).toContain('not reached so far: at -1');
    expect(status).toBe(0);
  });

  test('prints at Ctrl-C what was found so far', async () => {
    const command = new Command(['check', file, '--system', 'low', 'endless']);
    await command.match(/low: holds/);
    command.kill('SIGINT');
    const { status, stdout } = await command.ended;
    expect(stdout).toMatch(/endless: interrupted; no violation so far\n {2}[\d ]+ states/);
    expect(status).toBe(130);
  });

  test('names what is wrong with the file, and ends with 2', async () => {
    const empty = join(folder, 'empty.ts');
    await writeFile(empty, 'export const systems = { broken: { system: 5 } };');
    const [missing, broken, unknown] = await Promise.all([
      run(['check', join(folder, 'nowhere.ts')]),
      run(['check', empty]),
      run(['check', file, '--system', 'middle']),
    ]);
    expect(missing.stderr).toContain('nowhere.ts; check wants a module that exports `system`');
    expect(broken.stderr).toContain('has no system; make one with defineSystem');
    expect(unknown.stderr).toContain("has no system 'middle'; it has low, high, endless");
    expect([missing, broken, unknown].map(({ status }) => status)).toEqual([2, 2, 2]);
  });

  test('explores the other systems when one cannot be, names that one, and ends with 2', async () => {
    const mixed = join(folder, 'mixed.ts');
    await writeFile(
      mixed,
      `import { systems as good } from './systems.ts';
       const throwing = { always: { high: () => { throw new Error('no idea'); } } };
       export const systems = { thrown: { ...good.low, properties: throwing }, low: good.low, high: good.high };`,
    );
    const { status, stdout, stderr } = await run(['check', mixed]);
    expect(stderr).toMatch(/^holdfast: thrown: the property 'high' \(always\) threw Error: no idea/);
    expect(stdout).toMatch(/^low: holds\n.*\nhigh: violates always/);
    expect(status).toBe(2);
  });
});

describe('the words for a search', () => {
  const counts = { states: 1_234_567, generated: 9_000_000, depth: 40 };
  test('give counts and sizes to read', () => {
    expect([0, 999, 1_000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1 000', '1 234 567']);
    expect([100, 2 ** 20 * 1.5, 2 ** 30 * 3].map(formatBytes)).toEqual(['1 KiB', '1.5 MiB', '3.00 GiB']);
  });

  const largest = { part: 'hub', localStates: 1_200 };
  test('say how far it is', () => {
    const progress = { phase: 'exploring', ...counts, queued: 5_000, memoryBytes: 2 ** 25, largest } as const;
    expect(describeProgress('fleet', progress, 10_000)).toBe(
      'fleet: 1 234 567 states, 123 457/s, depth 40, queue 5 000, about 32.0 MiB; hub has 1 200 local states',
    );
  });

  test('say what was not judged', () => {
    const lines = describeResult(
      'fleet',
      { ...counts, complete: false, unjudged: ['online'] },
      'interrupted',
      10_000,
      largest,
    );
    expect(lines).toEqual([
      'fleet: interrupted; no violation so far',
      '  1 234 567 states, 9 000 000 generated, depth 40, 10.0 s, 123 457 states/s',
      '  not judged, since that takes every state: online',
    ]);
  });

  test('show the first and the last steps of a very long counterexample', () => {
    const textOf = (count: number) =>
      [
        'always: low',
        'at first',
        ...Array.from({ length: count }, (_, i) => `${`${i + 1}`.padStart(3)}. climb\n     up`),
      ].join('\n');
    const told = (count: number) => {
      const violation = {
        kind: 'always',
        property: 'low',
        parts: [],
        start: [],
        steps: [],
        text: textOf(count),
      } as const;
      const lines = describeResult(
        'fleet',
        { ...counts, complete: false, violation },
        'finished',
        1,
        largest,
      );
      return lines.filter((line) => !/^ +up$/.test(line)).slice(4);
    };
    expect(told(50).at(-1)).toBe('   50. climb');
    expect(told(50)).toHaveLength(50);
    expect(told(1_050).slice(8, 13)).toEqual([
      '    9. climb',
      '   10. climb',
      '       (1 000 steps are left out here; --save FILE keeps all)',
      '  1011. climb',
      '  1012. climb',
    ]);
  });

  test('say which bound kept states back, and what to do', () => {
    const bounded = (bound: 'maxStates' | 'maxDepth') =>
      describeResult('fleet', { ...counts, complete: false, bound }, 'finished', 10_000, largest).at(-1);
    expect(bounded('maxStates')).toMatch(
      /stopped by maxStates; hub has the most local states, 1 200: bound .* raise --max-states$/,
    );
    expect(bounded('maxDepth')).toMatch(/stopped by maxDepth: raise --max-depth/);
  });
});
