// Broken twins of round, gate, and of the trainer's shell between them: each must fail.
import { assign, type AnyStateMachine } from 'xstate';
import { describe, expect, it } from 'vitest';
import { type GateContext, type GateEvent, gateMachine } from '../../../machines/gate.ts';
import { roundMachine, type RoundContext, type RoundEvent } from '../../../machines/round.ts';
import { sessionMachine } from '../../../machines/session.ts';
import { failure } from '../store/failure.ts';
import { twin } from '../twin.ts';
import { explore, inTheEnd } from './rounds.ts';

const ENOUGH = 'a commit holds enough updates, one of a node, all made for its own attempt';
const ONCE = 'every round is committed at most once, and in order';
const COUNTED = 'the gate counts exactly the nodes that acknowledged since they came online';
const DELIVERED = 'the model that is delivered is that of the last commit';
const OVER = 'no round runs in a trainer that is at its end';
const OWED = 'something is owed, and nothing can happen';

/** The round with guards that look at the node alone. */
function unfenced(): AnyStateMachine {
  type Guard = (given: { context: RoundContext; event: RoundEvent }, params?: unknown) => boolean;
  const loose = Object.entries(roundMachine.implementations.guards).map(([name, guard]) => [
    name,
    ({ context, event }: Parameters<Guard>[0]) => {
      const { round, epoch } = context.control;
      return (guard as unknown as Guard)({ context, event: { ...event, round, epoch } as RoundEvent });
    },
  ]);
  return roundMachine.provide({ guards: Object.fromEntries(loose) as never });
}

describe('a broken twin', () => {
  it('whose round does not look at the attempt of an update aggregates one of another attempt', () => {
    expect(failure(explore({ round: unfenced(), budgets: { deadline: 1 } }))).toEqual(['always', ENOUGH, 14]);
  });

  it('whose round waits for a node that is lost, and without a limit for one that is away, waits for ever', () => {
    const round = twin(roundMachine, ({ states }) => {
      const { on, states: parts } = states['training']!;
      on['node.lost'] = {};
      delete parts['reachable']!.on['node.lost'];
      delete parts['unreachable']!.after['returnGrace'];
    });
    expect(failure(explore({ round, budgets: { death: 1 } }))).toEqual(['deadlock', OWED, 12]);
    const { violation } = explore({ round, budgets: { death: 1 } }, inTheEnd());
    expect([violation?.kind, violation?.property]).toEqual(['eventually', 'training comes to its end']);
  });

  it('whose round does not hear of links that break waits for nodes that are away', () => {
    const round = twin(roundMachine, ({ states }) => {
      states['training']!.states['reachable']!.on['node.left'] = {};
    });
    const { violation } = explore({ round, budgets: { cut: 1 } });
    expect([violation?.kind, violation?.property]).toEqual([
      'always',
      'it waits without a limit only while enough nodes are there to answer',
    ]);
  });

  it('whose round does not wait for its quorum commits too few updates', () => {
    const round = twin(roundMachine, ({ states }) => {
      states['training']!.on['update.accepted'] = {
        target: 'aggregating',
        actions: ['accept', 'keepUpdate'],
      };
    });
    expect(failure(explore({ round }))).toEqual(['always', ENOUGH, 10]);
  });

  it('whose round gives up a write whose outcome it does not know commits a round twice', () => {
    const round = twin(roundMachine, ({ states }) => {
      states['aggregating']!.states['saving']!.on['checkpoint.failed'] = '#round.abandoned';
    });
    expect(failure(explore({ round, budgets: { unknown: 1 } }))).toEqual(['always', ONCE, 21]);
  });

  it('whose round is abandoned by a pause while it writes commits a round twice', () => {
    const round = twin(roundMachine, ({ states }) => {
      states['aggregating']!.on['abandon.requested'] = '#round.abandoned';
    });
    expect(failure(explore({ round, budgets: { cut: 1 } }))).toEqual(['always', ONCE, 25]);
  });

  it('whose gate counts a node when it joins counts one that has not acknowledged', () => {
    const admit = assign({
      control: ({ context: { control }, event }: { context: GateContext; event: GateEvent }) =>
        event.type === 'node.joined'
          ? { ...control, synced: [...control.synced, { node: event.node, epoch: event.epoch }] }
          : control,
    });
    const gate = gateMachine.provide({ actions: { admit: admit as never } });
    expect(failure(explore({ gate }))).toEqual(['always', COUNTED, 1]);
  });

  it('whose gate takes the acknowledgement of an older coming online counts one that has not acknowledged', () => {
    const gate = gateMachine.provide({ guards: { awaitsSync: ({ event }) => event.type === 'node.synced' } });
    expect(failure(explore({ gate, budgets: { cut: 1 } }))).toEqual(['always', COUNTED, 3]);
  });

  it('whose gate ends without asking for the model delivers none', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.after['budgetLeft'] = 'terminated';
    });
    expect(failure(explore({ gate, budget: 'at any time', budgets: { cut: 1 } }))).toEqual([
      'always',
      DELIVERED,
      8,
    ]);
  });

  it('whose gate calls completed what was asked to end completes without its rounds', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['gathering']!.on['termination.requested'] = 'completed';
    });
    const { violation } = explore({ gate, budgets: { request: 1 } });
    expect([violation?.kind, violation?.property]).toEqual([
      'always',
      'it is completed only when all rounds are committed',
    ]);
  });

  it('whose gate does not hear of the last commit while it terminates says that it did not complete', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['terminating']!.on['training.completed'] = {};
    });
    const { violation } = explore({ gate, budgets: { request: 1 } });
    expect([violation?.kind, violation?.property]).toEqual([
      'always',
      'it is completed when it knows that all rounds are committed, whoever asked for its end',
    ]);
  });

  it('whose session does not tell that it is absent counts a node that is not there', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['absent']!.entry = [];
    });
    const { violation } = explore({ session, budgets: { cut: 1 } });
    expect([violation?.kind, violation?.property]).toEqual([
      'always',
      'a node counts only while its session is online',
    ]);
  });

  it('whose trainer delivers the model while a round runs is at its end before that is', () => {
    expect(failure(explore({ rules: { delivers: 'at once' }, budgets: { request: 1 } }))).toEqual([
      'always',
      OVER,
      12,
    ]);
  });

  it('whose trainer does not begin again after a pause never ends', () => {
    const rules = { resumes: 'never' } as const;
    expect(failure(explore({ rules, budgets: { cut: 1 } }))).toEqual(['deadlock', OWED, 13]);
    const { violation } = explore({ rules, budgets: { cut: 1 } }, inTheEnd());
    expect([violation?.kind, violation?.property]).toEqual(['eventually', 'training comes to its end']);
  });
});
