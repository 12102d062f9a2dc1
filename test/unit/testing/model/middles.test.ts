// Events in the middle of a delay: timers that must end, start anew or run on are told apart, by systems with one timer wrong.
import { describe, expect, it } from 'vitest';
import { setup, type AnyStateMachine } from 'xstate';
import { registry } from '../../../../machines/index.ts';
import {
  actorSut,
  contractOptions,
  createTestModel,
  PathFailure,
  testFile,
  type Sut,
  type TestModelOptions,
} from '../../../../src/testing/index.ts';

/** A search box: typing starts its delay anew, a click on it does not, leaving it ends the delay. */
const box = setup({
  types: {} as { events: { type: 'typed' | 'clicked' | 'left' | 'entered' } },
  delays: { debounce: 300 },
}).createMachine({
  id: 'box',
  initial: 'still',
  states: {
    still: { on: { typed: 'dirty', left: 'away' } },
    dirty: {
      on: { typed: { target: 'dirty', reenter: true }, clicked: { actions: [] }, left: 'away' },
      after: { debounce: 'searched' },
    },
    searched: { on: { left: 'away' } },
    away: { on: { entered: 'still' } },
  },
});

type Defect = 'types on the old timer' | 'restarts on a click' | 'forgets its timer' | 'none';

/** The box as a user wrote it, with one timer and a clock of its own. */
class Box {
  state = 'still';
  #nowMs = 0;
  #dueMs = Infinity;
  readonly #defect: Defect;

  constructor(defect: Defect) {
    this.#defect = defect;
  }

