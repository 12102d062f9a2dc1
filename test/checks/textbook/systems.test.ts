// The textbook systems from the command line, as anyone can run them.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, run } from '../../unit/cli/command.ts';
import { systems } from './systems.ts';

const file = join(import.meta.dirname, 'systems.ts');
const isBroken = (name: string) => name.startsWith('broken');
afterEach(endAll);

describe('holdfast check test/checks/textbook/systems.ts', () => {
  it('says of all that are not broken that they hold, with the published counts', async () => {
    const names = Object.keys(systems).filter((name) => !isBroken(name));
    const { status, stdout } = await run(['check', file, '--system', ...names]);
    const counts = [...stdout.matchAll(/^(\S+): holds\n {2}([\d,  ]+?) states/gm)].map(
      ([, name = '', states = '']) => [name, Number(states.replaceAll(/\D/g, ''))],
    );
    expect(Object.fromEntries(counts)).toEqual({
      'two-phase-commit': 8_832,
      'two-phase-commit-symmetric': 314,
      paxos: 16_668,
      'single-copy-register': 93,
      'replicated-register': 544,
    });
    expect(status).toBe(0);
  });

  it('shows the counterexamples of all that are', async () => {
    const names = Object.keys(systems).filter(isBroken);
    const { status, stdout } = await run(['check', file, '--system', ...names]);
    const violated = [...stdout.matchAll(/^(\S+): violates always: (\S+)/gm)].map(([, name, property]) => [
      name,
      property,
    ]);
    expect(Object.fromEntries(violated)).toEqual({
      'broken-two-phase-commit': 'consistent',
      'broken-paxos': 'agreement',
      'broken-replicated-register': 'linearizable',
    });
    expect(status).toBe(1);
  });
});
