// Nothing in an actor may ask the platform for the time, for randomness or for a timer.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createActor, raise, setup } from 'xstate';
import { connectionEffects, connectionInput, connectionMachine } from '../../../machines/connection.ts';
import { createSystem } from '../../../src/actors/index.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const clockwork = setup({ delays: { tick: 1_000, tock: 5_000 } }).createMachine({
  initial: 'ticking',
  states: {
    ticking: { entry: raise({ type: 'bell' }, { delay: 10 }), on: { bell: {} }, after: { tick: 'tocking' } },
    tocking: { after: { tock: 'over' }, on: { bell: {} } },
    over: { type: 'final' },
  },
});

function forbidThePlatform(): void {
  vi.spyOn(Date, 'now').mockImplementation(() => expect.unreachable('Date.now was read'));
  vi.spyOn(Math, 'random').mockImplementation(() => expect.unreachable('Math.random was read'));
  vi.spyOn(performance, 'now').mockImplementation(() => expect.unreachable('performance.now was read'));
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(() => expect.unreachable('a real timer was set'));
  vi.spyOn(globalThis, 'setInterval').mockImplementation(() => expect.unreachable('a real interval was set'));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('an actor', () => {
  it('reads neither wall time nor random numbers, and sets no real timer', async () => {
    const sim = createSimulation({ seed: 1 });
    const system = createSystem({ clock: sim.clock });
    forbidThePlatform();
    const actor = system.spawn(clockwork, { id: 'a' });
    await sim.run(5_999);
    expect(actor.snapshot().value).toBe('tocking');
    await sim.run(1);
    expect(actor.status).toBe('done');
    await system.stop();
  });

  it('would do both under XState alone', () => {
    const wall = vi.spyOn(Date, 'now');
    const random = vi.spyOn(Math, 'random');
    createActor(clockwork, { clock: { setTimeout: () => 0, clearTimeout() {} } }).start();
    expect(wall).toHaveBeenCalled();
    expect(random).toHaveBeenCalled();
  });

  it('is not moved by a wall clock that is set forward and back by an hour', async () => {
    const sim = createSimulation({ seed: 1 });
    const system = createSystem({ clock: sim.clock });
    const wall = vi.spyOn(Date, 'now').mockReturnValue(1_000_000_000);
    const actor = system.spawn(clockwork, { id: 'a' });
    await sim.run(500);
    wall.mockReturnValue(1_000_000_000 + 3_600_000);
    await sim.run(499);
    expect(actor.snapshot().value).toBe('ticking');
    await sim.run(1);
    expect(actor.snapshot().value).toBe('tocking');
    wall.mockReturnValue(1_000_000_000 - 3_600_000);
    await sim.run(4_999);
    expect(actor.snapshot().value).toBe('tocking');
    await sim.run(1);
    expect(actor.status).toBe('done');
  });
});

describe('the connection machine in a system', () => {
  it('dials, is refused, backs off and dials again by its own delays, the same in every run', async () => {
    const play = async (): Promise<string> => {
      const sim = createSimulation({ seed: 3 });
      const system = createSystem({ clock: sim.clock, inspect: sim.inspect() });
      const named = Object.keys(connectionEffects).map((effect) => [effect, () => {}]);
      const performers = {
        ...(Object.fromEntries(named) as Record<keyof typeof connectionEffects, () => void>),
        openSocket: ({ epoch }: { epoch: number }) =>
          void sim.clock.setTimer(
            () => connection.send({ type: 'socket.closed', epoch, reason: 'refused' }),
            20,
          ),
        terminateSocket: ({ epoch }: { epoch: number }) =>
          connection.send({ type: 'socket.released', epoch }),
      };
      const options = { id: 'link', input: connectionInput, effects: connectionEffects, performers };
      const connection = system.spawn(connectionMachine, options);
      connection.send({ type: 'connect.requested' });
      await sim.runUntil(() => connection.snapshot().value === 'failed', 60_000);
      expect(system.unexpectedEvents).toBe(0);
      const dials = sim.trace.filter((line) => line.endsWith('does openSocket'));
      expect(dials).toHaveLength(1 + connectionInput.maxRetryAttempts);
      await system.stop();
      expect(sim.planned).toBe(0);
      return sim.fingerprint;
    };
    expect(await play()).toBe(await play());
  });
});
