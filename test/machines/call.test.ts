// One remote call, on the side that asked: exactly one outcome, and at most one execution unless it is idempotent.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callEffects, type CallInput, callInput, callMachine } from '../../machines/index.ts';
import { aged, entries, type Entry } from './machines.ts';
import { Scenario } from './scenario.ts';
import { strides } from './walks.ts';

const entry = entries.find(({ id }) => id === 'call') as Entry;

class Call {
  readonly asker: Scenario;
  at = 0;

  constructor(input: Partial<CallInput> = {}) {
    this.asker = new Scenario(
      { machine: callMachine, effects: callEffects as never },
      { ...callInput, ...input },
    );
  }
  get state(): string {
    return this.asker.state;
  }
  get effects(): string[] {
    return this.asker.effectNames;
  }
  send(type: string, fields: object = {}): this {
    this.at += 10;
    this.asker.send({ type, epoch: this.asker.control['epoch'] ?? 0, at: this.at, ...fields });
    expect(this.asker.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  run(): this {
    return this.send('attempt.sent').send('attempt.assigned');
  }
}

describe('a call', () => {
  it('hands its first attempt to the link as soon as it exists', () => {
    const call = new Call();
    expect([call.state, call.effects]).toEqual(['queued', ['sendAttempt']]);
    expect(call.asker.payload('sendAttempt')).toEqual({ epoch: 1 });
  });

  it('is queued, sent, running and succeeded, and frees its waiter once', () => {
    const call = new Call();
    expect(call.send('attempt.sent').state).toBe('sent');
    expect(call.send('attempt.assigned').state).toBe('running');
    call.send('attempt.succeeded');
    expect([call.state, call.asker.done, call.effects]).toEqual(['succeeded', true, ['settle']]);
  });

  it.each([
    ['attempt.succeeded', 'succeeded'],
    ['attempt.failed', 'failed'],
    ['attempt.refused', 'failed'],
    ['attempt.expired', 'timed_out'],
    ['attempt.vanished', 'lost'],
    ['link.ended', 'lost'],
  ])('that is running ends with %s as %s', (type, state) => {
    const call = new Call().run().send(type);
    expect([call.state, call.asker.done, call.effects]).toEqual([state, true, ['settle']]);
  });

  it('may be answered before anybody said which node has it', () => {
    expect(new Call().send('attempt.sent').send('attempt.succeeded').state).toBe('succeeded');
  });

  it('has exactly one outcome, whatever arrives and in whatever order', () => {
    fc.assert(
      fc.property(strides(60), fc.integer({ min: 0, max: 1 }), (walk, idempotent) => {
        const { asker } = new Call({ idempotent: idempotent as 0 | 1 });
        let settled = 0;
        let at = 0;
        const count = () => (settled += asker.effectNames.filter((name) => name === 'settle').length);
        for (const { pick, age, expires, passedMs } of walk) {
          if (asker.done) break;
          if (expires) asker.expire('timeLeft');
          else {
            const example = aged(entry.examples[pick % entry.examples.length] as never, asker.control, age);
            asker.send({ ...example, at: (at += passedMs) });
          }
          count();
        }
        expect(settled).toBe(asker.done ? 1 : 0);
        if (asker.done) return;
        asker.expire('timeLeft');
        expect(count()).toBe(1);
      }),
    );
  });
});

describe('an attempt', () => {
  it('that may have been executed is not sent again: at most once', () => {
    const call = new Call({ idempotent: 0, attemptLimit: 5 }).run().send('attempt.vanished');
    expect([call.state, call.effects]).toEqual(['lost', ['settle']]);
  });

  it('that may have been executed is sent again under a new epoch when the call is idempotent', () => {
    const call = new Call({ idempotent: 1, attemptLimit: 2 }).run().send('attempt.vanished');
    expect([call.state, call.effects]).toEqual(['queued', ['sendAttempt']]);
    expect(call.asker.payload('sendAttempt')).toEqual({ epoch: 2 });
    expect(call.run().send('attempt.vanished').state).toBe('lost');
  });

  it('that was not started always moves, idempotent or not, up to the limit', () => {
    const call = new Call({ idempotent: 0, attemptLimit: 3 });
    for (const epoch of [1, 2]) {
      expect(call.asker.control['epoch']).toBe(epoch);
      expect(call.run().send('attempt.unstarted').state).toBe('queued');
    }
    expect(call.run().send('attempt.unstarted').state).toBe('lost');
  });

  it('of an older epoch settles nothing: its result is counted and dropped', () => {
    const call = new Call({ idempotent: 1 }).run().send('attempt.vanished').run();
    for (const type of ['attempt.succeeded', 'attempt.failed', 'attempt.vanished', 'attempt.unstarted']) {
      expect(call.send(type, { epoch: 1 }).state).toBe('running');
    }
    expect(call.asker.ledger['staleEvents']).toBe(4);
    expect(call.send('attempt.succeeded').state).toBe('succeeded');
  });

  it('is never executed twice for a call that is not idempotent', () => {
    fc.assert(
      fc.property(strides(80), (walk) => {
        const { asker } = new Call({ idempotent: 0, attemptLimit: 1_000 });
        const begun = new Set<unknown>();
        let at = 0;
        for (const { pick, age, passedMs } of walk) {
          if (asker.done) break;
          const example = aged(entry.examples[pick % entry.examples.length] as never, asker.control, age);
          // An attempt that a node began answers anything but `unstarted`: the node says so itself.
          if (example.type === 'attempt.unstarted' && begun.has(example.epoch)) continue;
          if (example.type === 'attempt.assigned') begun.add(example.epoch);
          const before = asker.control['epoch'];
          asker.send({ ...example, at: (at += passedMs) });
          if (asker.control['epoch'] !== before) expect(begun.has(before)).toBe(false);
        }
      }),
    );
  });
});

describe('the deadline', () => {
  it('is one for all attempts: what is left shrinks with every step', () => {
    const call = new Call({ deadlineMs: 1_000, startedAt: 0, idempotent: 1 });
    expect(call.asker.delayMs('timeLeft')).toBe(1_000);
    expect(call.send('attempt.sent', { at: 100 }).asker.delayMs('timeLeft')).toBe(900);
    expect(call.send('attempt.assigned', { at: 250 }).asker.delayMs('timeLeft')).toBe(750);
    expect(call.send('attempt.vanished', { at: 600 }).asker.delayMs('timeLeft')).toBe(400);
  });

  it.each([
    ['queued', []],
    ['sent', ['sendCancel']],
    ['running', ['sendCancel']],
  ])('ends a call that is %s, and tells whoever has it', (state, told) => {
    const call = new Call();
    if (state !== 'queued') call.send('attempt.sent');
    if (state === 'running') call.send('attempt.assigned');
    call.asker.expire('timeLeft');
    expect([call.state, call.effects]).toEqual(['timed_out', [...told, 'settle']]);
  });
});

describe('cancellation', () => {
  it('of a queued call tells nobody, for nobody has it', () => {
    const call = new Call().send('cancel.requested');
    expect([call.state, call.effects]).toEqual(['cancelled', ['settle']]);
  });

  it('of a running call tells the node, and does not wait for it', () => {
    const call = new Call().run().send('cancel.requested');
    expect([call.state, call.effects]).toEqual(['cancelled', ['sendCancel', 'settle']]);
    expect(call.asker.done).toBe(true);
  });
});
