// One lease at its holder, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  keepaliveEffects,
  type KeepaliveInput,
  keepaliveInput,
  keepaliveMachine,
} from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

/** Ten seconds to live, a margin of one, a keepalive every three, sent again after two. */
const TIMES = { ttlMs: 10_000, marginMs: 1_000, intervalMs: 3_000, overdueMs: 2_000 };

class Holder {
  readonly holder: Scenario;

  constructor(input: Partial<KeepaliveInput> = {}) {
    this.holder = new Scenario(
      { machine: keepaliveMachine, effects: keepaliveEffects as never },
      { ...keepaliveInput, ...TIMES, ...input },
    );
  }
  get state(): string {
    return this.holder.state;
  }
  get effects(): string[] {
    return this.holder.effectNames;
  }
  get fenceMs(): number {
    return this.holder.delayMs('fence');
  }
  send(type: string, at: number, fields: object = {}): this {
    const event = { type, epoch: this.holder.control['epoch'] ?? 0, at, ttlMs: 10_000, ...fields };
    this.holder.send(event);
    expect(this.holder.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  expire(delay: string): this {
    this.holder.expire(delay);
    return this;
  }
}

describe('the fence', () => {
  it('counts from when the grant was asked for, not from when it came', () => {
    const holder = new Holder({ sentAt: 1_000, startedAt: 1_400 });
    expect([holder.state, holder.fenceMs]).toEqual(['holding.renewed', 8_600]);
  });

  it('counts from when the acknowledged keepalive was sent', () => {
    const holder = new Holder().expire('interval');
    expect([holder.state, holder.effects]).toEqual(['holding.sending', ['sendKeepalive']]);
    holder.send('keepalive.sent', 3_500).send('keepalive.acknowledged', 5_000);
    expect([holder.state, holder.fenceMs]).toEqual(['holding.renewed', 7_500]);
    expect(holder.holder.payload('announceRenewed')).toEqual({ epoch: 1, heldUntil: 12_500 });
  });

  it('counts from the first sending of a keepalive that was sent again', () => {
    const holder = new Holder().expire('interval').send('keepalive.sent', 3_000).expire('overdue');
    expect([holder.state, holder.effects]).toEqual(['holding.overdue', ['sendKeepalive']]);
    expect(holder.holder.payload('sendKeepalive')).toEqual({ epoch: 1 });
    holder.send('keepalive.sent', 5_000).send('keepalive.acknowledged', 5_500);
    expect(holder.fenceMs).toBe(6_500);
  });

  it('goes by the time to live that the store says last', () => {
    const holder = new Holder().expire('interval').send('keepalive.sent', 3_000);
    expect(holder.send('keepalive.acknowledged', 3_100, { ttlMs: 5_000 }).fenceMs).toBe(3_900);
  });

  it.each(['holding.renewed', 'holding.sending', 'holding.sent', 'holding.overdue'])(
    'ends the holding in %s',
    (state) => {
      const holder = new Holder();
      if (state !== 'holding.renewed') holder.expire('interval');
      if (state === 'holding.sent' || state === 'holding.overdue') holder.send('keepalive.sent', 3_000);
      if (state === 'holding.overdue') holder.expire('overdue');
      expect([holder.state, holder.fenceMs]).toEqual([state, 9_000]);
      holder.expire('fence');
      expect([holder.state, holder.effects]).toEqual(['lost', ['announceLost']]);
      expect(holder.holder.payload('announceLost')).toMatchObject({
        reason: 'no keepalive was acknowledged within 9000 ms of its sending',
      });
    },
  );

  it('that has passed before the grant came ends the holding at once', () => {
    expect(new Holder({ sentAt: 0, startedAt: 9_500 }).fenceMs).toBe(0);
  });
});

describe('keepalives', () => {
  it('follow each other from sending to sending, however slow the answers are', () => {
    const holder = new Holder().expire('interval').send('keepalive.sent', 3_000);
    holder.send('keepalive.acknowledged', 4_000);
    expect(holder.holder.delayMs('interval')).toBe(2_000);
    holder.expire('interval').send('keepalive.sent', 6_000).send('keepalive.acknowledged', 13_000);
    expect(holder.holder.delayMs('interval')).toBe(0);
  });

  it('are sent again and again while there is no answer', () => {
    const holder = new Holder().expire('interval').send('keepalive.sent', 3_000);
    for (let again = 0; again < 3; again++)
      expect(holder.expire('overdue').effects).toEqual(['sendKeepalive']);
    expect([holder.state, holder.holder.ledger['resent']]).toEqual(['holding.overdue', 3]);
  });

  it('of before renew nothing', () => {
    const holder = new Holder().expire('interval').send('keepalive.sent', 3_000);
    holder.send('keepalive.acknowledged', 3_100).expire('interval').send('keepalive.sent', 6_000);
    const before = holder.fenceMs;
    holder.send('keepalive.acknowledged', 7_000, { epoch: 1 });
    expect([holder.state, holder.fenceMs]).toEqual(['holding.sent', before]);
  });

  it('that the store refuses end the holding', () => {
    const holder = new Holder()
      .expire('interval')
      .send('keepalive.sent', 3_000)
      .send('keepalive.refused', 3_100);
    expect([holder.state, holder.effects]).toEqual(['lost', ['announceLost']]);
    expect(holder.holder.payload('announceLost')).toMatchObject({ reason: 'the store has no such lease' });
  });
});

describe('release', () => {
  it('ends the holding before the store hears of it', () => {
    const holder = new Holder().send('release.requested', 100);
    expect([holder.state, holder.effects]).toEqual(['released', ['announceReleased', 'sendRevoke']]);
  });
});
