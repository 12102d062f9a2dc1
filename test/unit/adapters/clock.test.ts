import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createMonotonicClock,
  JUMP_MS,
  LONGEST_STEP_MS,
  TICK_MS,
} from '../../../src/adapters/monotonic-clock.ts';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createWebClock } from '../../../src/adapters/web-clock.ts';
import type { Timer } from '../../../src/ports.ts';
import { createSimulation } from '../../../src/testing/index.ts';

/** A platform whose timers are as bad as real ones: 32 bits, and whole milliseconds that may come one early. */
function platform(earlyMs = 0) {
  const sim = createSimulation({ seed: 1 });
  const delays: number[] = [];
  let wallOffset = 1_700_000_000_000;
  let ticking = 0;
  const clock = createMonotonicClock({
    now: () => sim.now,
    wallNow: () => wallOffset + sim.now,
    setTimeout(fn, delayMs) {
      delays.push(delayMs);
      const overflown = delayMs > LONGEST_STEP_MS ? 1 : Math.trunc(delayMs);
      return sim.clock.setTimer(fn, Math.max(0, overflown - earlyMs));
    },
    clearTimeout: (timer) => sim.clock.clearTimer(timer),
    setTick(fn, intervalMs) {
      ticking += 1;
      const holder: { timer: Timer } = { timer: 0 };
      const again = (): void => {
        holder.timer = sim.clock.setTimer(again, intervalMs);
        fn();
      };
      holder.timer = sim.clock.setTimer(again, intervalMs);
      return holder;
    },
    clearTick(holder) {
      ticking -= 1;
      sim.clock.clearTimer((holder as { timer: Timer }).timer);
    },
    endOfTurn: (fn) => sim.clock.endOfTurn(fn),
  });
  return {
    sim,
    clock,
    delays,
    ticking: () => ticking,
    setWallClock: (byMs: number) => void (wallOffset += byMs),
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the monotonic clock', () => {
  it('waits longer than 2^31 ms in steps that platforms can take', async () => {
    const { sim, clock, delays } = platform();
    const delayMs = 5 * 2 ** 31 + 123;
    let firedAt = -1;
    clock.setTimer(() => (firedAt = sim.now), delayMs);
    await sim.run(delayMs - 1);
    expect(firedAt).toBe(-1);
    await sim.run(1);
    expect(firedAt).toBe(delayMs);
    expect(Math.max(...delays)).toBe(2 ** 31 - 1);
    expect(delays).toHaveLength(6);
  });

  it('clears a timer also after its first step', async () => {
    const { sim, clock } = platform();
    const timer = clock.setTimer(() => expect.unreachable(), 2 ** 33);
    await sim.run(2 ** 32);
    clock.clearTimer(timer);
    clock.clearTimer(timer);
    expect(sim.planned).toBe(0);
  });

  it('never fires early, though the platform does', async () => {
    const { sim, clock } = platform(0.7);
    const fired: number[] = [];
    const asked = [0, 0.4, 1, 10.5, 999.99];
    for (const delayMs of asked) clock.setTimer(() => fired.push(sim.now), delayMs);
    await sim.run(2_000);
    expect(fired).toHaveLength(asked.length);
    for (const [index, at] of fired.entries()) {
      expect(at).toBeGreaterThanOrEqual(asked[index]!);
      expect(at).toBeLessThan(asked[index]! + 2.5);
    }
  });

  it('ticks only while somebody listens for jumps', async () => {
    const { clock, ticking, sim } = platform();
    const fn = (): void => {};
    const first = clock.onJump(fn);
    const second = clock.onJump(fn);
    expect(ticking()).toBe(1);
    first();
    first();
    expect(ticking()).toBe(1);
    second();
    expect(ticking()).toBe(0);
    expect(sim.planned).toBe(0);
  });

  it('tells of a tick that came at least three seconds late, and not of one that came earlier', async () => {
    const { sim, clock } = platform();
    const jumps: number[] = [];
    clock.onJump((jumpMs) => jumps.push(jumpMs));
    await sim.run(500);
    sim.host('main').stop();
    await sim.run(TICK_MS + JUMP_MS - 501);
    sim.host('main').continue();
    await sim.run(0);
    expect(jumps).toEqual([]);
    await sim.run(500);
    sim.host('main').stop();
    await sim.run(TICK_MS + JUMP_MS - 500);
    sim.host('main').continue();
    await sim.run(0);
    expect(jumps).toEqual([3_000]);
  });

  it('takes a wall clock that leaps ahead as a hint that the machine was suspended; no timer moves', async () => {
    const { sim, clock, setWallClock } = platform();
    const jumps: number[] = [];
    const fired: number[] = [];
    clock.onJump((jumpMs) => jumps.push(jumpMs));
    clock.setTimer(() => fired.push(sim.now), 10_000);
    await sim.run(2_500);
    setWallClock(3_600_000);
    await sim.run(500);
    expect(jumps).toEqual([3_600_000]);
    setWallClock(-7_200_000);
    await sim.run(5_000);
    expect(jumps).toHaveLength(1);
    expect(fired).toEqual([]);
    await sim.run(2_000);
    expect(fired).toEqual([10_000]);
  });
});

