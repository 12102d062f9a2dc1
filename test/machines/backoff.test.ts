// How a link waits between dials, and when it stops trying: one sentence, one test.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffCeilingMs } from '../../machines/index.ts';
import { Link } from './link.ts';

describe('backoff', () => {
  it('waits at random between nothing and the ceiling, the first retry included', () => {
    const waits = Array.from({ length: 500 }, (_, seed) => new Link({ seed }).connect().lose().backoffMs);
    expect(Math.min(...waits)).toBeLessThan(100);
    expect(Math.max(...waits)).toBeGreaterThan(1_900);
    expect(Math.max(...waits)).toBeLessThanOrEqual(2_000);
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    expect(mean).toBeGreaterThan(850);
    expect(mean).toBeLessThan(1_150);
  });

  it('waits the same again with the same seed', () => {
    const waits = () => new Link({ seed: 42 }).connect().lose().backoffMs;
    expect(waits()).toBe(waits());
  });

  it('doubles its ceiling with every failure, up to reconnectMaxMs', () => {
    const link = new Link({ maxRetryAttempts: 0 }).connect().lose();
    const ceilings: unknown[] = [];
    for (let failure = 0; failure < 7; failure++) {
      ceilings.push((link.node.payload('announceBackoff') as { ceilingMs: number }).ceilingMs);
      link.node.expire('backoffDelay');
      link.lose();
    }
    expect(ceilings).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('never waits longer than its ceiling', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(40), (seed, failures) => {
        const link = new Link({ seed, maxRetryAttempts: 0 }).connect().lose();
        for (let failure = 0; failure < failures; failure++) {
          link.node.expire('backoffDelay');
          link.lose();
        }
        const ceiling = backoffCeilingMs({ baseMs: 2_000, maxMs: 60_000, failures });
        expect(link.backoffMs).toBeGreaterThanOrEqual(0);
        expect(link.backoffMs).toBeLessThanOrEqual(ceiling);
      }),
    );
  });

  it('waits at least as long as the hub asked, with the jitter on top', () => {
    const waits = Array.from({ length: 100 }, (_, seed) => {
      const link = new Link({ seed }).send('connect.requested').send('socket.opened');
      link.send('registration.refused', { retryAfterMs: 10_000, reason: 'hub is full' });
      return link.send('socket.released').backoffMs;
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(12_000);
    expect(new Set(waits).size).toBeGreaterThan(50);
  });

  it('remembers what a draining hub asked, and forgets it after that one wait', () => {
    const link = new Link().connect().send('hub.draining', { retryAfterMs: 10_000 }).lose();
    expect(link.backoffMs).toBeGreaterThanOrEqual(10_000);
    link.reconnect().lose();
    expect(link.backoffMs).toBeLessThanOrEqual(4_000);
  });

  it('says how long it waits, of at most how long, and which attempt comes next', () => {
    const link = new Link().connect().lose();
    const { delayMs, ...rest } = link.node.payload('announceBackoff') as { delayMs: number };
    expect(delayMs).toBe(link.backoffMs);
    expect(rest).toEqual({ ceilingMs: 2_000, attempt: 1, attemptLimit: 10 });
  });

  it('still backs off when the link flaps: attempts are forgiven only after stableAfterMs connected', () => {
    const link = new Link({ stableAfterMs: 10_000 }).connect().lose().reconnect();
    expect(link.node.delayMs('stableAfter')).toBe(10_000);
    link.lose().reconnect();
    expect(link.node.control['attempts']).toBe(2);
    expect((link.lose().node.payload('announceBackoff') as { attempt: number }).attempt).toBe(3);
    link.reconnect().node.expire('stableAfter');
    expect(link.node.control['attempts']).toBe(0);
    expect((link.lose().node.payload('announceBackoff') as { attempt: number }).attempt).toBe(1);
  });

  it('dials at once on a wake-up or a network hint, whatever is left of the wait', () => {
    const link = new Link().connect().lose().send('wake.hinted');
    expect([link.state, link.node.effectNames]).toEqual(['establishing.reconnecting', ['openSocket']]);
    expect(link.node.delayMs('backoffDelay')).toBe(-1);
  });

  it('dials at once when it is asked to', () => {
    expect(new Link().connect().lose().send('connect.requested').state).toBe('establishing.reconnecting');
  });

  it('owns no socket while it waits, and dials under a new epoch', () => {
    const link = new Link().connect().lose();
    expect(link.node.effectNames).toEqual(['announceBackoff']);
    link.node.expire('backoffDelay');
    expect(link.node.payload('openSocket')).toEqual({ epoch: 2 });
  });
});

describe('attempts', () => {
  it('are spent after maxRetryAttempts reconnects, and it says so', () => {
    const link = new Link({ maxRetryAttempts: 3 }).connect().lose();
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(link.state).toBe('backoff');
      link.node.expire('backoffDelay');
      link.lose();
    }
    expect([link.state, link.node.done]).toEqual(['failed', false]);
    expect(link.node.payload('announceFailed')).toEqual({ attempts: 3, reason: 'link lost' });
  });

  it('have no end when maxRetryAttempts is 0', () => {
    const link = new Link({ maxRetryAttempts: 0 }).connect().lose();
    for (let attempt = 0; attempt < 100; attempt++) {
      link.node.expire('backoffDelay');
      link.lose();
    }
    expect([link.state, link.node.control['attempts']]).toEqual(['backoff', 0]);
  });

  it('start over when a failed link is asked to connect again, and so does the wait', () => {
    const link = new Link({ maxRetryAttempts: 1 }).connect().lose();
    link.node.expire('backoffDelay');
    link.send('socket.opened').send('registration.refused', { retryAfterMs: 50_000, reason: 'full' });
    expect(link.send('socket.released').state).toBe('failed');
    link.send('connect.requested');
    expect([link.state, link.node.control['attempts']]).toEqual(['establishing.connecting', 0]);
    // The hub asked for that wait before someone asked us to connect: it is over.
    expect(link.lose().backoffMs).toBeLessThanOrEqual(2_000);
  });
});
