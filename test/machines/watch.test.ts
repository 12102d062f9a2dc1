// One watch stream, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import { watchEffects, type WatchInput, watchInput, watchMachine } from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

class Watch {
  readonly store: Scenario;
  at = 0;

  constructor(input: Partial<WatchInput> = {}) {
    this.store = new Scenario(
      { machine: watchMachine, effects: watchEffects as never },
      { ...watchInput, ...input },
    );
  }
  get state(): string {
    return this.store.state;
  }
  get effects(): string[] {
    return this.store.effectNames;
  }
  send(...types: string[]): this {
    for (const type of types) this.sendWith(type, {});
    return this;
  }
  sendWith(type: string, fields: object): this {
    const epoch = this.store.control['epoch'] ?? 0;
    this.store.send({ type, epoch, at: (this.at += 10), ...fields });
    expect(this.store.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  expire(delay: string): this {
    this.store.expire(delay);
    return this;
  }
  static get live(): Watch {
    return new Watch().send('feed.attached', 'ready.reported', 'history.joined');
  }
}

describe('creating', () => {
  it('registers with the feed first, and is ready only when that is done', () => {
    const watch = new Watch();
    expect([watch.state, watch.effects]).toEqual(['creating.attaching', ['attachFeed']]);
    watch.send('feed.attached');
    expect([watch.state, watch.effects]).toEqual(['ready.attached', ['announceReady']]);
    watch.send('ready.reported');
    expect([watch.state, watch.effects]).toEqual(['streaming.catching_up.reading', ['readHistory']]);
  });

  it('tries again under a new epoch when the feed fails, or does not answer', () => {
    const watch = new Watch().send('feed.lost');
    expect([watch.state, watch.effects]).toEqual(['creating.backing_off', []]);
    expect(watch.expire('resumeDelay').store.payload('attachFeed')).toEqual({ epoch: 2 });
    watch.expire('attachTimeout');
    expect([watch.state, watch.effects]).toEqual(['creating.backing_off', ['detachFeed']]);
    expect(watch.send('feed.attached').state).toBe('creating.backing_off');
  });

  it('gives up after createTimeoutMs, with the reason', () => {
    const watch = new Watch({ createTimeoutMs: 5_000 }).expire('createTimeout');
    expect([watch.state, watch.effects]).toEqual(['cancelled', ['detachFeed', 'announceCancelled']]);
    expect(watch.store.payload('announceCancelled')).toEqual({
      epoch: 1,
      reason: 'not created within 5000 ms',
      floor: 0,
    });
  });

  it('ends at once when the engine will never have it', () => {
    const watch = new Watch().sendWith('feed.refused', { reason: 'permission denied' });
    expect(watch.store.payload('announceCancelled')).toMatchObject({ reason: 'permission denied' });
  });

  it('can be cancelled, and leaves an attachment that is still on its way', () => {
    const watch = new Watch().sendWith('cancel.requested', { reason: 'superseded' });
    expect([watch.state, watch.effects]).toEqual(['cancelled', ['detachFeed', 'announceCancelled']]);
    expect(watch.store.payload('announceCancelled')).toMatchObject({ reason: 'superseded' });
  });
});

describe('ready', () => {
  it('is reported before anything is told, though the feed is lost meanwhile', () => {
    const watch = new Watch().send('feed.attached', 'feed.lost');
    expect(watch.state).toBe('ready.detached');
    watch.send('ready.reported');
    expect([watch.state, watch.effects]).toEqual(['streaming.resuming.backing_off', []]);
  });
});

describe('streaming', () => {
  it('reads history page by page until it joins the feed, and only then goes live', () => {
    const watch = new Watch().send('feed.attached', 'ready.reported', 'history.advanced');
    expect([watch.state, watch.effects]).toEqual(['streaming.catching_up.reading', ['readHistory']]);
    watch.send('history.joined');
    expect([watch.state, watch.effects]).toEqual(['streaming.live', ['goLive']]);
  });

  it('waits with history for a consumer that has no room', () => {
    const watch = new Watch().send('feed.attached', 'ready.reported', 'backlog.filled');
    expect([watch.state, watch.effects]).toEqual(['streaming.catching_up.waiting', ['awaitDrain']]);
    watch.send('backlog.drained');
    expect([watch.state, watch.effects]).toEqual(['streaming.catching_up.reading', ['readHistory']]);
  });

  it('leaves the feed when its consumer is too slow, and catches up from history under a new epoch', () => {
    const watch = Watch.live.send('backlog.filled');
    expect([watch.state, watch.effects]).toEqual(['streaming.lagging', ['detachFeed', 'awaitDrain']]);
    watch.send('backlog.drained');
    expect(watch.store.payload('attachFeed')).toEqual({ epoch: 2 });
    watch.send('feed.attached');
    expect([watch.state, watch.store.ledger['lags']]).toEqual(['streaming.catching_up.reading', 1]);
  });

  it('resumes after a lost feed, with a backoff that grows until it is attached again', () => {
    const watch = Watch.live.send('feed.lost');
    expect(watch.state).toBe('streaming.resuming.backing_off');
    for (let failures = 1; failures <= 3; failures++) {
      expect(watch.store.ledger['failures']).toBe(failures);
      expect(watch.store.delayMs('resumeDelay')).toBeLessThanOrEqual(100 * 2 ** (failures - 1));
      watch.expire('resumeDelay').send('feed.lost');
    }
    watch.expire('resumeDelay').send('feed.attached', 'history.joined');
    expect([watch.state, watch.store.ledger['failures']]).toEqual(['streaming.live', 0]);
  });

  it('backs off from a feed that attaches and is lost before history has joined it', () => {
    const watch = Watch.live;
    for (let failures = 1; failures <= 3; failures++) {
      expect(watch.send('feed.lost').store.ledger['failures']).toBe(failures);
      watch.expire('resumeDelay').send('feed.attached');
    }
  });

  it('drops what an older attachment says', () => {
    const watch = Watch.live.send('feed.lost').expire('resumeDelay').send('feed.attached');
    for (const type of ['feed.lost', 'history.joined', 'history.compacted', 'backlog.filled'])
      expect(watch.sendWith(type, { epoch: 1, floor: 9 }).state).toBe('streaming.catching_up.reading');
    expect(watch.store.ledger['staleEvents']).toBe(4);
  });
});

describe('cancelled', () => {
  it('says the floor when what it needs was compacted away', () => {
    const watch = Watch.live.send('feed.lost').expire('resumeDelay');
    watch.sendWith('history.compacted', { floor: 42 });
    expect(watch.store.payload('announceCancelled')).toEqual({
      epoch: 2,
      reason: 'compacted up to revision 42',
      floor: 42,
    });
  });

  it.each(['cancel.requested', 'consumer.disconnected', 'engine.ended'])(
    'comes with %s in every state, leaves the feed, and is the end',
    (type) => {
      const inEveryState = [
        new Watch(),
        new Watch().send('feed.lost'),
        new Watch().send('feed.attached'),
        new Watch().send('feed.attached', 'feed.lost'),
        new Watch().send('feed.attached', 'ready.reported'),
        new Watch().send('feed.attached', 'ready.reported', 'backlog.filled'),
        Watch.live,
        Watch.live.send('backlog.filled'),
        Watch.live.send('feed.lost'),
        Watch.live.send('feed.lost').expire('resumeDelay'),
      ];
      for (const watch of inEveryState) {
        watch.sendWith(type, { reason: 'enough' });
        expect([watch.state, watch.effects]).toEqual(['cancelled', ['detachFeed', 'announceCancelled']]);
        expect([watch.store.done, watch.store.delays.size]).toEqual([true, 0]);
      }
    },
  );
});
