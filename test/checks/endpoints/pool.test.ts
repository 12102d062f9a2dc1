// Endpoints and their failure queue, explored to the end: two failures in a row eject, two probes in a row prove, one slot.
// Attempts and probes end at any time, late ones too; times are over at any time. The titles say what is bounded.
import { describe, expect, it } from 'vitest';
import { endpointMachine } from '../../../machines/endpoint.ts';
import { failureQueueMachine } from '../../../machines/failure-queue.ts';
import type { Predicate } from '../../../src/checker/index.ts';
import { leaves } from '../../machines/machines.ts';
import { closed } from '../systems.ts';
import { QUEUE } from './pool.ts';
import { everyState, exact, explore, exploreFair } from './properties.ts';

const THREE = { names: ['a', 'b', 'c'], slots: 2, atOnce: 1, rise: 1, abandoned: 0 };
const ALL = ['succeeded', 'failed', 'faulted', 'denied', 'abandoned'];

describe('an endpoint is in the queue once, is probed once at a time, and serves only when it is proven', () => {
  it('whatever its attempts answer, and when (three at once)', () => {
    expect(closed(explore({ atOnce: 3 }))).toEqual({ complete: true, states: 4_087 });
  });

  it('whatever clients do wrong, refuse or abandon (two at once)', () => {
    expect(closed(explore({ ends: ALL }))).toEqual({ complete: true, states: 1_051 });
  });

  it('when operators retry and clear (once each, two attempts at once)', () => {
    const budgets = { retry: 1, clear: 1 };
    expect(closed(explore({ budgets }))).toEqual({ complete: true, states: 8_689 });
  });

  it('when it is held after two verifications, and operators retry and clear (once each)', () => {
    const options = { maxVerifications: 2, budgets: { retry: 1, clear: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 12_695 });
  });

  it('when it is taken away in the middle of it (two attempts at once)', () => {
    expect(closed(explore({ budgets: { remove: 1 } }))).toEqual({ complete: true, states: 1_927 });
  });

  it('beside another that wants the same slot (one attempt of each at once, no late answers of probes)', () => {
    const options = { names: ['a', 'b'], atOnce: 1, abandoned: 0, budgets: { clear: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 10_658 });
  });

  it('and every state of both machines is among what is explored', () => {
    const passed = ['starting', 'closed'];
    const states = leaves(endpointMachine);
    const ofQueue = leaves(failureQueueMachine).filter((state) => !passed.includes(state));
    const sometimes = {
      ...everyState(states),
      ...Object.fromEntries(
        ofQueue.map((state): [string, Predicate] => [
          `queue ${state}`,
          (view) => view.actor(QUEUE).in(state),
        ]),
      ),
    };
    expect(closed(explore({ budgets: { remove: 1 } }, { sometimes }))).toMatchObject({ complete: true });
  });
});

describe('every endpoint that is ejected is probed in the end, on every fair run', () => {
  it('whatever its attempts and probes answer (two at once)', () => {
    expect(closed(exploreFair())).toEqual({ complete: true, states: 1_051 });
  });

  it('when two others want the two slots, too (six attempts, one of each at once, one probe proves)', () => {
    const options = { ...THREE, budgets: { requests: 6 } };
    expect(closed(exploreFair(options))).toEqual({ complete: true, states: 7_601 });
  });

  it('unless it is held, and then when an operator says so (two verifications, two retries)', () => {
    const options = { maxVerifications: 2, budgets: { retry: 2 } };
    expect(closed(exploreFair(options))).toEqual({ complete: true, states: 10_506 });
  });
});

describe('counters say exactly what happened', () => {
  it('to five attempts, two at once, while it is ejected, probed twice, and serves again', () => {
    const options = { ledgers: 'yes', abandoned: 1, budgets: { requests: 5, elapse: 2 } } as const;
    expect(closed(explore(options, { always: { exact } }))).toEqual({ complete: true, states: 17_876 });
  });

  it('to four attempts of all kinds, and an operator who clears the queue', () => {
    const budgets = { requests: 4, elapse: 1, clear: 1 };
    const options = { ledgers: 'yes', abandoned: 1, ends: ALL, budgets } as const;
    expect(closed(explore(options, { always: { exact } }))).toEqual({ complete: true, states: 8_005 });
  });
});
