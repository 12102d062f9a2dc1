// A twin is the production config with one patch. Each must fail, and the shortest way to the failure is known: a
// property that no twin violates would prove nothing.
import { describe, expect, it } from 'vitest';
import { connectionMachine } from '../../machines/connection.ts';
import { sessionMachine } from '../../machines/session.ts';
import type { CheckResult } from '../../src/checker/index.ts';
import type { attach, cameOnline } from './directory.ts';
import { registrationCame } from './directory.ts';
import { twin } from './twin.ts';
import {
  drained,
  explore,
  forgetful,
  handshake,
  kept,
  kicks,
  swallowed,
  twoInstances,
  wild,
  wildly,
} from './systems.ts';

/** The kind of the violation, the property, and how many steps lead to it. */
const failure = ({ violation }: CheckResult) => [
  violation?.kind,
  violation?.property,
  violation?.steps.length,
];

describe('a broken twin', () => {
  it('that takes every acknowledgement for the present one goes online without its own', () => {
    const session = sessionMachine.provide({ guards: { currentRegistration: () => true } });
    expect(failure(explore({ ...wild, session }, wildly))).toEqual([
      'always',
      'a session is online only after its own registration was acknowledged',
      13,
    ]);
  });

  it('that announces itself while it is syncing replaces others before it was acknowledged', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['syncing']!.entry = ['sendSync', 'announceOnline'];
    });
    expect(failure(explore({ ...twoInstances, session }, kicks))).toEqual([
      'always',
      'a session is online only after its own registration was acknowledged',
      5,
    ]);
  });

  it('that gives up a draining node with its link ends a session before its grace', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['draining']!.states['ordered']!.states['present']!.on['socket.closed'] = '#session.expired';
    });
    expect(failure(explore({ ...drained, session }, kept))).toEqual([
      'always',
      'no session ends before its grace',
      7,
    ]);
  });

  it('that forgets with the link that the node was drained gives it work when it is back', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['draining']!.states['ordered']!.states['present']!.on['socket.closed'] = '#session.absent';
    });
    expect(failure(explore({ ...drained, session }, kept))).toEqual([
      'always',
      'a node that was drained is not online before it is let in again',
      17,
    ]);
  });

  it('that dials again without terminating its socket owns two', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      states['establishing']!.after['connectionTimeout'] = 'backoff';
    });
    expect(failure(explore({ ...handshake, connection }))).toEqual([
      'always',
      'a node owns at most one socket',
      3,
    ]);
  });

  it('that does not terminate its socket in transient_failure waits for ever', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      states['transient_failure']!.entry = 'settleInFlight';
    });
    expect(failure(explore({ ...handshake, connection }))).toEqual([
      'deadlock',
      'something is owed, and nothing can happen',
      2,
    ]);
  });

  it('that does not dismiss the socket of an older registration keeps it', () => {
    const session = sessionMachine.provide({ guards: { olderSocket: () => false } });
    expect(failure(explore({ ...handshake, session }))).toEqual([
      'always',
      'the hub holds at most one registered socket of an instance, the attached one',
      10,
    ]);
  });

  it('that takes an older registration for a newer one attaches an older socket', () => {
    const session = sessionMachine.provide({ guards: { newerRegistration: () => true } });
    expect(failure(explore({ ...handshake, session }))).toEqual([
      'always',
      'the attached socket is that of the newest registration',
      10,
    ]);
  });

  it('that attaches a socket without ending the one before holds two', () => {
    const rules = {
      attach: (...[directory, instance, epoch]: Parameters<typeof attach>) => ({
        directory: directory.map((seat) =>
          seat.instance === instance ? { ...seat, attachedEpoch: epoch } : seat,
        ),
        orders: [],
      }),
    };
    expect(failure(explore({ ...handshake, rules }))).toEqual([
      'always',
      'the hub holds at most one registered socket of an instance, the attached one',
      10,
    ]);
  });

  it('that no longer ignores the late end of a socket meets an unexpected event', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      delete states['transient_failure']!.on['socket.closed'];
    });
    expect(failure(explore({ ...handshake, connection }))).toEqual([
      'unexpected',
      'node a does not expect socket.closed { epoch: 1, reason:  }',
      3,
    ]);
  });

  it('that never pings does not find out that the hub forgot it', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      delete states['connected']!.states['liveness']!.states['probing']!.entry;
    });
    expect(failure(explore({ ...forgetful, connection }))).toEqual([
      'alwaysPossible',
      'connected and online can be reached',
      6,
    ]);
  });

  it('that ignores node.unknown is trapped on a socket where nobody knows it', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      states['connected']!.on['node.unknown'] = {};
    });
    expect(failure(explore({ ...forgetful, connection }))).toEqual([
      'alwaysPossible',
      'connected and online can be reached',
      6,
    ]);
  });

  it('that does not measure its silence stays on a link that swallows everything', () => {
    const connection = twin(connectionMachine, ({ states }) => {
      delete states['connected']!.states['liveness']!.states['listening']!.after['silenceCheck'];
    });
    expect(failure(explore({ ...swallowed, connection }))).toEqual([
      'deadlock',
      'something is owed, and nothing can happen',
      8,
    ]);
  });

  it('whose hub forgets whom it replaced lets two instances replace each other by turns', () => {
    const rules = {
      registrationCame: (...[directory, ...rest]: Parameters<typeof registrationCame>) =>
        registrationCame(
          directory.map((seat) => ({ ...seat, standing: 'welcome' })),
          ...rest,
        ),
    };
    expect(failure(explore({ ...twoInstances, rules }, kicks))).toEqual([
      'always',
      'an instance that was replaced does not come back online',
      22,
    ]);
  });

  it('whose hub does not tell the others lets two instances work at once', () => {
    const rules = {
      cameOnline: (...[directory]: Parameters<typeof cameOnline>) => ({ directory, orders: [] }),
    };
    expect(failure(explore({ ...twoInstances, rules }, kicks))).toEqual([
      'always',
      'at most one instance of a node id takes work',
      16,
    ]);
  });

  it('whose hub tells everyone but nobody stays turns every instance away', () => {
    const rules = {
      cameOnline: (...[directory]: Parameters<typeof cameOnline>) => {
        const living = directory.filter((seat) => seat.session === 'live');
        return {
          directory,
          orders: living.map(({ instance }) => ({ do: 'replaceSession' as const, instance })),
        };
      },
    };
    expect(failure(explore({ ...twoInstances, rules }, kicks))).toEqual([
      'always',
      'not every instance is turned away',
      15,
    ]);
  });
});
