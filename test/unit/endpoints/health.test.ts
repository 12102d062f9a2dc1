// Ejection, the queue, probes and the return to service, as users see them; time is simulated.
import { describe, expect, it } from 'vitest';
import { poolUnderTest } from './pools.ts';

const many = { minRetriesPerSecond: 1_000 };

describe('an endpoint', () => {
  it('is ejected by five failures in a row, for 30 s and up to a tenth more', async () => {
    const { pool, state, fail } = await poolUnderTest(['a', 'b'], many);
    fail('a', 4);
    expect(state('a')).toBe('suspect');
    fail('a', 1);
    expect(state('a')).toBe('ejected');
    const [entry] = pool.queue.list();
    expect(entry).toMatchObject({ endpoint: 'a', phase: 'waiting', ejections: 1 });
    expect(entry!.remainingMs).toBeGreaterThanOrEqual(30_000);
    expect(entry!.remainingMs).toBeLessThanOrEqual(33_000);
  });

  it('that succeeds in between is not', async () => {
    const { state, fail } = await poolUnderTest(['a'], { ...many, failureRate: 1 });
    for (let i = 0; i < 10; i++) {
      fail('a', 4);
      fail('a', 1, { status: 200 });
    }
    expect(state('a')).toBe('healthy');
  });

  it('is ejected when half of at least twenty attempts within a minute fail', async () => {
    const { simulation, state, fail } = await poolUnderTest(['a'], many);
    for (let i = 0; i < 9; i++) {
      fail('a', 1);
      fail('a', 1, { status: 200 });
      await simulation.run(1_000);
    }
    fail('a', 1, { status: 200 });
    expect(state('a')).toBe('healthy');
    fail('a', 1);
    expect(state('a')).toBe('ejected');
  });

  it.each([400, 404, 413, 422])('is never ejected by clients’ faults (%i)', async (status) => {
    const { pool, state, fail } = await poolUnderTest(['a'], many);
    fail('a', 1_000, { status });
    expect(state('a')).toBe('healthy');
    expect(pool.status().endpoints[0]).toMatchObject({ clientFaults: 1_000, failedRequests: 0 });
  });

  it.each([401, 403])('whose key is refused (%i) is marked, not ejected', async (status) => {
    const { pool, state, fail } = await poolUnderTest(['a'], many);
    fail('a', 1_000, { status });
    expect(state('a')).toBe('healthy');
    expect(pool.status().endpoints[0]).toMatchObject({ credentials: 'refused', credentialFaults: 1_000 });
    fail('a', 1, { status: 200 });
    expect(pool.status().endpoints[0]).toMatchObject({ credentials: 'accepted' });
  });

  it.each([
    { status: 500 },
    { status: 503 },
    { status: 429 },
    { status: 408 },
    { fault: 'connect_failed' },
    { fault: 'connect_timeout' },
    { fault: 'first_byte_timeout' },
    { fault: 'idle_timeout' },
    { fault: 'total_timeout' },
    { fault: 'broken_body', status: 200 },
    { fault: 'failed_stream', status: 200 },
  ] as const)('is ejected by %j', async (end) => {
    const { state, fail } = await poolUnderTest(['a'], many);
    fail('a', 5, end);
    expect(state('a')).toBe('ejected');
  });

  it('is not judged by attempts that nobody waited for', async () => {
    const { pool, state, fail } = await poolUnderTest(['a'], many);
    fail('a', 100, { fault: 'cancelled' });
    expect(state('a')).toBe('healthy');
    expect(pool.status().endpoints[0]).toMatchObject({ abandonedRequests: 100, failedRequests: 0 });
  });
});

