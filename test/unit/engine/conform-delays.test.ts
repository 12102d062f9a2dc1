// How long delays took, by a log's own clock: what is too early cannot be, and what is not known is not judged.
import { describe, expect, it } from 'vitest';
import { assign, setup, type AnyStateMachine } from 'xstate';
import { connectionInput, connectionMachine } from '../../../machines/index.ts';
import { createSystem, recordTransitions, type Actor } from '../../../src/actors/index.ts';
import { transitionLine, type TransitionRecord } from '../../../src/engine/transition-record.ts';
import { conform, createSimulation, type ConformOptions } from '../../../src/testing/index.ts';

interface Tries {
  readonly tries: number;
}

/** Waits twice as long after each try; a poke restarts the wait, a prod does not. */
const retrier = (backoff: (context: Tries) => number = ({ tries }) => 100 * 2 ** tries, limit = 5_000) =>
  setup({
    types: {} as { context: Tries; events: { type: 'fail' | 'poke' | 'prod' | 'stop' } },
    actions: { count: assign({ tries: ({ context }) => context.tries + 1 }) },
    delays: { backoff: ({ context }) => backoff(context), limit },
  }).createMachine({
    id: 'retrier',
    context: { tries: 0 },
    initial: 'trying',
    states: {
      trying: { on: { fail: { target: 'waiting', actions: 'count' } }, after: { limit: 'over' } },
      waiting: {
        on: { poke: { target: 'waiting', reenter: true }, prod: { actions: 'count' }, stop: 'over' },
        after: { backoff: 'trying' },
      },
      over: {},
    },
  });

type Step = string | number;

/** What steps make a log of: events, and milliseconds that pass. */
async function logOf(machine: AnyStateMachine, steps: readonly Step[], input?: unknown): Promise<string[]> {
  const sim = createSimulation({ seed: 1 });
  const lines: string[] = [];
  const inspect = recordTransitions((record) => void lines.push(transitionLine(record)), 'r1');
  const system = createSystem({ clock: sim.clock, inspect });
  const actor = system.spawn(machine, { id: 'one', input } as never) as unknown as Actor;
  for (const step of steps) {
    if (typeof step === 'number') await sim.run(step);
    else actor.send({ type: step });
  }
  await system.stop();
  return lines;
}

const read = (line: string): TransitionRecord => JSON.parse(line) as TransitionRecord;
const check = (lines: readonly string[], machine: AnyStateMachine, more: Partial<ConformOptions> = {}) =>
  conform(lines, { machines: [machine], ...more });

/** From the line of this event on, everything happened so much later (or earlier). */
function shifted(
  lines: readonly string[],
  isFirst: (record: TransitionRecord) => boolean,
  ms: number,
): string[] {
  const first = lines.findIndex((line) => isFirst(read(line)));
  expect(first).toBeGreaterThan(0);
  return lines.map((line, i) =>
    i < first ? line : transitionLine({ ...read(line), at: read(line).at + ms }),
  );
}
const isBackoff = ({ event }: TransitionRecord) => event.type.startsWith('xstate.after.backoff');

