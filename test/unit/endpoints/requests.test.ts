// Which endpoint gets which attempt, and when there is no further one.
import { describe, expect, it } from 'vitest';
import type { Endpoint, PoolOptions } from '../../../src/endpoints/options.ts';
import type { AttemptEnd, RequestOptions } from '../../../src/endpoints/request.ts';
import type { HoldfastError } from '../../../src/protocol/errors.ts';
import { poolUnderTest } from './pools.ts';

const many = { minRetriesPerSecond: 10_000 };

/** Endpoints of so many requests that succeed at once. */
async function chosen(
  endpoints: readonly Endpoint[],
  options: Partial<PoolOptions>,
  requests: number,
): Promise<string[]> {
  const { attempt } = await poolUnderTest(endpoints, options);
  return Array.from({ length: requests }, () => {
    const one = attempt()!;
    one.succeeded();
    return one.endpoint.id;
  });
}
const count = (ids: readonly string[], id: string) => ids.filter((one) => one === id).length;
const three = ['a', 'b', 'c'].map((id) => ({ id }));

/** Where the attempts of one request went, each ending so, and why there were no more. */
async function tries(
  endpoints: readonly (Endpoint | string)[],
  end: AttemptEnd,
  request: RequestOptions,
  options: Partial<PoolOptions> = many,
): Promise<(string | undefined)[]> {
  const { pool } = await poolUnderTest(endpoints, options);
  const made = pool.request(request);
  const ids: (string | undefined)[] = [];
  for (let attempt = made.next(); attempt !== undefined; attempt = made.next()) {
    ids.push(attempt.endpoint.id);
    attempt.ended(end);
  }
  return [...ids, made.refusal];
}

it('asks an endpoint again that is the last one, unless it refused the key or asked to be left alone', async () => {
  const idempotent = { idempotent: true };
  expect(await tries(['a'], { status: 503 }, idempotent)).toEqual(['a', 'a', 'a', 'attempts_spent']);
  expect(await tries(['a'], { status: 401 }, idempotent)).toEqual(['a', 'all_tried']);
  const both = [{ id: 'a' }, { id: 'b', priority: 1 }];
  expect(await tries(both, { status: 429, retryAfter: '7' }, {})).toEqual(['a', 'b', 'all_tried']);
});

