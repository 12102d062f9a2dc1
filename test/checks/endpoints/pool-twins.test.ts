// A twin is the production config with one patch, or with one guard or assign in another's place. Each must fail, and the
// shortest way to the failure is known.
import { describe, expect, it } from 'vitest';
import { assign } from 'xstate';
import { endpointMachine } from '../../../machines/endpoint.ts';
import { failureQueueMachine } from '../../../machines/failure-queue.ts';
import { failure } from '../store/failure.ts';
import { twin } from '../twin.ts';
import type { PoolOptions } from './pool.ts';
import { exact, explore, exploreFair } from './properties.ts';

const RIGHT = 'what serves was proven, what is ejected had failed, and one probe runs at a time';
const ONCE = 'an endpoint is in the queue once if it is out of service, and else not at all';
const SLOT = 'who has a slot is probed, and nobody else';
const MOST = 'no more are probed than there are slots';

const broken = (options: PoolOptions) => failure(explore(options));

describe('a broken twin of the endpoint', () => {
  it('that closes when an attempt succeeds while it is probed is not proven', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['probing']!.on['attempt.succeeded'] = {
        target: 'healthy',
        actions: ['advanceEpoch', 'clearSuccesses', 'announceRecovered'],
      };
    });
    expect(broken({ endpoint })).toEqual(['always', RIGHT, 9]);
  });

  it('that counts failures of older epochs is ejected without a reason', () => {
    const endpoint = endpointMachine.provide({
      guards: {
        current: () => true,
        lastStraw: ({ context: { control } }) => control.failures + 1 >= control.failureThreshold,
      },
    });
    expect(broken({ endpoint, rise: 1 })).toEqual(['always', RIGHT, 12]);
  });

  it('that believes every probe, late ones too, is not proven', () => {
    const endpoint = endpointMachine.provide({
      guards: {
        current: () => true,
        risen: ({ context: { control } }) => control.successes + 1 >= control.rise,
      },
    });
    expect(broken({ endpoint })).toEqual(['always', RIGHT, 12]);
  });

  it('that does not number its probes is not heard by the queue when the next one fails', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['ejected']!.on['slot.granted'] = { target: 'probing', actions: 'startProbe' };
      states['probing']!.after['probeTimeout'] = {
        target: 'ejected',
        actions: ['abortProbe', 'clearSuccesses', 'announceEjected'],
      };
    });
    expect(broken({ endpoint })).toEqual(['always', SLOT, 8]);
  });

  it('that forgets nothing when a probe fails is proven too early', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['probing']!.on['probe.failed'] = [
        { guard: 'current', target: 'ejected', actions: ['advanceEpoch', 'announceEjected'] },
        { actions: 'noteStale' },
      ];
    });
    expect(broken({ endpoint })).toEqual(['always', RIGHT, 13]);
  });

  it('that starts a probe when it is granted a slot twice has two', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['rising']!.on['release.requested'] = {
        target: 'probing',
        actions: ['startProbe', 'advanceEpoch', 'startProbe'],
      };
    });
    expect(broken({ endpoint, budgets: { clear: 1 } })).toEqual(['always', RIGHT, 9]);
  });

  it('without a deadline for its probe waits for ever for one that hangs', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['probing']!.after = {};
      states['probing']!.on['probe.succeeded'] = {};
      states['probing']!.on['probe.failed'] = {};
    });
    expect(broken({ endpoint })).toEqual(['alwaysPossible', 'all serve again', 5]);
  });

  it('that returns without telling the queue stays in it', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      states['probing']!.on['probe.succeeded'] = { target: 'healthy', actions: 'advanceEpoch' };
    });
    expect(broken({ endpoint, rise: 1 })).toEqual(['always', ONCE, 8]);
  });

  it('that leaves without telling the queue stays in it', () => {
    const endpoint = twin(endpointMachine, ({ states }) => {
      delete states['removed']!.entry;
    });
    expect(broken({ endpoint, budgets: { remove: 1 } })).toEqual(['always', ONCE, 6]);
  });

  it.each([
    ['totalRequests', 'countLate'],
    ['failedRequests', 'countFailure'],
    ['consecutiveFailures', 'noteService'],
  ])('that does not keep count of %s (%s) is found out', (field, action) => {
    const implementation = endpointMachine.implementations.actions[action as 'countLate'] as unknown as {
      assignment: { ledger: (args: object) => Record<string, number> };
    };
    const endpoint = endpointMachine.provide({
      actions: {
        [action]: assign({
          ledger: (args: { context: { ledger: Record<string, number> } }) => ({
            ...implementation.assignment.ledger(args),
            [field]: args.context.ledger[field],
          }),
        } as never),
      } as never,
    });
    const options = { endpoint, ledgers: 'yes', abandoned: 1, budgets: { requests: 4, elapse: 2 } } as const;
    const { violation } = explore(options, { always: { exact } });
    expect([violation?.kind, violation?.property]).toEqual(['always', 'exact']);
  });
});

