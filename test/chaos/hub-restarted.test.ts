// Fifty nodes whose hub is killed: all come back by themselves, and not in one burst.
// Invariant: a node's first wait is drawn from the whole interval, so the herd is spread over it.
import { expect, test } from 'vitest';
import { eventually, monotonicMs } from './eventually.ts';
import { forkHub, forkNode, quickLink } from './processes.ts';
import type { Told } from './roles/role.ts';

const NODES = 50;
const INTERVAL_MS = 1_000;

/** The wait that a line of the log announced, in milliseconds. */
function delayOf(line: Told | undefined): number {
  return (line?.['fields'] as { delayMs: number } | undefined)?.delayMs ?? Number.NaN;
}

/** Kolmogorov's distance between samples in [0, 1] and the uniform distribution. */
function distanceFromUniform(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return Math.max(
    ...sorted.map((x, i) => Math.max(Math.abs((i + 1) / sorted.length - x), Math.abs(x - i / sorted.length))),
  );
}

test('fifty nodes are registered again after their hub was killed, their first attempts spread over the interval', async () => {
  const hub = await forkHub();
  const ids = Array.from({ length: NODES }, (_, i) => `n${i}`);
  const options = {
    ...quickLink,
    hub: hub.url,
    reconnectIntervalMs: INTERVAL_MS,
    reconnectMaxMs: 2 * INTERVAL_MS,
  };
  const processes = await Promise.all([
    forkNode({ ...options, ids: ids.slice(0, NODES / 2) }),
    forkNode({ ...options, ids: ids.slice(NODES / 2) }),
  ]);
  await eventually(
    'all are online',
    async () => (await hub.nodes()).filter(({ state }) => state === 'online').length === NODES,
  );

  const killedAt = monotonicMs();
  await hub.kill();
  const next = await forkHub({ port: hub.port });
  await eventually('all are online again', async () => {
    const online = (await next.nodes()).filter(({ state }) => state === 'online');
    return online.length === NODES;
  });
  expect(new Set((await next.nodes()).map(({ id }) => id))).toEqual(new Set(ids));

  const told = processes
    .flatMap((it) => it.told)
    .filter((it) => it.event === 'log' && Number(it['at']) >= killedAt);
  const waits: number[] = [];
  const attempts: number[] = [];
  for (const id of ids) {
    const own = told.filter(({ node }) => node === id);
    const wait = own.find((it) => String(it['message']).startsWith('reconnecting in'));
    const attempt = own.find((it) => (it['fields'] as { to?: string }).to === 'reconnecting');
    expect(String(wait?.['message'])).toMatch(/^reconnecting in \d\.\d s \(of at most 1\.0 s, attempt 1\)$/);
    waits.push(delayOf(wait));
    attempts.push(Number(attempt?.['at']) - killedAt);
  }
  // Full jitter: 50 draws from the whole interval. At this distance even one honest run in a million would fail.
  expect(Math.max(...waits)).toBeLessThanOrEqual(INTERVAL_MS);
  expect(distanceFromUniform(waits.map((ms) => ms / INTERVAL_MS))).toBeLessThan(0.38);
  // And what they waited is what they did: no burst by the clock either.
  attempts.sort((a, b) => a - b);
  expect((attempts.at(-1) ?? 0) - (attempts[0] ?? 0)).toBeGreaterThan(INTERVAL_MS / 2);
  for (const from of attempts) {
    expect(attempts.filter((at) => at >= from && at < from + INTERVAL_MS / 10).length).toBeLessThan(
      NODES / 2,
    );
  }
  // Nobody gave up, nobody was refused.
  const statuses = (await Promise.all(processes.map((it) => it.statuses()))).flat();
  expect(statuses.map(({ state }) => state)).toEqual(ids.map(() => 'connected'));
}, 60_000);

test('a hub that drains has its nodes come back later, spread as well', async () => {
  const hub = await forkHub({ retryAfterMs: 500 });
  const ids = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const options = { ...quickLink, hub: hub.url, reconnectIntervalMs: 400, reconnectMaxMs: 800 };
  const nodes = await forkNode({ ...options, ids });
  const from = monotonicMs();
  expect(await hub.ask('stop')).toBe('stopped');
  await hub.ask('leave');
  await hub.exited;
  await forkHub({ port: hub.port });
  await eventually('all are connected', async () =>
    (await nodes.statuses()).every(({ state }) => state === 'connected'),
  );
  const waits = nodes.told
    .filter(
      (it) => it.event === 'log' && Number(it['at']) >= from && String(it['message']).includes('attempt 1)'),
    )
    .map(delayOf);
  expect(waits.length).toBe(20);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
  expect(Math.max(...waits)).toBeLessThanOrEqual(900);
  expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(100);
}, 60_000);
