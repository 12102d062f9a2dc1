// Logs of machines that are not ours: parallel regions, history, delays, `always`, invoked actors, impure assigns.
import { describe, expect, it } from 'vitest';
import { assign, createMachine, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { connectionInput, connectionMachine } from '../../../machines/index.ts';
import { createSystem, recordTransitions, type Actor } from '../../../src/actors/index.ts';
import { transitionLine, type TransitionRecord } from '../../../src/engine/transition-record.ts';
import { conform, createSimulation } from '../../../src/testing/index.ts';

interface Play {
  readonly position: number;
}

const player = setup({
  types: {} as {
    context: Play;
    input: { readonly position: number };
    events:
      | { type: 'play' | 'pause' | 'mute' | 'eject' | 'insert' | 'nothing' }
      | { type: 'seek'; to: number };
  },
  actors: { load: fromPromise(async () => 'song') },
  actions: {
    seek: assign({ position: ({ event, context }) => (event.type === 'seek' ? event.to : context.position) }),
    rewind: assign({ position: 0 }),
  },
  guards: { atEnd: ({ context }) => context.position >= 100 },
  delays: { sleep: 30_000 },
}).createMachine({
  id: 'player',
  context: ({ input }) => ({ position: input.position }),
  initial: 'loading',
  states: {
    loading: { invoke: { src: 'load', onDone: 'inserted' } },
    empty: { on: { insert: 'inserted.last' }, after: { sleep: 'off' } },
    inserted: {
      type: 'parallel',
      on: { eject: 'empty' },
      states: {
        tape: {
          initial: 'paused',
          states: {
            paused: { on: { play: 'playing' } },
            playing: {
              on: { pause: 'paused', seek: { actions: 'seek' } },
              always: { guard: 'atEnd', target: 'ended' },
            },
            ended: { after: { 500: { target: 'paused', actions: 'rewind' } } },
          },
        },
        sound: { initial: 'on', states: { on: { on: { mute: 'off' } }, off: { on: { mute: 'on' } } } },
        last: { type: 'history', history: 'deep' },
      },
    },
    off: { type: 'final' },
  },
});

/** What `play` makes a log of; the clock is simulated. */
async function logOf(
  machine: AnyStateMachine,
  input: unknown,
  play: (actor: Actor, wait: (ms: number) => Promise<void>) => Promise<void>,
): Promise<string[]> {
  const sim = createSimulation({ seed: 1 });
  const lines: string[] = [];
  const inspect = recordTransitions((record) => void lines.push(transitionLine(record)), 'r1');
  const system = createSystem({ clock: sim.clock, inspect });
  await play(system.spawn(machine, { id: 'one', input } as never) as unknown as Actor, (ms) => sim.run(ms));
  await system.stop();
  return lines;
}

const played = (): Promise<string[]> =>
  logOf(player, { position: 3 }, async (actor, wait) => {
    await wait(1);
    const say = (type: string, more: object = {}) => actor.send({ type, ...more });
    for (const type of ['play', 'mute', 'nothing', 'eject', 'insert']) say(type);
    say('seek', { to: 40 });
    say('seek', { to: 100 });
    await wait(500);
    say('eject');
    await wait(30_000);
  });

const read = (line: string): TransitionRecord => JSON.parse(line) as TransitionRecord;
const changed = (lines: readonly string[], fits: (record: TransitionRecord) => boolean, more: object) => {
  const index = lines.findIndex((line) => fits(read(line)));
  expect(index).toBeGreaterThanOrEqual(0);
  return {
    line: index + 1,
    lines: lines.with(index, JSON.stringify({ ...read(lines[index] ?? ''), ...more })),
  };
};
const check = (lines: readonly string[], machine: AnyStateMachine = player) =>
  conform(lines, { machines: [machine] });

describe('a log of a machine with parallel regions, history, delays, always and an invoked promise', () => {
  it('conforms, from its start and from any line on', async () => {
    const lines = await played();
    expect(read(lines.at(-1) ?? '')).toMatchObject({ to: 'off', status: 'done' });
    expect(lines.map((line) => read(line).event.type)).toEqual(
      expect.arrayContaining(['xstate.done.actor.0.player.loading']),
    );
    for (let from = 0; from < lines.length; from += 1) {
      expect(check(lines.slice(from)), `from line ${from + 1}`).toMatchObject({ impossible: [], gaps: [] });
    }
  });

  it('does not when one region forgot what its history remembers', async () => {
    const to = { inserted: { tape: 'playing', sound: 'on' } };
    const { line, lines } = changed(await played(), ({ event }) => event.type === 'insert', { to });
    expect(check(lines).impossible).toMatchObject([
      {
        line,
        state: 'empty',
        what: 'insert leads to inserted.tape.playing, inserted.sound.off, and the line says inserted.tape.playing, inserted.sound.on',
      },
    ]);
  });

  it('does not when an always was not taken', async () => {
    const to = { inserted: { tape: 'playing', sound: 'off' } };
    const { line, lines } = changed(await played(), ({ context }) => (context as Play).position === 100, {
      to,
    });
    expect(check(lines).impossible).toMatchObject([
      {
        line,
        what: expect.stringMatching(/^seek {"to":100} leads to inserted\.tape\.ended/),
        possible: ['seek → stays (seek)  (its guard holds)'],
      },
    ]);
  });

  it('does not when a delay ran out twice', async () => {
    const original = await played();
    const index = original.findIndex((line) => read(line).event.type.startsWith('xstate.after.500'));
    const again = { ...read(original[index] ?? ''), seq: read(original[index] ?? '').seq + 1 };
    const lines = [...original.slice(0, index + 1), JSON.stringify({ ...again, from: again.to })];
    expect(check(lines).impossible).toMatchObject([
      { line: index + 2, what: 'after 500 cannot come: that delay was not running (none was)' },
    ]);
  });

  it('does not when it names a state that the machine has not', async () => {
    const { lines } = changed(await played(), ({ seq }) => seq === 4, { to: 'melted' });
    expect(check(lines.slice(3)).impossible).toMatchObject([
      {
        line: 1,
        what: expect.stringContaining('machine player has no state melted'),
        possible: expect.arrayContaining(['inserted.tape.ended', 'off']),
      },
    ]);
  });

  it('does not when an actor starts where its machine does not', async () => {
    const { lines } = changed(await played(), ({ seq }) => seq === 1, { to: 'empty' });
    expect(check(lines).impossible).toMatchObject([
      {
        line: 1,
        state: 'unknown',
        what: expect.stringContaining('leads to loading, and the line says empty'),
      },
    ]);
  });
});

describe('a log', () => {
  const light = createMachine({
    id: 'light',
    initial: 'red',
    states: { red: { on: { go: 'green' } }, green: { on: { stop: 'red' } } },
  });

  it('holds actors that crashed and were started again, and ids that another took after the end', async () => {
    const fuse = setup({
      actions: {
        blow: () => {
          throw new Error('blown');
        },
      },
    }).createMachine({
      id: 'fuse',
      initial: 'whole',
      states: { whole: { on: { load: 'hot' } }, hot: { on: { load: { actions: 'blow' } } } },
    });
    const sim = createSimulation({ seed: 1 });
    const lines: string[] = [];
    const inspect = recordTransitions((record) => void lines.push(transitionLine(record)), 'r1');
    const system = createSystem({ clock: sim.clock, inspect });
    for (let life = 0; life < 2; life += 1) {
      const actor = system.spawn(fuse, { id: 'f', supervise: { strategy: 'restart' } }) as unknown as Actor;
      for (const type of ['load', 'load']) actor.send({ type });
      await sim.run(1_000);
      actor.send({ type: 'load' });
      actor.stop();
    }
    expect(lines.map((line) => read(line).seq)).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
    expect(check(lines, fuse)).toMatchObject({ impossible: [], gaps: [], checked: 12 });
    const unstarted = lines.toSpliced(3, 1).map((line, i) => JSON.stringify({ ...read(line), seq: i + 1 }));
    expect(check(unstarted.slice(0, 5), fuse).impossible).toMatchObject([
      { line: 4, what: 'the actor had crashed with line 3, and was not started again' },
    ]);
    const alive = lines
      .toSpliced(2, 1)
      .map((line, i) => JSON.stringify({ ...read(line), ...(i < 5 ? { seq: i + 1 } : {}) }));
    expect(check(alive, fuse).impossible).toMatchObject([
      { line: 3, what: 'it starts again, and by line 2 it was alive' },
    ]);
  });

  it('of a machine whose assigns are not pure is compared by states only', async () => {
    const dice = setup({
      types: {} as { context: { readonly rolled: number } },
      actions: { roll: assign({ rolled: () => Math.random() }) },
      guards: { enough: ({ context }) => context.rolled > 0 },
    }).createMachine({
      id: 'dice',
      context: { rolled: 0 },
      initial: 'still',
      states: {
        still: { on: { roll: { actions: 'roll' }, stop: { guard: 'enough', target: 'over' } } },
        over: {},
      },
    });
    const lines = await logOf(dice, undefined, async (actor) => {
      for (const type of ['stop', 'roll', 'roll', 'stop']) actor.send({ type });
    });
    expect(check(lines, dice).impossible).toMatchObject([
      { line: 3, what: expect.stringContaining('makes context.rolled') },
    ]);
    expect(conform(lines, { machines: [dice], compare: 'states' })).toMatchObject({
      impossible: [],
      checked: 6,
    });
    // Guards read what the log says was rolled.
    const { lines: unrolled, line } = changed(lines, ({ seq }) => seq === 4, { context: { rolled: 0 } });
    expect(conform(unrolled, { machines: [dice], compare: 'states' }).impossible).toMatchObject([
      { line: line + 1, event: { type: 'stop' } },
    ]);
  });

  it('of a process that ran with a broken guard shows where that guard let something pass', async () => {
    const gullible = connectionMachine.provide({
      guards: { currentSocket: ({ event }) => 'epoch' in event },
    });
    const lines = await logOf(gullible, connectionInput, async (actor) => {
      actor.send({ type: 'connect.requested' });
      actor.send({ type: 'socket.closed', epoch: 0, reason: 'of the dial before' });
    });
    expect(check(lines, gullible).impossible).toEqual([]);
    expect(check(lines, connectionMachine).impossible).toMatchObject([
      {
        line: 3,
        state: 'establishing.connecting',
        event: { type: 'socket.closed', epoch: 0 },
        possible: expect.arrayContaining([
          'socket.closed [currentSocket] → transient_failure',
          'socket.closed → stays (noteStale)  (its guard holds)',
        ]),
      },
    ]);
  });

  it('may lack run, at and context, and say of a machine what nobody knows', () => {
    const bare = [
      { actor: 'a', machine: 'light', seq: 1, event: { type: 'xstate.init' }, from: null, to: 'red' },
      { actor: 'b', machine: 'lamp', seq: 1, event: { type: 'xstate.init' }, from: null, to: 'dark' },
      { actor: 'a', machine: 'light', seq: 2, event: { type: 'go' }, from: 'red', to: 'green' },
      { actor: 'a', machine: 'light', seq: 3, event: { type: 'go' }, from: 'green', to: 'red' },
    ].map((record) => JSON.stringify(record));
    expect(check(bare, light)).toMatchObject({
      checked: 3,
      unknown: new Map([['lamp', 1]]),
      impossible: [
        {
          line: 4,
          state: 'green',
          what: 'go leads to green, and the line says red',
          possible: ['stop → red'],
        },
      ],
    });
  });

  it('forgives the line that a killed process left half, when another run comes after it', () => {
    const line = (run: string, seq: number, type: string, from: string | null, to: string) =>
      JSON.stringify({ run, actor: 'a', machine: 'light', seq, event: { type }, from, to, context: {} });
    const killed = [line('r1', 1, 'xstate.init', null, 'red'), '{"run":"r1","act'];
    const restarted = [line('r2', 1, 'xstate.init', null, 'red'), line('r2', 2, 'go', 'red', 'green')];
    expect(check([...killed, ...restarted], light)).toMatchObject({
      cut: [2],
      unreadable: [],
      impossible: [],
      checked: 3,
    });
    expect(check([...killed, line('r1', 2, 'go', 'red', 'green')], light)).toMatchObject({
      cut: [],
      unreadable: [{ line: 2 }],
    });
  });
});