describe('selection', () => {
  it('by priority takes the first that serves, and returns to it as soon as it does', async () => {
    const endpoints = [
      { id: 'second', priority: 2 },
      { id: 'first', priority: 1 },
      { id: 'third', priority: 3 },
    ];
    const { simulation, attempt, fail, state } = await poolUnderTest(endpoints, many);
    const next = () => attempt()!.endpoint.id;
    expect(next()).toBe('first');
    fail('first', 5);
    expect(next()).toBe('second');
    fail('second', 5);
    expect(next()).toBe('third');
    await simulation.runUntil(() => state('first') === 'healthy', 60_000);
    expect(next()).toBe('first');
  });

  it('by priority takes those of the same priority in turn', async () => {
    const ids = await chosen([...three, { id: 'd', priority: 1 }], {}, 300);
    expect(['a', 'b', 'c', 'd'].map((id) => count(ids, id))).toEqual([100, 100, 100, 0]);
  });

  it('by weight gives each its share', async () => {
    const endpoints = [
      { id: 'a', weight: 5 },
      { id: 'b', weight: 3 },
      { id: 'c', weight: 0.5 },
    ];
    const ids = await chosen(endpoints, { selection: 'weighted' }, 850);
    expect(['a', 'b', 'c'].map((id) => Math.round(count(ids, id) / 10))).toEqual([50, 30, 5]);
  });

  it('in turn is in turn', async () => {
    const ids = await chosen(three, { selection: 'roundRobin' }, 7);
    expect(new Set(ids.slice(0, 3))).toEqual(new Set(['a', 'b', 'c']));
    expect(ids.slice(0, 4)).toEqual(ids.slice(3));
  });

  it('at random takes all about equally', async () => {
    const ids = await chosen(three, { selection: 'random' }, 3_000);
    for (const { id } of three) expect(Math.abs(count(ids, id) - 1_000)).toBeLessThan(120);
  });

  it.each([3, 40])('by what is under way takes the least of %i', async (size) => {
    const endpoints = Array.from({ length: size }, (_, index) => ({ id: `e${index}` }));
    const { pool, attempt } = await poolUnderTest(endpoints, { selection: 'leastInFlight' });
    for (let i = 0; i < 50 * size; i++) attempt();
    const loads = pool.status().endpoints.map(({ inFlight }) => inFlight);
    // Of many, the less loaded of two: not equal, and never far off.
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(size === 3 ? 0 : 8);
  });

  it('by latency takes the one that answers soonest, and asks the others again after a while', async () => {
    const { simulation, attempt } = await poolUnderTest(three, { selection: 'latency' });
    const slowness: Record<string, number> = { a: 200, b: 20, c: 100 };
    const took: string[] = [];
    for (let i = 0; i < 400; i++) {
      const one = attempt()!;
      took.push(one.endpoint.id);
      await simulation.run(slowness[one.endpoint.id]!);
      one.succeeded();
    }
    expect(new Set(took.slice(0, 3)).size).toBe(3);
    expect(count(took, 'b')).toBeGreaterThan(300);
    slowness['a'] = 1;
    for (let i = 0; i < 6_000; i++) {
      const one = attempt()!;
      took.push(one.endpoint.id);
      await simulation.run(slowness[one.endpoint.id]!);
      one.succeeded();
    }
    expect(took.at(-1)).toBe('a');
  });

  it('passes over endpoints whose own key was refused, for a while, unless nothing else is left', async () => {
    const endpoints: Endpoint[] = [
      { id: 'a', credentials: 'own' },
      { id: 'b', priority: 1, credentials: 'own' },
    ];
    const { simulation, attempt, fail } = await poolUnderTest(endpoints, many);
    fail('a', 1, { status: 401 });
    expect(attempt()!.endpoint.id).toBe('b');
    attempt()!.ended({ status: 403 });
    expect(attempt()!.endpoint.id).toBe('a');
    await simulation.run(60_000);
    attempt()!.succeeded();
    expect(attempt()!.endpoint.id).toBe('a');
  });

  it('is not moved by clients whose own keys are refused', async () => {
    const { attempt, fail } = await poolUnderTest([{ id: 'a' }, { id: 'b', priority: 1 }], many);
    fail('a', 50, { status: 401 });
    expect(attempt()!.endpoint.id).toBe('a');
  });
});

describe('a session', () => {
  const options = { ...many, selection: 'roundRobin' as const };

  it('stays with its endpoint for five hours after its last request', async () => {
    const { simulation, attempt } = await poolUnderTest(three, options);
    const next = () => attempt({ session: 's' })!.endpoint.id;
    const first = next();
    for (let hours = 0; hours < 12; hours += 4) {
      attempt();
      await simulation.run(4 * 3_600_000);
      expect(next()).toBe(first);
    }
    await simulation.run(5 * 3_600_000);
    const others = new Set(Array.from({ length: 3 }, () => attempt({ session: 's2' })!.endpoint.id));
    expect(others.size).toBe(1);
    expect([...three.map(({ id }) => id)]).toContain(next());
  });

  it('goes to another endpoint when its own is ejected, and stays there', async () => {
    const { attempt, fail } = await poolUnderTest(three, options);
    const next = () => attempt({ session: 's' })!.endpoint.id;
    const first = next();
    fail(first, 5);
    const second = next();
    expect(second).not.toBe(first);
    expect([next(), next(), next()]).toEqual([second, second, second]);
  });
});

