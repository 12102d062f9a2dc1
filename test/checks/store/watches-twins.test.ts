// A twin is the production config with one patch, or the shell with one method replaced. Each must fail, and the shortest
// way to the failure is known.
import { describe, expect, it } from 'vitest';
import { watchMachine } from '../../../machines/watch.ts';
import { twin } from '../twin.ts';
import { failure } from './failure.ts';
import { BACKLOG, READS, Watching } from './watch-shell.ts';
import { explore } from './watches.ts';

const TOLD = 'the consumer is told every change once, in order, after it is ready and before the end';
const BOUNDED = 'what waits for a slow consumer is bounded';
const LEFT = 'a watch that ended leaves nothing behind';
const STUCK = ['deadlock', 'something is owed, and nothing can happen'];

describe('a broken twin of the machine', () => {
  it('that is ready while it is creating promises what it does not know', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['creating']!.entry = 'announceReady';
    });
    expect(failure(explore({ machine }))).toEqual([
      'always',
      'it is ready only from a revision that is known',
      0,
    ]);
  });

  it('that takes every answer for one to its present attachment waits for what is not coming', () => {
    const machine = watchMachine.provide({ guards: { current: () => true } });
    const budgets = { change: 3, cut: 2, timeout: 2 };
    expect(failure(explore({ machine, budgets }))).toEqual([...STUCK, 14]);
  });

  it('that is live at once never tells the past', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['ready']!.states['attached']!.on['ready.reported'] = '#watch.streaming.live';
    });
    expect(failure(explore({ machine, start: 1 }))).toEqual([...STUCK, 4]);
  });

  it('that is live again at once never tells what changed while it was cut off', () => {
    const machine = twin(watchMachine, ({ states }) => {
      const resuming = states['streaming']!.states['resuming']!;
      resuming.states['attaching']!.on['feed.attached'] = '#watch.streaming.live';
    });
    expect(failure(explore({ machine, budgets: { change: 1, cut: 1 } }))).toEqual([...STUCK, 11]);
  });

  it('that does not hear that its feed is lost is silent for ever', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['streaming']!.states['live']!.on['feed.lost'] = {};
    });
    expect(failure(explore({ machine, budgets: { change: 1, cut: 1 } }))).toEqual([...STUCK, 10]);
  });

  it('that does not hear of a compaction is silent for ever', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['streaming']!.on['history.compacted'] = {};
    });
    const budgets = { change: 2, cut: 1, compact: 1 };
    expect(failure(explore({ machine, budgets }))).toEqual([...STUCK, 12]);
  });

  it('that does not fall back to history loses what its consumer was too slow for', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['streaming']!.states['live']!.on['backlog.filled'] = {};
    });
    expect(failure(explore({ machine, budgets: { change: 3 } }))).toEqual([...STUCK, 13]);
  });

  it('that stays attached while it lags leaves that attachment behind', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['streaming']!.states['lagging']!.entry = 'awaitDrain';
    });
    const { violation } = explore({ machine, budgets: { change: 3, cancel: 1 } });
    expect([violation?.kind, violation?.property]).toEqual(['alwaysPossible', LEFT]);
  });

  it('that does not detach when it is cancelled leaves itself behind', () => {
    const machine = twin(watchMachine, ({ states }) => {
      states['cancelled']!.entry = 'announceCancelled';
    });
    expect(failure(explore({ machine, budgets: { cancel: 1 } }))).toEqual(['alwaysPossible', LEFT, 2]);
  });
});

describe('a broken twin of the shell', () => {
  it('that does not skip what history brought tells it twice', () => {
    class Repeating extends Watching {
      override pass(revision: number): void {
        this.handOver(revision);
      }
    }
    expect(failure(explore({ shell: Repeating, budgets: { change: 1 } }))).toEqual(['always', TOLD, 9]);
  });

  it('that forgets what it dropped before it was live never tells it', () => {
    class Forgetful extends Watching {
      override goLive(): void {
        this.now.missed = 0;
        super.goLive();
      }
    }
    expect(failure(explore({ shell: Forgetful, budgets: { change: 2 } }))).toEqual([...STUCK, 12]);
  });

  it('that passes on what an older attachment brings tells it in the wrong place, or never', () => {
    class Ageless extends Watching {
      override isCurrent(): boolean {
        return this.now.feed !== 'off';
      }
    }
    const budgets = { change: 3, cut: 1, timeout: 2 };
    expect(failure(explore({ shell: Ageless, budgets }))).toEqual([...STUCK, 14]);
  });

  it('that reads on for a consumer without room has more and more waiting', () => {
    class Eager extends Watching {
      override read(): void {
        const { epoch, next } = this.now;
        this.out.push({ send: { type: 'read', epoch, from: next }, on: READS });
      }
    }
    expect(failure(explore({ shell: Eager, start: 1, budgets: { change: BACKLOG } }))).toEqual([
      'always',
      BOUNDED,
      13,
    ]);
  });

  it('that keeps all that the feed brings while history is read has more and more waiting', () => {
    class Hoarding extends Watching {
      override changed(revision: number): void {
        if (this.now.passes === 'all') this.pass(revision);
        else this.now.held.push(revision);
      }
    }
    expect(failure(explore({ shell: Hoarding, budgets: { change: 2 } }))).toEqual(['always', BOUNDED, 6]);
  });

  it('that detaches only in its own books leaves the attachment behind', () => {
    class Untidy extends Watching {
      override detach(): void {
        this.now.feed = 'off';
      }
    }
    expect(failure(explore({ shell: Untidy, budgets: { cancel: 1 } }))).toEqual(['alwaysPossible', LEFT, 3]);
  });
});