describe('the clock of Node', () => {
  it('never fires a real timer early by performance.now', async () => {
    const clock = createNodeClock();
    const early: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const delayMs = 1 + (index % 20) * 0.37;
        const from = clock.now();
        return new Promise<void>((resolve) =>
          clock.setTimer(() => {
            if (clock.now() - from < delayMs) early.push(clock.now() - from - delayMs);
            resolve();
          }, delayMs),
        );
      }),
    );
    expect(early).toEqual([]);
  });

  it('does not read the wall clock for a timer', async () => {
    vi.spyOn(Date, 'now').mockImplementation(() => expect.unreachable('Date.now was read'));
    const clock = createNodeClock();
    await new Promise<void>((resolve) => clock.setTimer(resolve, 1));
  });

  it('sets a delay of a month without firing, where setTimeout alone fires at once', async () => {
    const clock = createNodeClock();
    const timer = clock.setTimer(() => expect.unreachable(), 30 * 24 * 3_600_000);
    await new Promise<void>((resolve) => clock.setTimer(resolve, 5));
    clock.clearTimer(timer);
  });

  it('ends a turn after the promises and the callbacks that were due', async () => {
    const clock = createNodeClock();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.endOfTurn(() => {
        order.push('end');
        resolve();
      });
      process.nextTick(() => order.push('tick'));
      void Promise.resolve().then(() => order.push('promise'));
    });
    expect(order).toHaveLength(3);
    expect(order[2]).toBe('end');
  });
});

describe('the clock of browsers', () => {
  it('fires, clears and ends turns in order', async () => {
    const clock = createWebClock();
    const order: string[] = [];
    const cleared = clock.setTimer(() => order.push('cleared'), 1);
    clock.clearTimer(cleared);
    const from = clock.now();
    await new Promise<void>((resolve) => {
      clock.setTimer(() => {
        order.push('timer');
        clock.endOfTurn(() => order.push('first end'));
        clock.endOfTurn(() => {
          order.push('second end');
          resolve();
        });
        void Promise.resolve().then(() => order.push('promise'));
      }, 3);
    });
    expect(clock.now() - from).toBeGreaterThanOrEqual(3);
    expect(order).toEqual(['timer', 'promise', 'first end', 'second end']);
  });
});

describe('a process', () => {
  for (const [name, file] of [
    ['createNodeClock', 'node-clock.ts'],
    ['createWebClock', 'web-clock.ts'],
  ] as const) {
    const run = (script: string): string => {
      const url = new URL(`../../../src/adapters/${file}`, import.meta.url).href;
      const head = `import { ${name} } from ${JSON.stringify(url)}; const clock = ${name}();`;
      const options = { timeout: 20_000, encoding: 'utf8' as const };
      return execFileSync(process.execPath, ['--input-type=module', '-e', head + script], options).trim();
    };

    it(`is kept alive by a timer of ${name}, and not by its look-out for jumps`, () => {
      expect(run('clock.onJump(() => {}); clock.setTimer(() => console.log("fired"), 20);')).toBe('fired');
    });

    it(`is kept alive by the end of a turn of ${name}`, () => {
      expect(run('clock.endOfTurn(() => clock.endOfTurn(() => console.log("ended")));')).toBe('ended');
    });

    it(`has the other turns of ${name} end though one throws`, () => {
      const script = `
        process.on('uncaughtException', (error) => console.log(error.message));
        clock.endOfTurn(() => { throw new Error('broke'); });
        clock.endOfTurn(() => console.log('ended'));
      `;
      expect(run(script).split('\n')).toEqual(['broke', 'ended']);
    });
  }
});
