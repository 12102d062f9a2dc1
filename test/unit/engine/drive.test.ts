// drive: effects reach the performers of the actor that runs them, and one machine is provided once.
import { createActor, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { bindPerformers, drive } from '../../../src/engine/index.ts';

const bell = setup({
  types: {} as { context: { control: { rung: number }; ledger: object }; events: { type: 'press' } },
  actions: { ring: () => {} },
}).createMachine({
  id: 'bell',
  context: { control: { rung: 3 }, ledger: {} },
  initial: 'quiet',
  states: { quiet: { on: { press: { actions: 'ring' } } } },
});
const effects = {
  ring: ({ context }: { context: { control: { rung: number } } }) => ({ times: context.control.rung }),
};

describe('drive', () => {
  it('hands each actor’s effects, with their payload, to that actor’s performers', () => {
    const heard: unknown[] = [];
    const actors = ['front', 'back'].map((door) => {
      const driven = drive(
        bell,
        effects as never,
        { ring: (payload: object) => void heard.push([door, payload]) } as never,
      );
      const actor = createActor(driven.machine);
      bindPerformers(actor, driven);
      return actor.start();
    });
    actors[1]?.send({ type: 'press' });
    actors[0]?.send({ type: 'press' });
    expect(heard).toEqual([
      ['back', { times: 3 }],
      ['front', { times: 3 }],
    ]);
  });

  it('provides a machine once, however many actors run it', () => {
    const performers = { ring: () => {} };
    expect(drive(bell, effects, performers).machine).toBe(drive(bell, effects, performers).machine);
  });

  it('does not compile without a performer for every effect, and says so at run time', () => {
    // @ts-expect-error there is no performer for `ring`
    const driven = drive(bell, effects, {});
    const actor = createActor(driven.machine);
    bindPerformers(actor, driven);
    const errors: unknown[] = [];
    actor.subscribe({ error: (error) => errors.push(error) });
    actor.start();
    actor.send({ type: 'press' });
    expect(String(errors[0])).toContain('runs effect ring without performers');
  });
});
