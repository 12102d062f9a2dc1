// A trace as the text of a vitest file, so that a violation once found becomes a test for good.
// Invariant: the file holds the whole trace and needs nothing but the module of the system.
import type { Trace } from './trace.ts';

export interface VitestOptions {
  /** The module that exports `system` and `properties`, as `holdfast check` reads it and the test file imports it. */
  readonly module: string;
  /** The name of the pair in the module's export `systems`. @default the exports `system` and `properties` themselves */
  readonly name?: string;
  /**
   * 'gone': the test fails as long as the trace leads to the violation, so it guards a repair. 'there': it fails when
   * the trace no longer does, so it guards a broken twin. @default 'gone'
   */
  readonly expects?: 'gone' | 'there';
  /** Where `replay` comes from. @default 'holdfast/testing' */
  readonly testing?: string;
}

const text = (value: string): string => JSON.stringify(value);

/** The text of a test file that makes the steps of `trace` again and fails as `expects` says. */
export function toVitest(trace: Trace, options: VitestOptions): string {
  const { module, name, expects = 'gone', testing = 'holdfast/testing' } = options;
  const outcome = expects === 'gone' ? "not.toBe('violated')" : "toBe('violated')";
  const title = `${trace.kind}: ${trace.property}`;
  const why =
    expects === 'gone'
      ? '// Fails as long as these steps lead to the violation; passes when they are impossible or harmless.'
      : '// Fails when these steps no longer lead to the violation: the system is meant to be broken.';
  return `${why}
import { expect, it } from 'vitest';
import { parseTrace, replay } from ${text(testing)};
import * as checked from ${text(module)};

const { system, properties } = { properties: {}, ...checked${name === undefined ? '' : `.systems[${text(name)}]`} };
const trace = parseTrace(
  JSON.stringify(${JSON.stringify(trace, null, 2).replaceAll('\n', '\n  ')}),
);

it(${text(`${trace.system}: ${title} is ${expects}`)}, () => {
  const { verdict, text } = replay(system, trace, properties);
  expect(verdict, text).${outcome};
});
`;
}