describe('an ejected endpoint', () => {
  it('is probed when its time is over, and serves after two probes that succeed', async () => {
    const { simulation, pool, probed, state, fail } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    await simulation.run(29_999);
    expect(probed).toEqual([]);
    await simulation.runUntil(() => probed.length === 1, 3_100);
    await simulation.run(0);
    expect(state('a')).toBe('rising');
    await simulation.run(1_000);
    expect([state('a'), probed, pool.queue.list()]).toEqual(['healthy', ['a', 'a'], []]);
    expect(pool.queue.status()).toMatchObject({ totalFailed: 1, totalRecovered: 1 });
  });

  it('waits n times as long after the n-th failed probe, up to 300 s', async () => {
    const { simulation, pool, probed, sick, fail } = await poolUnderTest(['a'], many);
    sick.add('a');
    fail('a', 5);
    const waits: number[] = [];
    for (let n = 1; n <= 12; n++) {
      const before = simulation.now;
      await simulation.runUntil(() => probed.length === n, 400_000);
      waits.push((simulation.now - before) / 30_000);
    }
    waits.forEach((wait, index) => {
      expect(wait).toBeGreaterThanOrEqual(Math.min(10, index + 1) - 0.001);
      expect(wait).toBeLessThanOrEqual(Math.min(10, (index + 1) * 1.1) + 0.001);
    });
    // However often it fails, it came in once.
    expect(pool.queue.status()).toMatchObject({ size: 1, totalFailed: 1, totalProbes: 12 });
  });

  it('that does not answer its probe has failed it at the probe’s deadline, and never has two', async () => {
    const { simulation, probed, mute, mostProbes, state, fail } = await poolUnderTest(['a'], many);
    mute.add('a');
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 1, 40_000);
    expect(state('a')).toBe('probing');
    await simulation.run(10_000);
    expect(state('a')).toBe('ejected');
    await simulation.run(600_000);
    expect([probed.length > 2, mostProbes()]).toEqual([true, 1]);
  });

  it('that was verified as often as it may be is held, until an operator decides', async () => {
    const options = { ...many, maxVerifications: 2 };
    const { simulation, pool, probed, sick, state, fail } = await poolUnderTest(['a'], options);
    sick.add('a');
    fail('a', 5);
    await simulation.run(3_600_000);
    expect([probed.length, pool.queue.list()[0]!.phase]).toEqual([2, 'held']);
    pool.queue.retry('a');
    await simulation.run(0);
    expect(probed.length).toBe(3);
    sick.clear();
    await simulation.run(3_600_000);
    expect(state('a')).toBe('healthy');
  });

  it('is put back into service by an operator, unproven', async () => {
    const { pool, state, fail, simulation, probed } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    fail('b', 5);
    pool.queue.clear();
    expect([state('a'), state('b'), pool.queue.list()]).toEqual(['healthy', 'healthy', []]);
    await simulation.run(600_000);
    expect(probed).toEqual([]);
    expect(pool.queue.status()).toMatchObject({ totalFailed: 2, totalCleared: 2, totalRecovered: 0 });
  });

  it('is not asked for again by an operator who misspells it', async () => {
    const { pool } = await poolUnderTest(['a']);
    expect(() => pool.queue.retry('b')).toThrow('endpoint "b" is not in the failure queue; see its list');
  });

  it('without probes serves when its time is over', async () => {
    const { simulation, state, fail } = await poolUnderTest(['a'], { ...many, probe: undefined });
    fail('a', 5);
    await simulation.run(29_000);
    expect(state('a')).toBe('ejected');
    await simulation.run(4_100);
    expect(state('a')).toBe('healthy');
  });

  it('is forgiven an ejection for each 300 s in service', async () => {
    const { simulation, pool, state, fail } = await poolUnderTest(['a'], { ...many, probe: undefined });
    const ejected = async (serviceMs: number) => {
      await simulation.run(serviceMs);
      fail('a', 5);
      const { ejections } = pool.status().endpoints[0]!;
      await simulation.runUntil(() => state('a') === 'healthy', 400_000);
      return ejections;
    };
    expect([await ejected(0), await ejected(1_000), await ejected(1_000)]).toEqual([1, 2, 3]);
    expect([await ejected(601_000), await ejected(3_600_000)]).toEqual([2, 1]);
  });

  it('waits for a slot: no more than maxProbes are probed at a time', async () => {
    const ids = Array.from({ length: 10 }, (_, index) => `e${index}`);
    const { simulation, pool, mute, fail } = await poolUnderTest(ids, { ...many, maxProbes: 3 });
    for (const id of ids) {
      mute.add(id);
      fail(id, 5);
    }
    let most = 0;
    for (let second = 0; second < 120; second++) {
      await simulation.run(1_000);
      most = Math.max(most, pool.queue.status().probing);
    }
    expect(most).toBe(3);
  });
});

