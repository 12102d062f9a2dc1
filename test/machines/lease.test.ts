// One lease at the store that granted it, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  leaseEffects,
  leaseExamples,
  type LeaseContext,
  type LeaseInput,
  leaseInput,
  leaseMachine,
  leaseRecord,
  type LeaseRecord,
} from '../../machines/index.ts';
import { checkUpgrade } from '../../src/testing/index.ts';
import { Scenario } from './scenario.ts';

class Lease {
  readonly store: Scenario;

  constructor(input: Partial<LeaseInput> = {}) {
    const { ttlMs = 10_000, ...rest } = input;
    this.store = new Scenario(
      { machine: leaseMachine, effects: leaseEffects as never },
      { ...leaseInput, ttlMs, remainingMs: ttlMs, ...rest },
    );
  }
  get state(): string {
    return this.store.state;
  }
  get effects(): string[] {
    return this.store.effectNames;
  }
  get record(): LeaseRecord {
    return leaseRecord(this.store.context as never);
  }
  send(type: string, at = 0, fields: object = {}): this {
    this.store.send({ type, epoch: this.store.control['epoch'] ?? 0, at, ...fields });
    expect(this.store.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  expire(delay: string): this {
    this.store.expire(delay);
    return this;
  }
}

const granted = (input: Partial<LeaseInput> = {}) => new Lease(input).send('lease.granted', 1_000);

describe('the time to live', () => {
  it('runs from when the store serves the lease', () => {
    const lease = new Lease();
    expect([lease.state, lease.store.delays.size]).toEqual(['starting', 0]);
    lease.send('lease.granted', 1_000);
    expect([lease.state, lease.store.delayMs('timeToLive')]).toEqual(['granted', 10_000]);
  });

  it('starts over with every keepalive', () => {
    const lease = granted().send('keepalive.received', 4_000);
    expect([lease.state, lease.effects]).toEqual(['alive', ['answerKeepalive']]);
    expect(lease.store.payload('answerKeepalive')).toEqual({ ttlMs: 10_000 });
    const [first] = lease.store.delays.values();
    lease.send('keepalive.received', 9_000);
    expect(lease.store.delayMs('timeToLive')).toBe(10_000);
    expect([...lease.store.delays.values()][0]).not.toBe(first);
  });

  it('ends with the keys and the lease in one transaction, that is tried until it is known to have happened', () => {
    const lease = granted().expire('timeToLive');
    expect([lease.state, lease.effects]).toEqual(['expiring.committing', ['commitExpiry']]);
    expect(lease.store.payload('commitExpiry')).toEqual({ epoch: 1 });
    lease.send('commit.failed');
    expect([lease.state, lease.store.delayMs('retryDelay')]).toEqual(['expiring.retrying', 1_000]);
    lease.expire('retryDelay').send('commit.succeeded', 0, { epoch: 1 });
    expect([lease.state, lease.store.ledger['staleEvents']]).toEqual(['expiring.committing', 1]);
    lease.send('commit.succeeded');
    expect([lease.state, lease.effects]).toEqual(['expired', ['announceExpired']]);
  });

  it('is over for a keepalive that comes while the end is being committed', () => {
    const lease = granted().expire('timeToLive').send('keepalive.received');
    expect([lease.state, lease.effects]).toEqual(['expiring.committing', ['refuseKeepalive']]);
    expect(lease.send('commit.failed').send('keepalive.received').effects).toEqual(['refuseKeepalive']);
  });
});

describe('revocation', () => {
  it.each([[], ['keepalive.received']])(
    'is committed as an expiry is, and refuses keepalives %s',
    (...more) => {
      const lease = granted();
      for (const type of more) lease.send(type);
      expect(lease.send('revoke.requested').effects).toEqual(['commitRevocation']);
      expect(lease.send('keepalive.received').effects).toEqual(['refuseKeepalive']);
      expect(lease.send('commit.failed').expire('retryDelay').send('commit.succeeded').state).toBe('revoked');
    },
  );

  it('of a lease that is expiring changes nothing', () => {
    const lease = granted().expire('timeToLive').send('revoke.requested');
    expect([lease.state, lease.effects]).toEqual(['expiring.committing', []]);
  });
});

describe('the record', () => {
  const long = { ttlMs: 100_000, checkpointMs: 30_000 };

  it('is written down again after each checkpointMs, with what is left', () => {
    const lease = granted(long).expire('checkpointInterval');
    expect([lease.state, lease.store.delayMs('timeToLive')]).toEqual(['spent', 70_000]);
    expect(lease.store.payload('saveRecord')).toEqual({ epoch: 1, ttlMs: 100_000, remainingMs: 70_000 });
    lease.send('record.saved').expire('checkpointInterval');
    expect(lease.store.payload('saveRecord')).toEqual({ epoch: 2, ttlMs: 100_000, remainingMs: 40_000 });
    expect(lease.store.delayMs('timeToLive')).toBe(40_000);
  });

  it('backs a keepalive before that is answered', () => {
    const lease = granted(long).expire('checkpointInterval').send('keepalive.received', 50_000);
    expect([lease.state, lease.effects]).toEqual(['renewing', ['saveRecord']]);
    expect(lease.store.payload('saveRecord')).toMatchObject({ remainingMs: 100_000 });
    lease.send('record.saved', 50_020);
    expect([lease.state, lease.effects]).toEqual(['alive', ['answerKeepalive']]);
    expect(lease.store.delayMs('timeToLive')).toBe(99_980);
  });

  it('that fails leaves a keepalive without an answer, and its time as it was received', () => {
    const lease = granted(long).expire('checkpointInterval').send('keepalive.received', 50_000);
    lease.send('record.failed', 50_020);
    expect([lease.state, lease.effects, lease.store.delayMs('timeToLive')]).toEqual(['spent', [], 99_980]);
  });

  it('backs every keepalive that comes meanwhile: its time counts from the last', () => {
    const lease = granted(long).expire('checkpointInterval').send('keepalive.received', 50_000);
    lease.send('keepalive.received', 60_000);
    expect([lease.state, lease.effects, lease.store.delayMs('timeToLive')]).toEqual([
      'renewing',
      [],
      100_000,
    ]);
    expect(lease.send('record.saved', 60_010).store.delayMs('timeToLive')).toBe(99_990);
  });

  it.each([
    ['timeToLive', ['refuseKeepalive', 'commitExpiry']],
    ['revoke.requested', ['refuseKeepalive', 'commitRevocation']],
  ])('that is still being written when %s comes leaves nobody without an answer', (what, effects) => {
    const lease = granted(long).expire('checkpointInterval').send('keepalive.received', 50_000);
    if (what === 'timeToLive') lease.expire(what);
    else lease.send(what);
    expect(lease.effects).toEqual(effects);
  });

  it('starts a lease with what was left, however long the store was down', () => {
    const before = granted(long).expire('checkpointInterval');
    expect(before.record).toEqual({ ttlMs: 100_000, remainingMs: 70_000 });
    const after = new Lease({ ...long, ...before.record }).send('lease.restored', 9_000_000);
    expect([after.state, after.store.delayMs('timeToLive')]).toEqual(['spent', 70_000]);
    expect(after.send('keepalive.received', 9_000_001).effects).toEqual(['saveRecord']);
  });

  it('of each of 500 states starts a lease with no more than its time', () => {
    const durable = {
      machine: leaseMachine,
      record: leaseRecord,
      input: (record: LeaseRecord | undefined): LeaseInput => ({ ...leaseInput, ...record }),
      examples: leaseExamples,
      legal: ({ ledger: { remainingMs, ttlMs } }: LeaseContext, state: unknown) =>
        state === 'starting' && remainingMs <= ttlMs ? undefined : `${remainingMs} of ${ttlMs} ms are left`,
    };
    const { failed, old } = checkUpgrade(durable as never, durable as never, { maxStates: 500 });
    expect([failed, old.states]).toEqual([[], 500]);
    expect(old.records.size).toBeGreaterThan(5);
  });
});
