// The gate with nodes that join, acknowledge and leave as they like, explored to the end, and broken twins that must fail.
// What is not bounded in a title may happen any number of times.
import { describe, expect, it } from 'vitest';
import { type GateContext, type GateEvent, gateMachine } from '../../../machines/gate.ts';
import { failure } from '../store/failure.ts';
import { closed } from '../systems.ts';
import { twin } from '../twin.ts';
import { explore, type GateOptions, inTheEnd } from './gate.ts';

const staying: GateOptions = { away: 'may stay away', gathering: 'limited' };
const two: GateOptions = { nodes: ['n1', 'n2'] };

describe('the gate is open exactly while a quorum of acknowledged nodes is online', () => {
  it('two nodes, both needed', () => {
    expect(closed(explore(two))).toEqual({ complete: true, states: 1_994 });
  });

  it('two nodes, one keeps it open and both open it', () => {
    expect(closed(explore({ ...two, minNodes: 1, resumeNodes: 2 }))).toEqual({
      complete: true,
      states: 1_994,
    });
  });

  it('three nodes, two needed, older acknowledgements lost', () => {
    expect(closed(explore({ older: 'lost' }))).toEqual({ complete: true, states: 4_124 });
  });

  it('three nodes, one keeps it open and all open it, older acknowledgements lost', () => {
    expect(closed(explore({ older: 'lost', minNodes: 1, resumeNodes: 3 }))).toEqual({
      complete: true,
      states: 4_097,
    });
  });

  it('two nodes, both needed, any number of crashes and of requests for the end, models that cannot be delivered', () => {
    const options: GateOptions = { ...two, ever: ['crash', 'request', 'undelivered'] };
    expect(closed(explore(options))).toEqual({ complete: true, states: 8_361 });
  });
});

describe('on every fair run it is open again and again, or over', () => {
  it('when nodes come back (two nodes, three leavings, one crash)', () => {
    const options: GateOptions = { ...two, budgets: { leave: 3, crash: 1 } };
    expect(closed(explore(options, inTheEnd))).toEqual({ complete: true, states: 4_333 });
  });

  it('when nodes stay away, and gathering has a limit (two nodes, three leavings, one crash)', () => {
    const options: GateOptions = { ...two, ...staying, budgets: { leave: 3, crash: 1 } };
    expect(closed(explore(options, inTheEnd))).toEqual({ complete: true, states: 6_979 });
  });
});

describe('a broken twin', () => {
  it('that counts a node when it joins opens without a quorum', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['gathering']!.on['node.joined'] = { target: '#gate.open', actions: ['admit', 'sendSync'] };
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it is open and steady only with a quorum',
      2,
    ]);
  });

  it('that takes an acknowledgement of an older coming online counts a node that has not acknowledged', () => {
    const awaits = ({ context, event }: { context: GateContext; event: GateEvent }) =>
      context.control.joined.some(({ node }) => 'node' in event && node === event.node);
    const gate = gateMachine.provide({ guards: { awaitsSync: awaits } });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it counts exactly the nodes that are online and acknowledged since they came online',
      3,
    ]);
  });

  it('that does not hear of leaving nodes in a pause opens without a quorum', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.left'] = {};
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it counts exactly the nodes that are online and acknowledged since they came online',
      8,
    ]);
  });

  it('that overlooks a node that comes online anew stays open without a quorum', () => {
    const gate = twin(gateMachine, ({ states }) => {
      delete states['open']!.states['steady']!.on['node.joined'];
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it is open and steady only with a quorum',
      6,
    ]);
  });

  it('that opens with as many nodes as keep it open has no hysteresis', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.synced'] = [
        { guard: 'keepsOpen', target: 'open', actions: ['measure', 'settleBudget', 'count'] },
        { actions: 'noteStale' },
      ];
    });
    expect(failure(explore({ ...two, minNodes: 1, resumeNodes: 2, gate }))).toEqual([
      'always',
      'it opens only with as many as that takes',
      9,
    ]);
  });

  it('that only counts what comes back in a pause stays closed with a quorum', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.synced'] = [
        { guard: 'awaitsSync', actions: 'count' },
        { actions: 'noteStale' },
      ];
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it is closed only while too few are there to open it',
      8,
    ]);
  });

  it('that pauses without saying so lets rounds run', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.entry = ['advanceEpoch', 'notePause'];
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'rounds may run exactly while it is open',
      7,
    ]);
  });

  it('that pauses although the quorum came back within the debounce closes without a reason', () => {
    const gate = twin(gateMachine, ({ states }) => {
      delete states['open']!.states['wavering']!.on['node.synced'];
    });
    expect(failure(explore({ ...two, gate }))).toEqual(['always', 'it wavers only without one', 7]);
  });

  it('that ends when its budget is spent does not ask for the model', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.after['budgetLeft'] = 'terminated';
    });
    expect(failure(explore({ ...two, gate }))).toEqual([
      'always',
      'it terminates only after the model was asked for',
      8,
    ]);
  });

  it('without a budget waits for ever for nodes that stay away', () => {
    const gate = twin(gateMachine, ({ states }) => {
      delete states['paused']!.after['budgetLeft'];
    });
    const { violation } = explore({ ...two, ...staying, budgets: { leave: 1 }, gate }, inTheEnd);
    expect([violation?.kind, violation?.property]).toEqual(['alwaysEventually', 'it is open, or over']);
  });

  it('without a limit to the delivery waits for ever for one that never ends', () => {
    const gate = twin(gateMachine, ({ states }) => {
      delete states['terminating']!.after['deliveryTimeout'];
      states['terminating']!.on['model.failed'] = {};
    });
    const budgets = { leave: 1, undelivered: 1, request: 1 };
    const { violation } = explore({ ...two, budgets, gate }, inTheEnd);
    expect([violation?.kind, violation?.property]).toEqual(['alwaysEventually', 'it is open, or over']);
  });
});
