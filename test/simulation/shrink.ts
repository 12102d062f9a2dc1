// The fewest faults and calls with which a scenario still breaks the rule that it broke.
// Invariant: what it answers was run, and failed.
import { runScenario, type Report } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { TwinName } from './twins.ts';

const MAX_RUNS = 100;

/** What is the same in a violation whichever call and node it hits. */
function ruleOf(violation: string | undefined): string | undefined {
  return violation?.replace(/^at [\d.]+ ms: /, '').replace(/[^\s]*\d[^\s]*/g, '');
}

/**
 * Leaves out half, a quarter, an eighth … of the faults and of the calls (delta debugging: Zeller and Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002).
 * @throws Error when the scenario does not fail
 */
export async function shrink(
  scenario: Scenario,
  twin: TwinName,
): Promise<{ scenario: Scenario; report: Report }> {
  let least = { scenario, report: await runScenario(scenario, twin) };
  const rule = ruleOf(least.report.violation);
  if (rule === undefined) throw new Error(`seed ${scenario.seed} does not fail`);
  let runs = 0;
  const without = async (part: 'faults' | 'calls', from: number, count: number): Promise<boolean> => {
    runs += 1;
    const rest: Scenario = {
      ...least.scenario,
      [part]: least.scenario[part].filter((_, index) => index < from || index >= from + count),
    };
    const report = await runScenario(rest, twin);
    if (ruleOf(report.violation) !== rule) return false;
    least = { scenario: rest, report };
    return true;
  };
  for (const part of ['faults', 'calls'] as const) {
    for (let count = Math.ceil(least.scenario[part].length / 2); ; count = Math.ceil(count / 2)) {
      for (let from = 0; from < least.scenario[part].length && runs < MAX_RUNS;) {
        if (!(await without(part, from, count))) from += count;
      }
      if (count <= 1) break;
    }
  }
  return least;
}
