// One call on the node that runs it: started at most once, one outcome, kept until it is acknowledged.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  executionEffects,
  type ExecutionInput,
  executionInput,
  executionMachine,
} from '../../machines/index.ts';
import { entries, type Entry } from './machines.ts';
import { Scenario } from './scenario.ts';
import { eventOf, strides } from './walks.ts';

const entry = entries.find(({ id }) => id === 'execution') as Entry;

class Execution {
  readonly node: Scenario;
  at = 0;

  constructor(input: Partial<ExecutionInput> = {}) {
    this.node = new Scenario(
      { machine: executionMachine, effects: executionEffects as never },
      { ...executionInput, ...input },
    );
  }
  get state(): string {
    return this.node.state;
  }
  get effects(): string[] {
    return this.node.effectNames;
  }
  send(...types: string[]): this {
    for (const type of types) {
      this.node.send({ type, at: (this.at += 10) });
      expect(this.node.unexpected, `${type} in ${this.state}`).toBe(false);
    }
    return this;
  }
}

describe('an execution', () => {
  it('waits for a slot, then starts the function', () => {
    const execution = new Execution();
    expect([execution.state, execution.effects]).toEqual(['queued', []]);
    execution.send('slot.granted');
    expect([execution.state, execution.effects]).toEqual(['running', ['startFunction']]);
  });

  it.each([
    ['function.returned', 'succeeded'],
    ['function.threw', 'failed'],
  ])('sends its outcome after %s and keeps it as %s', (type, state) => {
    const execution = new Execution().send('slot.granted', type);
    expect([execution.state, execution.effects, execution.node.done]).toEqual([
      state,
      ['sendOutcome'],
      false,
    ]);
  });

  it('forgets its outcome when it is acknowledged, and not before', () => {
    const execution = new Execution().send('slot.granted', 'function.returned');
    execution.send('result.acknowledged');
    expect([execution.state, execution.effects, execution.node.done]).toEqual([
      'forgotten',
      ['forget'],
      true,
    ]);
  });

  it('forgets its outcome when it is evicted', () => {
    expect(new Execution().send('slot.granted', 'function.threw', 'result.evicted').state).toBe('forgotten');
  });

  it('aborts the function when it is cancelled, and drops what it answers afterwards', () => {
    const execution = new Execution().send('slot.granted', 'cancel.requested');
    expect([execution.state, execution.effects]).toEqual(['cancelled', ['abortFunction', 'sendOutcome']]);
    execution.send('function.returned');
    expect([execution.state, execution.effects]).toEqual(['cancelled', []]);
  });

  it('never starts the function when it is cancelled while it waits', () => {
    const execution = new Execution().send('cancel.requested');
    expect([execution.state, execution.effects]).toEqual(['cancelled', ['sendOutcome']]);
    execution.send('slot.granted');
    expect([execution.state, execution.effects]).toEqual(['cancelled', []]);
  });

  it.each([
    ['queued', ['sendOutcome']],
    ['running', ['abortFunction', 'sendOutcome']],
  ])('is timed out by the caller’s deadline while it is %s', (state, effects) => {
    const execution = new Execution({ deadlineMs: 1_000, acceptedAt: 0 });
    expect(execution.node.delayMs('timeLeft')).toBe(1_000);
    if (state === 'running') {
      execution.send('slot.granted');
      expect(execution.node.delayMs('timeLeft')).toBe(990);
    }
    execution.node.expire('timeLeft');
    expect([execution.state, execution.effects]).toEqual(['timed_out', effects]);
  });

  it('aborts the function when its caller is gone for good', () => {
    expect(new Execution().send('slot.granted', 'result.evicted').effects).toEqual([
      'abortFunction',
      'forget',
    ]);
  });

  it('starts the function at most once, sends one outcome at most, and never changes it', () => {
    fc.assert(
      fc.property(strides(60), (walk) => {
        const { node } = new Execution();
        const counts: Record<string, number> = {};
        const outcomes = new Set<string>();
        let at = 0;
        for (const stride of walk) {
          if (node.done) break;
          if (stride.expires && node.delayMs('timeLeft') >= 0) node.expire('timeLeft');
          else node.send(eventOf(entry, stride, node.control, (at += stride.passedMs)));
          for (const name of node.effectNames) counts[name] = (counts[name] ?? 0) + 1;
          if (node.effectNames.includes('sendOutcome')) outcomes.add(node.state);
        }
        expect(counts['startFunction'] ?? 0).toBeLessThanOrEqual(1);
        expect(counts['abortFunction'] ?? 0).toBeLessThanOrEqual(1);
        expect(counts['sendOutcome'] ?? 0).toBeLessThanOrEqual(1);
        expect(outcomes.size).toBeLessThanOrEqual(1);
        expect(counts['forget'] ?? 0).toBe(node.done ? 1 : 0);
      }),
    );
  });
});