describe('a broken twin of the queue', () => {
  /** One assign of the queue, changed. */
  const applying = (change: (entries: readonly unknown[], before: readonly unknown[]) => unknown) => {
    const { assignment } = failureQueueMachine.implementations.actions['apply'] as unknown as {
      assignment: Record<'control' | 'ledger', (args: object) => Record<string, unknown>>;
    };
    return failureQueueMachine.provide({
      actions: {
        apply: assign({
          ledger: assignment.ledger,
          control: (args: { context: { control: { entries: readonly unknown[] } } }) => {
            const control = assignment.control(args);
            const entries = change(control['entries'] as readonly unknown[], args.context.control.entries);
            return { ...control, entries };
          },
        } as never),
      },
    });
  };

  it('that adds whoever fails, in or not, has it twice', () => {
    const queue = applying((entries, before) =>
      entries.length > 0 && before.length > 0 && entries.length < 3 ? [...entries, before[0]] : entries,
    );
    expect(broken({ queue })[1]).toBe(ONCE);
  });

  it('that grants slots and does not take them grants them twice', () => {
    const queue = failureQueueMachine.provide({ actions: { takeSlots: assign({}) } });
    expect(broken({ queue })).toEqual(['always', SLOT, 7]);
  });

  it('that has a slot for everybody has too many probed', () => {
    const names = ['a', 'b'];
    const queue = failureQueueMachine.provide({
      actions: {
        takeSlots: assign({
          control: ({ context: { control } }: { context: { control: Record<string, unknown> } }) => ({
            ...control,
            slots: 2,
            entries: (control['entries'] as { phase: string }[]).map((entry) =>
              entry.phase === 'due' ? { ...entry, phase: 'probing' } : entry,
            ),
          }),
        } as never),
      },
    } as never);
    expect(broken({ queue, names, atOnce: 1, rise: 1, abandoned: 0 })).toEqual(['always', MOST, 12]);
  });

  it('that does not fence what it hears has an endpoint back in that serves', () => {
    const queue = failureQueueMachine.provide({ guards: { stale: () => false } });
    const two = { names: ['a', 'b'], atOnce: 1, rise: 1, abandoned: 0 };
    expect(broken({ queue, ...two, budgets: { retry: 1 } })).toEqual(['always', ONCE, 13]);
  });

  it('that does not look at the time again never has anybody probed', () => {
    const queue = twin(failureQueueMachine, ({ states }) => {
      states['waiting']!.after = {};
    });
    expect(broken({ queue })).toEqual(['alwaysPossible', 'all serve again', 5]);
  });

  it('that does not hear that time is over never has anybody probed', () => {
    const queue = twin(failureQueueMachine, ({ states }) => {
      states['waiting']!.on['wait.elapsed'] = {};
    });
    const { violation } = exploreFair({ queue, budgets: { elapse: 9 } });
    expect([violation?.kind, violation?.property]).toEqual([
      'leadsTo',
      'a, when it is ejected, is probed in the end',
    ]);
  });

  it('that grants no slot when one becomes free leaves others without one', () => {
    const queue = twin(failureQueueMachine, ({ states }) => {
      for (const state of ['idle', 'waiting'])
        for (const event of ['endpoint.recovered', 'endpoint.ejected'])
          states[state]!.on[event] = [
            { guard: 'stale', actions: 'noteStale' },
            { guard: 'someoneWaits', target: 'waiting', reenter: true, actions: 'apply' },
            { target: 'idle', actions: 'apply' },
          ];
    });
    const options = { queue, names: ['a', 'b'], atOnce: 1, rise: 1, abandoned: 0, budgets: { requests: 4 } };
    const { violation } = exploreFair(options);
    expect([violation?.kind, violation?.property]).toEqual(['alwaysPossible', 'all serve again']);
  });
});
