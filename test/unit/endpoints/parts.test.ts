// The parts of a pool that need no pool: dates, classes of ends, rates, budgets, percentiles, weights, sessions.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClassifier } from '../../../src/endpoints/classify.ts';
import { Latencies } from '../../../src/endpoints/latencies.ts';
import type { Member } from '../../../src/endpoints/member.ts';
import { RateWindow } from '../../../src/endpoints/rate-window.ts';
import { parseHttpDate, retryAfterMs } from '../../../src/endpoints/retry-after.ts';
import { RetryBudget } from '../../../src/endpoints/retry-budget.ts';
import { Sessions } from '../../../src/endpoints/sessions.ts';
import { Turns } from '../../../src/endpoints/turns.ts';

describe('Retry-After', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37);
  const wallClock = { now: () => at };

  it('is read as whole seconds', () => {
    expect(retryAfterMs({ retryAfter: ' 20 ' }, wallClock, 3_600_000)).toBe(20_000);
    expect(retryAfterMs({ retryAfter: '0' }, wallClock, 3_600_000)).toBe(0);
  });

  it.each(['Sun, 06 Nov 1994 08:49:57 GMT', 'Sunday, 06-Nov-94 08:49:57 GMT', 'Sun Nov  6 08:49:57 1994'])(
    'is read as the date %s',
    (retryAfter) => {
      expect(retryAfterMs({ retryAfter }, wallClock, 3_600_000)).toBe(20_000);
    },
  );

  it('agrees with the platform on every date', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2199-12-31'), noInvalidDate: true }), (date) => {
        expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1_000) * 1_000);
      }),
    );
  });

  it.each([-3_600_000, 0, 3_600_000])(
    'counts from the answer’s own date, our clock wrong by %i ms',
    (wrong) => {
      const headers = {
        retryAfter: 'Sun, 06 Nov 1994 08:50:37 GMT',
        date: 'Sun, 06 Nov 1994 08:49:37 GMT',
      };
      expect(retryAfterMs(headers, { now: () => at + wrong }, 3_600_000)).toBe(60_000);
    },
  );

  it.each([
    ['soon', 0],
    ['-5', 0],
    ['1.5', 0],
    ['', 0],
    ['Sun, 06 Nov 1994 25:49:37 GMT', 0],
    ['Sun, 00 Nov 1994 08:49:37 GMT', 0],
    ['Sun, 06 Foo 1994 08:49:37 GMT', 0],
    ['Sun, 06 ovD 1994 08:49:37 GMT', 0],
    // Over already.
    ['Sun, 06 Nov 1993 08:49:37 GMT', 0],
    // No more than is allowed.
    ['999999999999999999999', 60_000],
    ['Sun, 06 Nov 2094 08:49:37 GMT', 60_000],
  ])('%j asks for %i ms', (retryAfter, expected) => {
    expect(retryAfterMs({ retryAfter }, wallClock, 60_000)).toBe(expected);
  });
});

describe('an end', () => {
  it('is a success, the endpoint’s failure, the client’s fault, or about credentials', () => {
    const classify = createClassifier();
    const kinds = [200, 204, 302, 400, 404, 413, 422, 401, 403, 408, 429, 500, 503, 529, 999].map(classify);
    expect(kinds).toEqual([
      ...['success', 'success', 'success'],
      ...['client', 'client', 'client', 'client'],
      ...['credentials', 'credentials'],
      ...['failure', 'failure', 'failure', 'failure', 'failure', 'failure'],
    ]);
  });

  it('is what its owner says: one by one, or by class', () => {
    const classify = createClassifier({ client: [429, 501], failure: [404], success: ['3xx'] });
    expect([429, 501, 404, 400, 500].map(classify)).toEqual([
      'client',
      'client',
      'failure',
      'client',
      'failure',
    ]);
    // A class that is named means all of it, but for what is named beside it.
    const strict = createClassifier({ failure: ['4xx'], client: [400] });
    expect([400, 401, 404, 429].map(strict)).toEqual(['client', 'failure', 'failure', 'failure']);
  });

  it.each([
    [{ failure: [99] }, 'classification: 99 is no status; give 100 to 599, or a class such as 5xx'],
    [{ failure: ['6xx' as '5xx'] }, 'classification: 6xx is no class of statuses; give 1xx to 5xx'],
    [{ failure: [404], client: [404] }, 'classification: 404 is a client and a failure; choose one'],
  ])('cannot be %j', (options, message) => {
    expect(() => createClassifier(options)).toThrow(message);
  });
});

describe('the failure rate', () => {
  it('counts what is in the window, and no more', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.constantFrom(0 as const, 1 as const))), (steps) => {
        const window = new RateWindow(1_000);
        const all: { at: number; failed: number }[] = [];
        let now = 0;
        for (const [passed, failed] of steps) {
          now += passed;
          window.add(now, failed);
          all.push({ at: now, failed });
          const counted = (since: number) => all.filter(({ at }) => at >= since);
          // The oldest tenth may be there or not.
          expect(window.volume).toBeLessThanOrEqual(counted(now - 1_000).length);
          expect(window.volume).toBeGreaterThanOrEqual(counted(now - 900).length);
          const bad = counted(now - 1_000).filter(({ failed: f }) => f === 1).length;
          expect(window.failures).toBeLessThanOrEqual(bad);
        }
      }),
    );
  });
});

