// Many failures at once, in any order: counters are exact, and each endpoint is in the queue once.
import { describe, expect, it } from 'vitest';
import { poolUnderTest } from '../unit/endpoints/pools.ts';
import { failAtOnce } from './endpoint-failures.ts';

const seeds = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

describe('failures at once', () => {
  it('of ten requests on two endpoints put both into the queue, and count ten', async () => {
    const { pool, attempt } = await poolUnderTest(['a', 'b']);
    const open = Array.from({ length: 10 }, () => attempt());
    for (const one of open) one!.ended({ status: 503 });
    const { endpoints, queue } = pool.status();
    expect(queue).toMatchObject({ size: 2, totalFailed: 2 });
    const counted = endpoints.map(({ id, totalRequests, failedRequests, consecutiveFailures, inFlight }) => [
      ...[id, totalRequests, failedRequests, consecutiveFailures, inFlight],
    ]);
    expect(counted).toEqual([
      ['a', 5, 5, 5, 0],
      ['b', 5, 5, 5, 0],
    ]);
    expect(
      pool.queue
        .list()
        .map(({ endpoint }) => endpoint)
        .toSorted((x, y) => (x < y ? -1 : 1)),
    ).toEqual(['a', 'b']);
  });

  it('of ten thousand attempts, in an order that a seed decides, are counted exactly (1 000 seeds)', async () => {
    for (const seed of seeds(1, 1_000)) expect(await failAtOnce(seed, 10_000, 2)).toEqual([]);
  }, 120_000);

  it('on hundreds of endpoints too (5 seeds)', async () => {
    for (const seed of seeds(1, 5)) expect(await failAtOnce(seed, 10_000, 300)).toEqual([]);
  });

  it('of which one is told to nobody, or as a success, are not what was sent', async () => {
    let ends = 0;
    const forgetful = await failAtOnce(1, 100, 2, (attempt, end) => {
      ends += 1;
      if (ends !== 50) attempt.ended(end);
    });
    expect(forgetful.join()).toMatch(/in flight at e\d is 1, not 0/);
    const hopeful = await failAtOnce(1, 100, 2, (attempt) => attempt.succeeded());
    expect(hopeful.join()).toMatch(/state of e0 is healthy, not ejected/);
  });
});
