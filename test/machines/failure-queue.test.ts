// The queue of endpoints that failed, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  failureQueueEffects,
  failureQueueExamples,
  type FailureQueueContext,
  type FailureQueueInput,
  failureQueueInput,
  failureQueueMachine,
  failureQueueRecord,
  type FailureQueueRecord,
  noFailures,
} from '../../machines/index.ts';
import { checkUpgrade } from '../../src/testing/index.ts';
import { Scenario } from './scenario.ts';

interface Entry {
  readonly endpoint: string;
  readonly phase: string;
  readonly verifications: number;
}

class Queue {
  readonly scenario: Scenario;

  constructor(input: Partial<FailureQueueInput> = {}) {
    this.scenario = new Scenario(
      { machine: failureQueueMachine, effects: failureQueueEffects as never },
      { ...failureQueueInput, maxVerifications: 0, record: noFailures, ...input },
    );
    this.send('queue.opened');
  }
  get state(): string {
    return this.scenario.state;
  }
  get record(): FailureQueueRecord {
    return failureQueueRecord(this.scenario.context as never);
  }
  /** `a waiting`, in the order of the queue. */
  get entries(): string[] {
    const entries = this.scenario.control['entries'] as unknown as Entry[];
    return entries
      .filter(({ phase }) => phase !== 'out')
      .map(({ endpoint, phase }) => `${endpoint} ${phase}`);
  }
  get granted(): string[] {
    const payload = this.scenario.payload('grantSlots') as { grants: { endpoint: string }[] } | undefined;
    return (payload?.grants ?? []).map(({ endpoint }) => endpoint);
  }
  send(type: string, at = 0, fields: object = {}): this {
    this.scenario.send({ type, at, ...fields });
    expect(this.scenario.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  eject(endpoint: string, epoch = 1, at = 0, waitMs = 30_000): this {
    return this.send('endpoint.ejected', at, { endpoint, epoch, waitMs, ejections: 1 });
  }
  elapse(endpoint: string, epoch = 1, at = 0): this {
    return this.send('wait.elapsed', at, { endpoint, epoch });
  }
  recover(endpoint: string, epoch = 2, at = 0): this {
    return this.send('endpoint.recovered', at, { endpoint, epoch });
  }
}

describe('membership', () => {
  it('is once: whoever fails again while it is in keeps its place and is not counted again', () => {
    const queue = new Queue().eject('a').eject('b');
    for (let epoch = 2; epoch < 12; epoch++) queue.eject('a', epoch);
    expect(queue.entries).toEqual(['a waiting', 'b waiting']);
    expect(queue.record).toMatchObject({ totalFailed: 2 });
  });

  it('ends with recovery, and begins anew at the end of the queue', () => {
    const queue = new Queue().eject('a').eject('b').recover('a').eject('a', 3);
    expect(queue.entries).toEqual(['b waiting', 'a waiting']);
    expect(queue.record).toMatchObject({ totalFailed: 3, totalRecovered: 1 });
  });

  it('ends with the endpoint', () => {
    const queue = new Queue().eject('a').eject('b').send('endpoint.removed', 0, { endpoint: 'a' });
    expect(queue.entries).toEqual(['b waiting']);
    expect(queue.record.totalRecovered).toBe(0);
  });

  it('is not changed by what is older than what was heard', () => {
    const queue = new Queue().eject('a', 5).recover('a', 7).eject('a', 6).recover('a', 7).eject('a', 7);
    expect([queue.entries, queue.scenario.ledger['staleEvents']]).toEqual([[], 3]);
    expect(queue.eject('a', 8).entries).toEqual(['a waiting']);
  });
});

describe('time', () => {
  it('runs until the first is due, and is asked for', () => {
    const queue = new Queue({ checkpointMs: 60_000 }).eject('a', 1, 0, 30_000).eject('b', 1, 10_000, 5_000);
    expect([queue.state, queue.scenario.delayMs('lookInterval')]).toEqual(['waiting', 5_000]);
    queue.scenario.expire('lookInterval');
    expect(queue.scenario.effectNames).toEqual(['readTime']);
    queue.send('time.read', 15_000);
    expect(queue.scenario.payload('reportElapsed')).toEqual({
      waiting: [
        { endpoint: 'a', epoch: 1, remainingMs: 15_000 },
        { endpoint: 'b', epoch: 1, remainingMs: 0 },
      ],
    });
  });

  it('that passed while nobody looked counts', () => {
    const queue = new Queue({ checkpointMs: 60_000 }).eject('a', 1, 0, 30_000);
    queue.scenario.expire('lookInterval');
    queue.send('time.read', 3_600_000);
    expect(queue.scenario.payload('reportElapsed')).toMatchObject({ waiting: [{ remainingMs: 0 }] });
  });

  it('is written down while somebody waits, and is not looked at when nobody does', () => {
    const queue = new Queue({ checkpointMs: 1_000 }).eject('a', 1, 0, 30_000);
    expect(queue.scenario.delayMs('lookInterval')).toBe(1_000);
    queue.scenario.expire('lookInterval');
    queue.send('time.read', 1_000);
    expect(queue.scenario.effectNames).toContain('keepRecord');
    expect(queue.record).toMatchObject({ entries: [{ remainingMs: 29_000 }] });
    queue.recover('a');
    expect([queue.state, queue.scenario.delays.size]).toEqual(['idle', 0]);
  });

  it('less than a clock can tell apart is waited for as a millisecond', () => {
    const queue = new Queue().eject('a', 1, 0, 1e-9);
    expect(queue.scenario.delayMs('lookInterval')).toBe(1);
  });
});

describe('slots', () => {
  it('are granted in the order in which times are over', () => {
    const queue = new Queue({ slots: 1 }).eject('a').eject('b').eject('c');
    expect(queue.elapse('b').granted).toEqual(['b']);
    expect(queue.elapse('c').granted).toEqual([]);
    expect(queue.elapse('a').entries).toEqual(['b probing', 'c due', 'a due']);
    expect([queue.recover('b').granted, queue.recover('c').granted]).toEqual([['c'], ['a']]);
    expect(queue.record).toMatchObject({ totalProbes: 3 });
  });

  it('are free again when a probe failed, for the next in the queue', () => {
    const queue = new Queue({ slots: 1 }).eject('a').eject('b').elapse('a').elapse('b');
    expect(queue.eject('a', 3).granted).toEqual(['b']);
    expect(queue.entries).toEqual(['a waiting', 'b probing']);
  });

  it('are as many as there are', () => {
    const queue = new Queue({ slots: 2 });
    for (const endpoint of ['a', 'b', 'c']) queue.eject(endpoint);
    for (const endpoint of ['a', 'b', 'c']) queue.elapse(endpoint);
    expect(queue.entries).toEqual(['a probing', 'b probing', 'c due']);
  });
});

describe('an endpoint that was verified as often as it may be', () => {
  const held = () =>
    new Queue({ maxVerifications: 2 }).eject('a').elapse('a').eject('a', 3).elapse('a', 3).eject('a', 5);

  it('stays in the queue and is not probed', () => {
    const queue = held();
    expect([queue.entries, queue.state]).toEqual([['a held'], 'idle']);
    expect(queue.elapse('a', 5).granted).toEqual([]);
  });

  it('is probed when an operator says so, and may fail as often again', () => {
    const queue = held().send('retry.requested', 0, { endpoint: 'a' });
    expect([queue.granted, queue.entries]).toEqual([['a'], ['a probing']]);
    expect(queue.eject('a', 7).entries).toEqual(['a waiting']);
  });
});

describe('an operator', () => {
  it('has an endpoint probed before all others', () => {
    const queue = new Queue({ slots: 1 }).eject('a').eject('b').eject('c').elapse('a').elapse('b');
    queue.send('retry.requested', 0, { endpoint: 'c' });
    expect(queue.entries).toEqual(['c due', 'a probing', 'b due']);
    expect(queue.recover('a').granted).toEqual(['c']);
  });

  it('puts all back into service', () => {
    const queue = new Queue({ slots: 1 }).eject('a').eject('b').elapse('a').send('clear.requested');
    expect(queue.scenario.payload('releaseEndpoints')).toEqual({ endpoints: ['b', 'a'] });
    expect([queue.entries, queue.record.totalCleared]).toEqual([[], 2]);
  });

  it('cannot have probed who is not in', () => {
    const queue = new Queue().send('retry.requested', 0, { endpoint: 'a' });
    expect([queue.granted, queue.entries]).toEqual([[], []]);
  });
});

describe('the record', () => {
  it('starts a queue with what was left, whoever was probed first', () => {
    const before = new Queue().eject('a').eject('b', 1, 5_000).elapse('a').send('stop.requested', 15_000);
    expect(before.scenario.done).toBe(true);
    const entries = before.record.entries.map(({ endpoint, remainingMs }) => [endpoint, remainingMs]);
    expect(entries).toEqual([
      ['b', 20_000],
      ['a', 0],
    ]);
    const after = new Queue({ record: before.record, checkpointMs: 60_000 });
    expect([after.state, after.scenario.delayMs('lookInterval')]).toEqual(['waiting', 0]);
    expect(after.elapse('a').granted).toEqual(['a']);
    expect(after.scenario.delayMs('lookInterval')).toBe(20_000);
  });

  it('of each of 500 states starts a queue with the same members and totals', () => {
    const durable = {
      machine: failureQueueMachine,
      record: failureQueueRecord,
      input: (record: FailureQueueRecord | undefined): FailureQueueInput => ({
        ...failureQueueInput,
        ...(record === undefined ? {} : { record }),
      }),
      examples: failureQueueExamples,
      legal: ({ control }: FailureQueueContext, state: unknown) =>
        state === 'starting' && control.entries.every(({ phase }) => phase === 'waiting' || phase === 'held')
          ? undefined
          : `it starts in ${String(state)} with ${JSON.stringify(control.entries)}`,
    };
    const { failed, old } = checkUpgrade(durable as never, durable as never, { maxStates: 500 });
    expect(failed).toEqual([]);
    expect(old.records.size).toBeGreaterThan(5);
  });
});
