// The wall clock is set forward and back by an hour while everything waits for something.
// Invariant of all: no timer moves, no link is given up, nobody registers anew.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, within } from './eventually.ts';
import { forkRole, type Role } from './processes.ts';
import type { Measured } from './roles/clockwork.ts';

const HOUR_MS = 3_600_000;
/** How late a timer may be seen on a machine that has other things to do. */
const SLACK_MS = 1_000;

interface Links {
  readonly states: string[];
  readonly reconnects: number;
  readonly registrations: string[];
}

/** Sets the wall clock of the role to so many milliseconds off, and answers when it is. */
type SetClock = (offMs: number) => Promise<void>;

async function setAndMeasure(role: Role, setClock: SetClock): Promise<void> {
  await role.hears('it is ready', (told) => told.event === 'ready');
  const before = await role.ask<number>('wallMinusMonotonic');
  const moved = async (offMs: number): Promise<void> => {
    await setClock(offMs);
    // The clock really is set: without this the test would show nothing.
    await eventually(`the wall clock is ${offMs} ms off`, async () => {
      const now = await role.ask<number>('wallMinusMonotonic');
      return Math.abs(now - before - offMs) < 60_000;
    });
  };
  for (const offMs of [HOUR_MS, -HOUR_MS]) {
    const running = role.ask<Measured[]>('run');
    await moved(offMs);
    const measured = await running;
    expect(measured.length).toBe(5);
    for (const { what, plannedMs, tookMs } of measured) {
      expect(tookMs, `${what}, clock set to ${offMs} ms off`).toBeGreaterThanOrEqual(plannedMs - 5);
      expect(tookMs, `${what}, clock set to ${offMs} ms off`).toBeLessThan(plannedMs + SLACK_MS);
    }
  }
  const grace = role.ask<number>('sessionGrace');
  await moved(HOUR_MS);
  await moved(0);
  expect(await grace).toBeGreaterThanOrEqual(1_350);
  expect(await grace).toBeLessThan(1_400 + SLACK_MS);
  // Heartbeats and health checks went on through all of it.
  const links = await role.ask<Links>('links');
  expect(links).toEqual({
    states: ['connected', 'connected', 'connected'],
    reconnects: 0,
    registrations: ['online 1', 'online 1'],
  });
  await role.ask('stop');
  await role.ask('leave');
  expect(await within('it ends by itself', role.exited, 5_000)).toMatchObject({ code: 0 });
}

test('with Date set forward and back by an hour at run time, no timer moves', async () => {
  const preload = fileURLToPath(new URL('./roles/wall-clock.ts', import.meta.url));
  const role = forkRole('clockwork.ts', {}, { execArgv: ['--import', preload] });
  let at = 0;
  await setAndMeasure(role, async (offMs) => {
    await role.ask('setWallClockBy', offMs - at);
    at = offMs;
  });
}, 60_000);

/** Path of libfaketime, as the command `faketime` would preload it; undefined where it is not installed. */
function faketimeLibrary(): string | undefined {
  try {
    const answer = execFileSync('faketime', ['-f', '+0s', 'printenv', 'LD_PRELOAD'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return answer.toString().trim();
  } catch {
    return undefined;
  }
}

const library = faketimeLibrary();
const missing = 'faketime is not installed: run `npm run setup:system` (Debian), or install libfaketime';

// In CI its absence is a failure; elsewhere it is said, and shown as skipped.
test.skipIf(library === undefined && process.env['CI'] === undefined)(
  `with the system's clock set forward and back by an hour under the process, no timer moves${library === undefined ? ` (${missing})` : ''}`,
  async () => {
    if (library === undefined) throw new Error(missing);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-clock-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'offset');
    const setClock: SetClock = (offMs) =>
      Promise.resolve(writeFileSync(file, `${offMs < 0 ? '' : '+'}${offMs / 1_000}s\n`));
    await setClock(0);
    const env = {
      ...process.env,
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      // Read anew at every call; the monotonic clock stays real: that is the point.
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
    await setAndMeasure(forkRole('clockwork.ts', {}, { env }), setClock);
  },
  60_000,
);
