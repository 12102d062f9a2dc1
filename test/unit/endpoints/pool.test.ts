// A pool as a whole: what it refuses, what it says of itself, and how it changes and ends.
import { describe, expect, it } from 'vitest';
import { endpointMachine, failureQueueMachine } from '../../../machines/index.ts';
import type { PoolOptions } from '../../../src/endpoints/options.ts';
import { createPool, noLog, transitionLine, type TransitionRecord } from '../../../src/index.ts';
import { conform } from '../../../src/testing/index.ts';
import { poolUnderTest } from './pools.ts';

const many = { minRetriesPerSecond: 1_000 };

describe('an option that is wrong', () => {
  it.each([
    [{ endpoints: [] }, 'option endpoints is a list of 0; give 1 to 4096 of them'],
    [{ endpoints: [{ id: '' }] }, 'option endpoints: id is ""; give a text of 1 to 1024 characters'],
    [
      { endpoints: [{ id: 'a' }, { id: 'a' }] },
      'option endpoints: id is "a"; another endpoint has it already',
    ],
    [{ endpoints: [{ id: 'a', weight: 0 }] }, 'option weight of a is 0; it must be a number above 0'],
    [{ endpoints: [{ id: 'a', priority: 1.5 }] }, 'option priority of a is 1.5; it must be a whole number'],
    [{ endpoints: [{ id: 'a', credentials: 'none' }] }, "choose 'own' or 'client'"],
    [{ selection: 'fastest' }, 'option selection is "fastest"; choose one of priority, weighted, roundRobin'],
    [{ consecutiveFailures: 0 }, 'option consecutiveFailures is 0; it must be a whole number from 1 to 1000'],
    [{ failureRate: 2 }, 'option failureRate is 2; it must be a number from 0 to 1'],
    [{ ejectionMs: 10_000, maxEjectionMs: 5_000 }, 'option maxEjectionMs is 5000; it must be at least'],
    [{ maxAttempts: Number.NaN }, 'option maxAttempts is NaN; it must be a whole number from 1 to 100'],
    [{ name: 'a/b' }, 'option name is "a/b"; give letters, digits, . _ and -'],
    [{ classification: { failure: [42] } }, 'classification: 42 is no status'],
  ])('(%j) is refused with what to do about it', async (options, message) => {
    const whole = { endpoints: [{ id: 'a' }], log: noLog(), ...options } as PoolOptions;
    await expect(createPool(whole)).rejects.toThrow(message);
    await expect(createPool(whole)).rejects.toMatchObject({ code: 'invalid_option' });
  });

  it('is one of a request, too', async () => {
    const { pool } = await poolUnderTest(['a']);
    expect(() => pool.request({ deadlineMs: 0 })).toThrow('deadlineMs is 0; give milliseconds above 0');
  });
});

describe('an update', () => {
  it('keeps health and counters of those that stay, and what is under way', async () => {
    const { pool, state, fail, attempt, simulation } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    const open = attempt()!;
    expect(open.endpoint.id).toBe('b');
    pool.update([{ id: 'a', priority: 0 }, { id: 'c' }]);
    expect([state('a'), state('b'), state('c')]).toEqual(['ejected', 'none', 'healthy']);
    expect(attempt()!.endpoint.id).toBe('c');
    open.succeeded();
    await simulation.run(60_000);
    expect([state('a'), attempt()!.endpoint.id === 'b']).toEqual(['healthy', false]);
  });

  it('takes who is gone out of the queue, and knows nothing of it when it comes back', async () => {
    const { pool, state, fail, simulation, probed } = await poolUnderTest(['a', 'b'], many);
    fail('a', 5);
    pool.update([{ id: 'b' }]);
    expect(pool.queue.status()).toMatchObject({ size: 0, totalFailed: 1, totalRecovered: 0 });
    pool.update([{ id: 'a' }, { id: 'b' }]);
    expect([state('a'), pool.queue.list()]).toEqual(['healthy', []]);
    fail('a', 5);
    expect(pool.queue.status()).toMatchObject({ size: 1, totalFailed: 2 });
    await simulation.run(60_000);
    expect([state('a'), probed]).toEqual(['healthy', ['a', 'a']]);
  });

  it('in the middle of a probe ends it', async () => {
    const { pool, fail, simulation, probed, mute } = await poolUnderTest(['a', 'b'], many);
    mute.add('a');
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 1, 60_000);
    pool.update([{ id: 'b' }]);
    await simulation.run(600_000);
    expect([probed, pool.status().endpoints.map(({ id }) => id)]).toEqual([['a'], ['b']]);
  });

  it('that is wrong changes nothing', async () => {
    const { pool } = await poolUnderTest(['a', 'b']);
    expect(() => pool.update([{ id: 'c' }, { id: 'c' }])).toThrow('another endpoint has it already');
    expect(pool.status().endpoints.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('moves sessions of who is gone', async () => {
    const { pool, attempt } = await poolUnderTest(['a', 'b'], { selection: 'roundRobin' });
    const next = () => attempt({ session: 's' })!.endpoint.id;
    const first = next();
    pool.update([{ id: first === 'a' ? 'b' : 'a' }]);
    expect(next()).not.toBe(first);
  });
});

describe('a pool that is closed', () => {
  it('begins nothing, leaves no timer, and hears what was under way', async () => {
    const { pool, fail, attempt, simulation, probed, mute } = await poolUnderTest(['a', 'b'], many);
    mute.add('a');
    fail('a', 5);
    await simulation.runUntil(() => probed.length === 1, 60_000);
    const open = attempt()!;
    await pool.close();
    await pool.close();
    expect(simulation.planned).toBe(0);
    open.ended({ status: 500 });
    const request = pool.request();
    expect([request.next(), request.refusal]).toEqual([undefined, 'stopped']);
    expect(simulation.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('of this platform lets the process end', async () => {
    await using pool = await createPool({ endpoints: [{ id: 'a' }], log: noLog() });
    expect(await pool.run(({ endpoint }) => Promise.resolve(endpoint.id))).toBe('a');
  });
});

describe('the transition log', () => {
  it('of ejections, probes and returns is possible for both machines, line by line', async () => {
    const lines: string[] = [];
    const transitions = (record: TransitionRecord) => void lines.push(transitionLine(record));
    const options = { ...many, transitions };
    const { pool, fail, simulation, sick, attempt } = await poolUnderTest(['a', 'b', 'c'], options);
    sick.add('b');
    const slow = attempt();
    fail('a', 5);
    fail('b', 5);
    fail('c', 1, { status: 429, retryAfter: '40' });
    await simulation.run(200_000);
    slow!.ended({ status: 500 });
    sick.clear();
    pool.queue.retry('b');
    await simulation.run(10_000);
    pool.update([{ id: 'a' }]);
    await pool.close();
    const found = conform(lines, { machines: [endpointMachine, failureQueueMachine] });
    expect(found).toMatchObject({ impossible: [], late: [], gaps: [], unreadable: [], actors: 4 });
    expect(found.checked).toBe(lines.length);
    expect(lines.length).toBeGreaterThan(100);
  });
});