describe('Retry-After', () => {
  it.each([
    ['seconds', { status: 429, retryAfter: '120' }],
    [
      'a date',
      { status: 503, retryAfter: 'Thu, 01 Jan 2026 00:02:00 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
    ],
  ])('in %s keeps an endpoint out for that long, at once', async (_, end) => {
    const { simulation, probed, state, fail } = await poolUnderTest(['a', 'b'], many);
    fail('a', 1, end);
    expect(state('a')).toBe('ejected');
    await simulation.run(119_999);
    expect(probed).toEqual([]);
    await simulation.run(12_001 + 1_000);
    expect(state('a')).toBe('healthy');
  });

  it('is taken for no longer than maxRetryAfterMs', async () => {
    const { pool, fail } = await poolUnderTest(['a', 'b'], { ...many, maxRetryAfterMs: 60_000 });
    fail('a', 1, { status: 429, retryAfter: '86400' });
    expect(pool.queue.list()[0]!.remainingMs).toBeLessThanOrEqual(66_000);
  });
});

describe('what comes too late', () => {
  it('as a success does not close a breaker that is half open', async () => {
    const { simulation, probed, mute, attempt, state, fail, pool } = await poolUnderTest(['a'], many);
    mute.add('a');
    const slow = attempt();
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 1, 40_000);
    slow!.succeeded();
    expect(state('a')).toBe('probing');
    expect(pool.status().endpoints[0]).toMatchObject({ late: 1, totalRequests: 6, failedRequests: 5 });
  });

  it('as a failure does not open a breaker that was closed again', async () => {
    const { simulation, probed, attempt, state, fail, pool } = await poolUnderTest(['a'], many);
    const slow = Array.from({ length: 20 }, () => attempt());
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 2, 40_000);
    await simulation.run(0);
    expect(state('a')).toBe('healthy');
    for (const one of slow) one!.ended({ fault: 'total_timeout' });
    expect(state('a')).toBe('healthy');
    expect(pool.status().endpoints[0]).toMatchObject({
      ...{ late: 20, totalRequests: 25, failedRequests: 25, consecutiveFailures: 0, inFlight: 0 },
    });
  });

  it('as a failure while it is probed does not change what the probe says', async () => {
    const { simulation, probed, attempt, state, fail } = await poolUnderTest(['a'], many);
    const slow = attempt();
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 1, 40_000);
    slow!.ended({ status: 500 });
    await simulation.run(1_000);
    expect(state('a')).toBe('healthy');
  });

  it('a second time is counted apart', async () => {
    const { attempt, pool } = await poolUnderTest(['a']);
    const one = attempt()!;
    expect(one.ended({ status: 500 })).toEqual({ kind: 'failure', retryable: false });
    one.succeeded();
    one.ended({ status: 500 });
    expect(pool.status()).toMatchObject({ duplicates: 2, endpoints: [{ failedRequests: 1, inFlight: 0 }] });
  });
});

describe('a clock that is set', () => {
  it.each([-3_600_000, 3_600_000])('by %i ms neither shortens nor lengthens an ejection', async (jump) => {
    const { simulation, probed, wall, fail, pool } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    fail('b', 1, { status: 429, retryAfter: '50' });
    const waits = pool.queue.list().map(({ remainingMs }) => remainingMs);
    await simulation.run(10_000);
    const start = simulation.now - 10_000;
    // The port's, and the process's own.
    wall.now += jump;
    const realNow = Date.now;
    Date.now = () => realNow() + jump;
    try {
      await simulation.runUntil(() => probed.length === 1, 100_000);
      expect(simulation.now - start).toBe(Math.ceil(waits[0]!));
      await simulation.runUntil(() => probed.includes('b'), 100_000);
      expect(simulation.now - start).toBe(Math.ceil(waits[1]!));
    } finally {
      Date.now = realNow;
    }
  });
});