describe('a request', () => {
  it('tries each endpoint once', async () => {
    const request = { idempotent: true, maxAttempts: 9 };
    const ids = await tries(three, { status: 500 }, request);
    expect(new Set(ids.slice(0, 3))).toEqual(new Set(['a', 'b', 'c']));
    expect(ids.slice(3)).toEqual(['all_tried']);
  });

  it('tries the last endpoint again, after a moment', async () => {
    const { pool } = await poolUnderTest(['a'], many);
    const request = pool.request({ idempotent: true });
    const waits: number[] = [];
    for (let attempt = request.next(); attempt !== undefined; attempt = request.next()) {
      waits.push(attempt.backoffMs);
      attempt.ended({ status: 500 });
    }
    expect([waits.length, waits[0], request.refusal]).toEqual([3, 0, 'attempts_spent']);
    expect(Math.min(...waits.slice(1))).toBeGreaterThan(0);
  });

  it('that may have been executed is not tried again unless it is idempotent', async () => {
    expect(await tries(['a', 'b'], { status: 500 }, {})).toEqual(['b', 'may_have_happened']);
    expect(await tries(['a', 'b'], { fault: 'idle_timeout' }, {})).toEqual(['b', 'may_have_happened']);
  });

  it.each([
    { fault: 'connect_failed' },
    { fault: 'connect_timeout' },
    { status: 429 },
    { status: 401 },
    { status: 503, started: 'notStarted' },
  ] as const)('that was not begun with (%j) is tried elsewhere', async (end) => {
    expect(await tries(['a', 'b'], end, {})).toEqual(['b', 'a', 'all_tried']);
  });

  it.each([{ status: 200 }, { status: 404 }, { fault: 'cancelled' }] as const)(
    'that ended with %j is over',
    async (end) => {
      expect(await tries(['a', 'b'], end, { idempotent: true })).toEqual(['b', 'settled']);
    },
  );

  it('has one deadline over all attempts', async () => {
    const { simulation, pool } = await poolUnderTest(['a', 'b', 'c'], many);
    const request = pool.request({ idempotent: true, deadlineMs: 1_000 });
    const { signal } = request;
    const first = request.next()!;
    await simulation.run(600);
    expect(request.remainingMs).toBe(400);
    first.ended({ fault: 'first_byte_timeout' });
    const second = request.next()!;
    await simulation.run(400);
    expect([signal.aborted, (signal.reason as HoldfastError).code]).toEqual([true, 'timed_out']);
    second.ended({ fault: 'total_timeout' });
    expect([request.next(), request.refusal]).toEqual([undefined, 'deadline']);
  });

  it('whose caller has gone is not tried again', async () => {
    const { pool } = await poolUnderTest(['a', 'b'], many);
    const controller = new AbortController();
    const request = pool.request({ idempotent: true, signal: controller.signal });
    const { signal } = request;
    const attempt = request.next()!;
    controller.abort(new Error('gone'));
    expect(signal.aborted).toBe(true);
    attempt.ended({ status: 500 });
    expect([request.next(), request.refusal]).toEqual([undefined, 'cancelled']);
  });

  it('leaves no timer when it is over', async () => {
    const { simulation, pool } = await poolUnderTest(['a']);
    const planned = simulation.planned;
    const request = pool.request();
    expect(request.signal.aborted).toBe(false);
    expect(simulation.planned).toBe(planned + 1);
    request.next()!.succeeded();
    expect(simulation.planned).toBe(planned);
  });

  it('is not tried again when too many are: an outage is not multiplied', async () => {
    const { simulation, pool } = await poolUnderTest(['a', 'b', 'c', 'd'], {
      consecutiveFailures: 1_000,
      failureRate: 1,
      minimumVolume: 1_000_000,
    });
    let attempts = 0;
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 100; i++) {
        const request = pool.request({ idempotent: true });
        for (let attempt = request.next(); attempt !== undefined; attempt = request.next()) {
          attempts += 1;
          attempt.ended({ status: 503 });
        }
      }
      await simulation.run(1_000);
    }
    expect(attempts).toBeLessThanOrEqual(2_000 * 1.2 + 3);
    expect(attempts).toBeGreaterThan(2_000 * 1.15);
    expect(pool.status()).toMatchObject({ requests: 2_000, retries: attempts - 2_000 });
  });
});

describe('a hedge', () => {
  it('is an attempt beside one that has no verdict yet, on another endpoint; the first success ends both', async () => {
    const { pool } = await poolUnderTest(['a', 'b'], many);
    const request = pool.request({ idempotent: true });
    const [slow, hedge] = [request.next()!, request.next()!];
    expect(new Set([slow.endpoint.id, hedge.endpoint.id])).toEqual(new Set(['a', 'b']));
    // Nobody is asked twice at a time.
    expect([request.next(), request.refusal]).toEqual([undefined, undefined]);
    hedge.succeeded();
    slow.abandoned();
    expect([request.next(), request.refusal]).toEqual([undefined, 'settled']);
    const { endpoints, retries } = pool.status();
    expect([retries, endpoints.map(({ inFlight, failedRequests }) => inFlight + failedRequests)]).toEqual([
      1,
      [0, 0],
    ]);
  });

  it('that is abandoned leaves the other as it was', async () => {
    const { pool } = await poolUnderTest(['a', 'b', 'c'], many);
    const request = pool.request({ idempotent: true });
    const [slow, hedge] = [request.next()!, request.next()!];
    hedge.abandoned();
    slow.ended({ status: 503 });
    expect(request.next()?.isOpen).toBe(true);
  });

  it('is for idempotent requests only, and costs the retry budget', async () => {
    const { pool } = await poolUnderTest(['a', 'b'], { minRetriesPerSecond: 1 });
    const once = pool.request();
    const first = once.next()!;
    expect([once.next(), once.refusal]).toEqual([undefined, undefined]);
    first.succeeded();
    const hedges = Array.from({ length: 3 }, () => {
      const request = pool.request({ idempotent: true });
      request.next();
      return request.next();
    });
    expect(hedges.filter((hedge) => hedge !== undefined).length).toBe(1);
  });
});