describe('the retry budget', () => {
  const options = { ratio: 0.2, minPerSecond: 3 };
  const granted = (budget: RetryBudget, now: number, tries: number) =>
    Array.from({ length: tries }, () => budget.retry(now)).filter((answer) => answer === 'granted').length;

  it('grants three retries in each second, however few requests there are', () => {
    const budget = new RetryBudget(options);
    expect([0, 1_000, 2_000].map((now) => granted(budget, now, 10))).toEqual([3, 3, 3]);
  });

  it('grants a fifth of the requests of the last ten seconds', () => {
    const budget = new RetryBudget(options);
    for (let i = 0; i < 1_000; i++) budget.request(i * 9);
    expect(granted(budget, 9_000, 1_000)).toBe(200);
    expect(granted(budget, 9_500, 1_000)).toBe(0);
    // They are over.
    expect(granted(budget, 30_000, 1_000)).toBe(3);
  });

  it('never lets an outage make more than 1.2 times the requests, the minimum aside', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 200, maxLength: 400 }), (gaps) => {
        const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 });
        let now = 0;
        let [requests, retries] = [0, 0];
        for (const gap of gaps) {
          now += gap;
          budget.request(now);
          requests += 1;
          retries += granted(budget, now, 5);
          expect(retries).toBeLessThanOrEqual(0.2 * requests);
        }
      }),
    );
  });
});

describe('percentiles', () => {
  it('are never too low, and a thirty-second too high at most', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 1_000_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.9, 0.99, 1),
        (values, part) => {
          const latencies = new Latencies();
          for (const value of values) latencies.add(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil(values.length * part) - 1]!;
          const measured = latencies.percentileMs(part);
          expect(measured).toBeGreaterThanOrEqual(exact);
          expect(measured).toBeLessThanOrEqual(exact * (1 + 1 / 32) * (1 + 1e-9));
        },
      ),
    );
  });

  it('are over the latest ten to twenty thousand', () => {
    const latencies = new Latencies();
    expect(latencies.percentileMs(0.5)).toBe(-1);
    for (let i = 0; i < 30_000; i++) latencies.add(1_000);
    for (let i = 0; i < 20_000; i++) latencies.add(1);
    expect(latencies.percentileMs(0.99)).toBeLessThan(1.1);
    expect(latencies.size).toBe(20_000);
  });
});

const member = (id: string, weight = 1): Member =>
  ({ id, endpoint: { id, weight }, turn: 0, service: 'in' }) as unknown as Member;

describe('weights', () => {
  it('give everybody a share that is right at every moment, give or take one turn', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const turns = new Turns();
        const members = weights.map((weight, index) => member(String(index), weight));
        turns.refresh(members);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const taken = new Map(members.map((one) => [one, 0]));
        for (let turn = 1; turn <= 200; turn++) {
          const next = turns.next()!;
          taken.set(next, taken.get(next)! + 1);
          for (const [one, count] of taken) {
            const share = (turn * one.endpoint.weight!) / total;
            expect(Math.abs(count - share)).toBeLessThanOrEqual(members.length);
          }
        }
      }),
    );
  });

  it('let nobody who was away catch up', () => {
    const turns = new Turns();
    const [a, b] = [member('a'), member('b')];
    turns.refresh([a]);
    for (let i = 0; i < 100; i++) turns.next();
    turns.refresh([a, b]);
    const order = Array.from({ length: 6 }, () => turns.next()!.id);
    expect(order.filter((id) => id === 'b').length).toBe(3);
  });

  it('hold for turns that are taken out of order', () => {
    const turns = new Turns();
    const all = ['a', 'b', 'c'].map((id) => member(id));
    turns.refresh(all);
    expect(turns.nextAmong([all[2]!])?.id).toBe('c');
    expect([turns.next()!.id, turns.next()!.id].sort()).toEqual(['a', 'b']);
    expect(turns.nextAmong([])).toBe(undefined);
  });
});

describe('sessions', () => {
  it('stay with their endpoint for their time, which starts over with each request', () => {
    const sessions = new Sessions(1_000, 10);
    const a = member('a');
    sessions.bind('s', a, 0);
    expect(sessions.get('s', 999)).toBe(a);
    sessions.bind('s', a, 999);
    expect(sessions.get('s', 1_998)).toBe(a);
    expect(sessions.get('s', 1_999)).toBe(undefined);
    expect(sessions.size).toBe(0);
  });

  it('are no more than there may be: the one that was longest without a request goes', () => {
    const sessions = new Sessions(1_000, 2);
    const a = member('a');
    for (const session of ['one', 'two', 'one', 'three']) sessions.bind(session, a, 0);
    expect(['one', 'two', 'three'].map((session) => sessions.get(session, 0)?.id)).toEqual([
      'a',
      undefined,
      'a',
    ]);
  });

  it('forget those whose time is over when another comes', () => {
    const sessions = new Sessions(1_000, 10);
    for (const session of ['one', 'two']) sessions.bind(session, member('a'), 0);
    sessions.bind('three', member('a'), 2_000);
    expect(sessions.size).toBe(1);
  });
});