describe('a delay in a log', () => {
  const machine = retrier();

  it('that the context decides conforms at its time, and cannot end before it', async () => {
    const lines = await logOf(machine, ['fail', 200, 'fail', 400, 10]);
    expect(lines.filter((line) => isBackoff(read(line)))).toHaveLength(2);
    expect(check(lines, machine)).toMatchObject({ impossible: [], late: [] });
    const second = (record: TransitionRecord) => isBackoff(record) && record.seq === 5;
    expect(check(shifted(lines, second, -60), machine).impossible).toMatchObject([
      {
        line: 5,
        state: 'waiting',
        what: 'after backoff came 340 ms after that delay began, and by the machine it takes 400 ms (a tolerance of 50 ms granted)',
      },
    ]);
  });

  it('may end a little early, and how little one can say', async () => {
    const lines = shifted(await logOf(machine, ['fail', 200]), isBackoff, -40);
    expect(check(lines, machine).impossible).toEqual([]);
    expect(check(lines, machine, { toleranceMs: 30 }).impossible).toHaveLength(1);
  });

  it('of a process that ran another delay than its machine says is found, ours included', async () => {
    const hasty = retrier(() => 20);
    const lines = await logOf(hasty, ['fail', 100]);
    expect(check(lines, hasty).impossible).toEqual([]);
    expect(check(lines, machine).impossible).toMatchObject([
      { what: expect.stringMatching(/came 20 ms after/) },
    ]);
    const impatient = connectionMachine.provide({ delays: { connectionTimeout: 100 } });
    const dialled = await logOf(impatient, ['connect.requested', 200], connectionInput);
    expect(check(dialled, impatient).impossible).toEqual([]);
    expect(check(dialled, connectionMachine).impossible).toMatchObject([
      { what: expect.stringMatching(/^after connectionTimeout came 100 ms after .* takes 10000 ms/) },
    ]);
  });

  it('begins again when its state is entered again, and only then', async () => {
    const lines = await logOf(machine, ['fail', 150, 'poke', 200]);
    expect(check(lines, machine).impossible).toEqual([]);
    // Had the poke not restarted it, it would have ended 50 ms after.
    expect(check(shifted(lines, isBackoff, -150), machine).impossible).toMatchObject([
      { what: expect.stringMatching(/came 50 ms after that delay began/) },
    ]);
    // A prod leaves it running, though its length would be another one by now.
    expect(check(await logOf(machine, ['fail', 150, 'prod', 50]), machine).impossible).toEqual([]);
  });

  it('that took far too long is mentioned, and so is one that never ends, once each', async () => {
    const lines = await logOf(machine, ['fail', 200]);
    const slow = check(shifted(lines, isBackoff, 2_000), machine);
    expect(slow).toMatchObject({
      impossible: [],
      late: [{ line: 3, actor: 'one', delay: 'backoff', delayMs: 200, tookMs: 2_200, state: 'ended' }],
    });
    const lost = retrier(() => 1e9);
    const never = await logOf(lost, ['fail', 5_000, 'prod', 5_000, 'prod']);
    expect(check(never, machine)).toMatchObject({
      impossible: [],
      late: [{ line: 3, delay: 'backoff', tookMs: 5_000, state: 'running' }],
    });
    expect(check(await logOf(machine, ['fail', 200, 4_000]), machine).late).toEqual([]);
  });
});

describe('the length of a delay is not known, and so not judged,', () => {
  const machine = retrier();
  const early = async (): Promise<string[]> => shifted(await logOf(machine, ['fail', 200]), isBackoff, -190);

  it('when it is random', async () => {
    const dice = retrier(() => 100 + Math.random() * 1e6);
    const lines = await early();
    expect(check(lines, machine).impossible).toHaveLength(1);
    expect(check(lines, dice)).toMatchObject({ impossible: [], late: [] });
  });

  it('when it began before the log, or in a gap', async () => {
    const lines = await early();
    expect(check(lines.slice(1), machine)).toMatchObject({ impossible: [], begunBefore: 1 });
    expect(check(lines.toSpliced(1, 1), machine).impossible).toEqual([]);
  });

  it('when the log has no times, or its clock goes back', async () => {
    const lines = await early();
    const timeless = lines.map((line) => JSON.stringify({ ...read(line), at: undefined }));
    expect(check(timeless, machine)).toMatchObject({ impossible: [], late: [] });
    expect(check(shifted(lines, isBackoff, -1_000), machine).impossible).toEqual([]);
  });

  it('when only states are compared and a function computes it; a constant is judged even then', async () => {
    const states = { compare: 'states' } as const;
    expect(check(await early(), machine, states).impossible).toEqual([]);
    const isLimit = ({ event }: TransitionRecord) => event.type.startsWith('xstate.after.limit');
    const limited = shifted(await logOf(machine, [5_000]), isLimit, -4_000);
    expect(check(limited, machine, states).impossible).toMatchObject([
      { what: expect.stringMatching(/^after limit came 1000 ms after that delay began, and .* 5000 ms/) },
    ]);
  });
});