describe('when all are ejected', () => {
  it('the best of them is tried rather than none', async () => {
    const { attempt, fail, state } = await poolUnderTest(['a', 'b'], many);
    fail('b', 5);
    fail('a', 5);
    attempt()!.ended({ status: 500 });
    const best = attempt()!;
    expect(['a', 'b'].map(state)).toEqual(['ejected', 'ejected']);
    best.succeeded();
    // What answered last is the best; that alone is no proof.
    expect(attempt()!.endpoint.id).toBe(best.endpoint.id);
    expect(state(best.endpoint.id)).toBe('ejected');
  });

  it('another of them is tried next', async () => {
    const { pool, fail } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    fail('b', 5);
    const request = pool.request({ idempotent: true });
    const ids = [1, 2].map(() => {
      const attempt = request.next()!;
      attempt.ended({ status: 500 });
      return attempt.endpoint.id;
    });
    expect(ids.toSorted()).toEqual(['a', 'b']);
  });

  it('is prevented by maxEjectedPercent', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const { fail, state, pool } = await poolUnderTest(ids, { ...many, maxEjectedPercent: 40 });
    for (const id of ids) fail(id, 5);
    expect(ids.filter((id) => state(id) === 'ejected')).toEqual(['a', 'b']);
    expect(state('e')).toBe('suspect');
    pool.queue.clear();
    fail('e', 1);
    expect(state('e')).toBe('ejected');
  });

  it.each([
    [10, 1],
    [0, 0],
  ])('maxEjectedPercent %i of two lets %i out', async (maxEjectedPercent, out) => {
    const { fail, state } = await poolUnderTest(['a', 'b'], { ...many, maxEjectedPercent });
    fail('a', 50);
    fail('b', 50);
    expect(['a', 'b'].filter((id) => state(id) === 'ejected').length).toBe(out);
  });
});

describe('run', () => {
  const failing = (status: number) => Object.assign(new Error(`answered ${status}`), { status });

  it('answers what the first endpoint answers that can', async () => {
    const { pool } = await poolUnderTest(['a', 'b'], many);
    const answer = await pool.run(
      async ({ endpoint }) => {
        if (endpoint.id === 'b') throw failing(503);
        return `from ${endpoint.id}`;
      },
      { idempotent: true },
    );
    expect(answer).toBe('from a');
    expect(pool.status().endpoints.map(({ failedRequests }) => failedRequests)).toEqual([0, 1]);
  });

  it('throws what the last attempt threw', async () => {
    const { pool } = await poolUnderTest(['a', 'b'], many);
    const run = pool.run(() => Promise.reject(failing(404)), { idempotent: true });
    await expect(run).rejects.toThrow('answered 404');
    expect(pool.status().endpoints.map(({ clientFaults }) => clientFaults)).toEqual([0, 1]);
  });

  it('waits before it asks the same endpoint again, and says when its time is over', async () => {
    const { simulation, pool } = await poolUnderTest(['a'], many);
    const never = () => new Promise<never>(() => {});
    const options = { idempotent: true, deadlineMs: 50 };
    let attempts = 0;
    const run = pool.run((_, signal) => {
      attempts += 1;
      return attempts === 1
        ? Promise.reject(failing(500))
        : Promise.race([
            never(),
            new Promise<never>((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason)),
            ),
          ]);
    }, options);
    await expect(simulation.settle(run, 10_000)).rejects.toThrow(/answered 500|deadline/);
    const [a] = pool.status().endpoints;
    expect([a!.inFlight, a!.totalRequests >= 1]).toEqual([0, true]);
  });

  it('of a pool that is closed says so', async () => {
    const { pool } = await poolUnderTest(['a']);
    await pool.close();
    await expect(pool.run(() => Promise.resolve(1))).rejects.toMatchObject({ code: 'stopped' });
  });
});
