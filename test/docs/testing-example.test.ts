// The example of README.md's "Tests from your machine", run by vitest as it stands, on a door that works and on ones that do not.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Workshop } from '../unit/testing/model/workshop.ts';
import { README } from './readme.ts';

const example =
  /```ts\n(import [^\n]*\nimport \{ describeModel [\s\S]*?)```/.exec(readFileSync(README, 'utf8'))?.[1] ?? '';

const door = `
import { createMachine } from 'xstate';

export const doorMachine = createMachine({
  id: 'door',
  initial: 'closed',
  states: {
    closed: { on: { opened: 'open' } },
    open: { on: { held: 'kept' }, after: { autoClose: 'closed' } },
    kept: {},
  },
}, { delays: { autoClose: 5_000 } });

export class Door {
  state = 'closed';
  #leftMs = Infinity;
  open() { this.state = 'open'; this.#leftMs = 5_000; }
  hold() { this.state = 'kept'; this.#leftMs = Infinity; }
  pass(delayMs: number) {
    this.#leftMs -= delayMs;
    if (this.#leftMs <= 0) this.state = 'closed';
  }
}
`;

/** What each test of the example says: nothing, or why it failed. One run of vitest for all doors. */
function tried(doors: Readonly<Record<string, string>>): Record<string, string>[] {
  using workshop = new Workshop();
  for (const [name, source] of Object.entries(doors)) {
    workshop.write(`${name}.ts`, source);
    workshop.write(`${name}.test.ts`, example.replace('./door.ts', `./${name}.ts`));
  }
  workshop.runTests();
  return Object.keys(doors).map((name) =>
    Object.fromEntries(workshop.resultsOf(`${name}.test.ts`).map(({ title, message }) => [title, message])),
  );
}

test('the example of generated tests runs as it stands, and catches a door that is wrong', () => {
  const [right, slow, forgetful] = tried({
    door,
    slow: door.replace('this.#leftMs = 5_000', 'this.#leftMs = 6_000'),
    forgetful: door.replace("this.state = 'kept';", ''),
  });
  expect(right).toEqual({
    'reaches closed: opened → wait 5000 ms (autoClose)': '',
    'reaches kept: opened → held': '',
    'covers 3 of 3 states, 3 of 3 transitions': '',
  });
  expect(slow?.['reaches closed: opened → wait 5000 ms (autoClose)']).toContain(
    "expected 'open' to be 'closed'",
  );
  expect(slow?.['reaches kept: opened → held']).toBe('');
  expect(forgetful?.['reaches kept: opened → held']).toContain("expected 'open' to be 'kept'");
}, 60_000);

test('the example has at most ten lines of code', () => {
  expect(
    example
      .trim()
      .split('\n')
      .filter((line) => line !== '').length,
  ).toBeLessThanOrEqual(10);
});