  typed(): void {
    if (this.state === 'still' || this.#defect !== 'types on the old timer') this.#dueMs = this.#nowMs + 300;
    this.state = 'dirty';
  }

  clicked(): void {
    if (this.#defect === 'restarts on a click') this.#dueMs = this.#nowMs + 300;
  }

  left(): void {
    this.state = 'away';
    if (this.#defect !== 'forgets its timer') this.#dueMs = Infinity;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    if (this.#nowMs < this.#dueMs) return;
    this.#dueMs = Infinity;
    this.state = 'searched';
  }
}

const sut = (defect: Defect): Sut<Box> => ({
  create: () => new Box(defect),
  events: {
    typed: (it) => it.typed(),
    clicked: (it) => it.clicked(),
    left: (it) => it.left(),
    entered: (it) => void (it.state = 'still'),
  },
  waits: { debounce: (it, { delayMs }) => it.pass(delayMs) },
  states: { '*': (it, { value }) => expect(it.state).toBe(value) },
});

const labels = (options: TestModelOptions = {}): string[] =>
  createTestModel(box, { timing: 'middles', ...options })
    .getPaths()
    .map(({ steps }) =>
      steps
        .slice(1)
        .map(({ label }) => label)
        .join(', '),
    );

/** What of the system is wrong on the paths of the model: steps and states of the first failing one. */
async function failureOf(defect: Defect, options: TestModelOptions): Promise<string | undefined> {
  const model = createTestModel(box, options);
  for (const path of model.plan({ sut: sut(defect) }).paths) {
    const failure: unknown = await model.testPath(path, sut(defect)).catch((error: unknown) => error);
    if (failure instanceof PathFailure)
      return failure.path.steps
        .slice(1)
        .map(({ label }) => label)
        .join(', ');
  }
  return undefined;
}

describe('timing in the middles of delays', () => {
  const middles = { timing: 'middles' } as const;

  it('adds a path for each transition in the middle of each delay, long enough to see what became of it', () => {
    const added = labels().filter((label) => !labels({ timing: 'ends' }).includes(label));
    expect(added.toSorted()).toEqual([
      'typed, wait 150 ms, clicked, wait 150 ms (debounce)',
      'typed, wait 150 ms, left, wait 150 ms',
      'typed, wait 150 ms, typed, wait 150 ms',
    ]);
  });

  it('finds a timer that is not restarted, one that is though it must not be, and one that is forgotten', async () => {
    expect(await failureOf('none', middles)).toBeUndefined();
    expect(await failureOf('types on the old timer', middles)).toBe('typed, wait 150 ms, typed, wait 150 ms');
    expect(await failureOf('restarts on a click', middles)).toBe(
      'typed, wait 150 ms, clicked, wait 150 ms (debounce)',
    );
    expect(await failureOf('forgets its timer', middles)).toBe('typed, wait 150 ms, left, wait 150 ms');
  });

  it('is needed for that: with events before and after delays only, none of these is seen', async () => {
    for (const defect of ['types on the old timer', 'restarts on a click', 'forgets its timer'] as const)
      expect(await failureOf(defect, {})).toBeUndefined();
  });

  it('counts as covered what it tested, and says what it left out', () => {
    const all = createTestModel(box, middles);
    expect(all.plan().coverage.uncovered).toEqual([]);
    expect(all.coverage(all.getPaths()).uncovered).toEqual([]);
    const ends = createTestModel(box).getPaths();
    const notes = all.coverage(ends).uncovered.map(({ kind, id }) => `${kind} ${id}`);
    expect(notes).toEqual([
      'middle dirty: typed → dirty in the middle of debounce: restarts it',
      'middle dirty: clicked in the middle of debounce: keeps it',
      'middle dirty: left → away in the middle of debounce: ends it',
    ]);
    const few = createTestModel(box, { ...middles, maxPaths: ends.length }).plan();
    expect(few.coverage.uncovered.map(({ reason }) => reason)).toContain(
      `left out by maxPaths ${ends.length}`,
    );
  });

  it('says which executor is missing for them', () => {
    const { waits: _, ...deaf } = sut('none');
    const { paths, coverage } = createTestModel(box, middles).plan({ sut: deaf });
    expect(paths.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'wait'))).toEqual([]);
    expect(coverage.text).toContain("waits['debounce']");
  });
});

describe('a step that waits for less than a delay', () => {
  it('is written with the delay that it is of, and lets nothing end', async () => {
    const model = createTestModel(box);
    const [path] = model.getPathsFromEvents([
      [{ type: 'typed' }, 'dirty'],
      [{ wait: 299, of: 'debounce' }, 'dirty'],
      [{ wait: 'debounce' }, 'searched'],
      [{ wait: 60_000, of: 'debounce' }, 'searched'],
    ]);
    expect(path.description).toContain('wait 299 ms → wait 1 ms (debounce) → wait 60000 ms');
    await model.testPath(path, actorSut(box));
    await model.testPath(path, sut('none'));
  });

  it('cannot last longer than the next delay', () => {
    const wait = (ms: number) => () =>
      createTestModel(box).getPathsFromEvents([{ type: 'typed' }, { wait: ms }]);
    expect(wait(301)).toThrow('in dirty debounce ends after 300 ms, not later than 301 ms');
    expect(wait(300)()[0].state.value).toBe('searched');
    expect(wait(10)()[0].state.value).toBe('dirty');
  });

  it('stands in generated files as it is written by hand', () => {
    const text = testFile(box, { name: 'box', imports: [], timing: 'middles' });
    expect(text).toContain("[{ wait: 150, of: 'debounce' }, 'dirty'],");
    expect(text).toContain("timing: 'middles',");
    expect(text).toContain("reaches searched: typed → wait 150 ms → clicked → wait debounce'");
  });
});

describe('our own machines', () => {
  for (const [name, entry] of Object.entries(registry)) {
    it(`${name}: run by XState, it agrees with its model in the middle of every delay`, async () => {
      const machine = entry.machine as AnyStateMachine;
      const given = { input: entry.input, examples: entry.examples };
      const model = createTestModel(machine, { ...contractOptions(given), timing: 'middles', maxPaths: 400 });
      const { paths, coverage } = model.plan();
      for (const path of paths) await model.testPath(path, actorSut(machine, { input: entry.input }));
      const middles = paths.filter(({ steps }) =>
        steps.some((step) => step.kind === 'wait' && step.until === 'middle'),
      );
      expect(middles.length).toBeGreaterThan(5);
      expect(coverage.uncovered.filter(({ kind }) => kind === 'middle')).toEqual([]);
    });
  }
});
