// The example of README.md's "Checked, not claimed": it holds with the states that stand there, and twins of it do not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import {
  check,
  type CheckOptions,
  type CheckResult,
  type SystemDefinition,
} from '../../src/testing/index.ts';
import { ROOT, Workshop } from '../unit/testing/model/workshop.ts';
import { README } from './readme.ts';

const readme = readFileSync(README, 'utf8');
const example = /```ts\n(\/\/ ask\.ts:[\s\S]*?)```/.exec(readme)?.[1] ?? '';
const testing = pathToFileURL(join(ROOT, 'src/testing/index.ts')).href;

async function checked(
  name: string,
  change: (source: string) => string = (source) => source,
): Promise<CheckResult> {
  using workshop = new Workshop();
  const source = change(example);
  if (name !== 'ask') expect(source).not.toBe(example);
  workshop.write(`${name}.ts`, source.replace("'holdfast/testing'", JSON.stringify(testing)));
  const module = (await import(pathToFileURL(workshop.path(`${name}.ts`)).href)) as {
    system: SystemDefinition;
    properties: CheckOptions;
  };
  return check(module.system, module.properties);
}

test('the example of a system holds, and has the states that stand beside it', async () => {
  const { states, violation } = await checked('ask');
  expect(violation?.text).toBeUndefined();
  expect(readme).toContain(`# system: holds, ${states} states`);
});

test('the first loss is a counterexample when nobody asks again', async () => {
  const { violation } = await checked('impatient', (source) =>
    source.replace(/, after: \{ patience.*\} \},/, ' },'),
  );
  expect(violation).toMatchObject({
    kind: 'eventually',
    property: 'is served',
    steps: [{ label: 'up loses question' }],
  });
});

test('the second answer is a counterexample when nobody expects it', async () => {
  const { violation } = await checked('proud', (source) => source.replace('on: { answer: {} }', ''));
  expect(violation).toMatchObject({ kind: 'unexpected', property: 'client does not expect answer' });
});
