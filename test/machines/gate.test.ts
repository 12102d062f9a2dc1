// The training gate, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  budgetRecordIntervalMs,
  countedNodes,
  type GateContext,
  gateEffects,
  gateExamples,
  type GateInput,
  gateInput,
  gateMachine,
  gateRecord,
  type GateRecord,
} from '../../machines/index.ts';
import { checkUpgrade } from '../../src/testing/index.ts';
import { Scenario } from './scenario.ts';

const three: Partial<GateInput> = { minNodes: 2, resumeNodes: 2 };

class Gate {
  readonly trainer: Scenario;

  constructor(input: Partial<GateInput> = {}) {
    this.trainer = new Scenario(
      { machine: gateMachine, effects: gateEffects as never },
      { ...gateInput, ...three, ...input },
    );
  }
  get state(): string {
    return this.trainer.state;
  }
  get effects(): string[] {
    return this.trainer.effectNames;
  }
  get nodes(): string[] {
    return countedNodes(this.context);
  }
  get context(): GateContext {
    return this.trainer.context as never;
  }
  get record(): GateRecord {
    return gateRecord(this.context);
  }
  send(type: string, at = 0, fields: object = {}): this {
    this.trainer.send({ type, epoch: this.context.control.epoch, at, ...fields });
    expect(this.trainer.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  join(node: string, epoch = 1, at = 0): this {
    return this.send('node.joined', at, { node, epoch });
  }
  sync(node: string, epoch = 1, at = 0): this {
    return this.send('node.synced', at, { node, epoch });
  }
  leave(node: string, epoch = 1, at = 0): this {
    return this.send('node.left', at, { node, epoch });
  }
  expire(delay: string): this {
    this.trainer.expire(delay);
    return this;
  }
  /** The budget is measured and recorded once. */
  tick(at: number): this {
    return this.expire('budgetRecordInterval').send('budget.measured', at);
  }
}

const gathering = (input: Partial<GateInput> = {}) => new Gate(input).send('training.started', 1_000);

function open(input: Partial<GateInput> = {}, nodes: readonly string[] = ['n1', 'n2']): Gate {
  const gate = gathering(input);
  for (const node of nodes) gate.join(node).sync(node, 1, 1_000);
  expect(gate.state).toBe('open.steady');
  return gate;
}

/** Paused at 5 000, with n1 left. */
const paused = (input: Partial<GateInput> = {}) => open(input).leave('n2', 1, 5_000).expire('pauseDebounce');

describe('a node', () => {
  it('counts when it acknowledged the model, not when it joined', () => {
    const gate = gathering().join('n1').join('n2');
    expect([gate.state, gate.effects]).toEqual(['gathering', ['sendSync']]);
    expect(gate.trainer.payload('sendSync')).toEqual({ node: 'n2', epoch: 1 });
    expect(gate.sync('n2').state).toBe('gathering');
    expect(gate.sync('n1').state).toBe('open.steady');
    expect(gate.nodes).toEqual(['n1', 'n2']);
  });

  it('that came online anew has to acknowledge anew: an older acknowledgement changes nothing', () => {
    const gate = gathering().join('n1').sync('n1').join('n2').leave('n2').join('n2', 2).sync('n2', 1);
    expect([gate.state, gate.nodes, gate.trainer.ledger['staleEvents']]).toEqual(['gathering', ['n1'], 1]);
    expect(gate.sync('n2', 2).state).toBe('open.steady');
  });

  it('that comes back before its leaving was told does not count in between', () => {
    const gate = open().join('n2', 2);
    expect([gate.state, gate.effects]).toEqual(['open.wavering', ['sendSync']]);
    expect(gate.leave('n2', 1).nodes).toEqual(['n1']);
    expect(gate.sync('n2', 2).state).toBe('open.steady');
  });

  it('is known before training starts', () => {
    const gate = new Gate().join('n1').join('n2').sync('n2').sync('n1');
    expect(gate.state).toBe('starting');
    expect(gate.send('training.started').state).toBe('open.steady');
  });

  it('stands among the others in the order of ids by code units', () => {
    expect(open({ resumeNodes: 4 }, ['b', 'a', '__proto__', 'B']).nodes).toEqual([
      'B',
      '__proto__',
      'a',
      'b',
    ]);
  });
});

describe('the quorum', () => {
  it('opens the gate at resumeNodes and keeps it open at minNodes', () => {
    const gate = open({ minNodes: 1, resumeNodes: 3 }, ['n1', 'n2', 'n3']);
    expect(gate.effects).toEqual(['recordBudget', 'openGate']);
    expect(gate.trainer.payload('openGate')).toEqual({ epoch: 1, nodes: ['n1', 'n2', 'n3'] });
    expect(gate.leave('n1').leave('n2').state).toBe('open.steady');
    expect(gate.leave('n3').state).toBe('open.wavering');
    gate.expire('pauseDebounce');
    expect([gate.state, gate.effects]).toEqual(['paused.counting', ['pauseGate']]);
    gate.join('n1', 2).sync('n1', 2).join('n2', 2).sync('n2', 2);
    expect(gate.state).toBe('paused.counting');
    expect(gate.join('n3', 2).sync('n3', 2).state).toBe('open.steady');
  });

  it('that is lost for less than pauseAfterMs is no pause', () => {
    const gate = open({ pauseAfterMs: 2_000 }).leave('n2');
    expect([gate.state, gate.trainer.delayMs('pauseDebounce')]).toEqual(['open.wavering', 2_000]);
    gate.join('n2', 2);
    const [debounce] = gate.trainer.delays.values();
    expect([gate.state, debounce?.name]).toEqual(['open.wavering', 'pauseDebounce']);
    gate.sync('n2', 2);
    expect([gate.state, gate.trainer.delays.size, gate.context.ledger.pauses]).toEqual(['open.steady', 0, 0]);
  });

  it('that never comes ends gathering, if that has a limit', () => {
    const limited = gathering({ gatherTimeoutMs: 10_000 });
    expect(limited.trainer.delayMs('gatherTimeout')).toBe(10_000);
    expect(limited.join('n1').sync('n1').trainer.delayMs('gatherTimeout')).toBe(10_000);
    limited.expire('gatherTimeout');
    expect([limited.state, limited.effects]).toEqual(['terminating', ['deliverModel']]);
    expect(limited.trainer.payload('deliverModel')).toEqual({
      epoch: 1,
      end: 'gather_timed_out',
      reason: '1 of 2 nodes were online and had the model within 10000 ms',
    });
    const unlimited = gathering({ gatherTimeoutMs: undefined });
    expect(unlimited.expire('gatherTimeout').state).toBe('gathering');
    expect(unlimited.trainer.delayMs('gatherTimeout')).toBeLessThan(2 ** 31);
  });
});

describe('the budget of a pause', () => {
  it('runs from the entry of the pause, which is pauseAfterMs after the loss', () => {
    const gate = open({ pauseAfterMs: 2_000 }).leave('n2', 1, 5_000).expire('pauseDebounce');
    expect(gate.trainer.delayMs('budgetLeft')).toBe(300_000);
    expect(gate.tick(7_100).record).toEqual({ consumedMs: 100, from: 'paused' });
  });

  it('is not touched by joins that do not bring the quorum back', () => {
    const gate = paused();
    const timer = () => [...gate.trainer.delays.values()].find(({ name }) => name === 'budgetLeft');
    const before = timer();
    for (let epoch = 2; epoch < 20; epoch += 1) gate.join('n2', epoch).leave('n2', epoch);
    gate.leave('n1').join('n3').sync('n3');
    gate.tick(5_100);
    expect([gate.state, timer()]).toEqual(['paused.counting', before]);
    expect(timer()).toBe(before);
  });

  it('is recorded as it is measured, not as the timers were set', () => {
    const gate = paused().expire('budgetRecordInterval');
    expect([gate.state, gate.effects]).toEqual(['paused.measuring', ['measureBudget']]);
    gate.send('budget.measured', 5_103.5);
    expect([gate.effects, gate.trainer.payload('recordBudget')]).toEqual([
      ['recordBudget'],
      { consumedMs: 103.5, from: 'paused' },
    ]);
    expect(gate.tick(5_210).record.consumedMs).toBe(210);
  });

  it('is recorded so often that a restart costs at most a two-thousandth of it, and no more than 100 ms', () => {
    expect([10_000, 30_000, 300_000, 3_600_000].map(budgetRecordIntervalMs)).toEqual([5, 15, 100, 100]);
    expect(paused({ terminateAfterMs: 30_000 }).trainer.delayMs('budgetRecordInterval')).toBe(15);
  });

  it('is there again at the next pause, if it is for each pause', () => {
    const gate = paused().tick(5_100).join('n2', 2).sync('n2', 2, 100_000);
    expect(gate.trainer.payload('recordBudget')).toEqual({ consumedMs: 0, from: 'paused' });
    gate.leave('n2', 2, 200_000).expire('pauseDebounce');
    expect(gate.trainer.delayMs('budgetLeft')).toBe(300_000);
  });

  it('goes on at the next pause, if it is for all of them', () => {
    const gate = paused({ budget: 'cumulative' }).tick(5_100).join('n2', 2).sync('n2', 2, 105_000);
    expect(gate.trainer.payload('recordBudget')).toEqual({ consumedMs: 100_000, from: 'paused' });
    gate.leave('n2', 2, 200_000).expire('pauseDebounce');
    expect(gate.trainer.delayMs('budgetLeft')).toBe(200_000);
    expect([gate.context.ledger.pauses, gate.context.ledger.pausedMs]).toEqual([2, 100_000]);
  });

  it('ends training when it is spent', () => {
    const gate = paused().expire('budgetLeft');
    expect([gate.state, gate.effects]).toEqual(['terminating', ['deliverModel']]);
    expect(gate.trainer.payload('deliverModel')).toEqual({
      epoch: 3,
      end: 'budget_spent',
      reason: 'paused for 300000 ms: 1 of 2 nodes are online and have the model',
    });
    expect(gate.join('n2', 2).sync('n2', 2).state).toBe('terminating');
  });
});

describe('the end', () => {
  it('comes when the model is delivered, and the record is as before the first start', () => {
    const gate = paused().expire('budgetLeft').send('model.delivered', 0, { epoch: 2 });
    expect([gate.state, gate.context.ledger.staleEvents]).toEqual(['terminating', 1]);
    gate.send('model.delivered');
    expect([gate.state, gate.effects]).toEqual(['terminated', ['recordBudget', 'announceEnd']]);
    expect(gate.trainer.payload('recordBudget')).toEqual({ consumedMs: 0, from: 'gathering' });
    expect(gate.trainer.payload('announceEnd')).toMatchObject({
      end: 'budget_spent',
      model: 'delivered',
      pauses: 1,
      pausedMs: 300_000,
    });
  });

  it.each([
    ['model.failed', 'the operator asked for it; the model was not delivered: the disk is full'],
    ['deliveryTimeout', 'the operator asked for it; the model was not delivered within 60000 ms'],
  ])('comes too when the model cannot be delivered, and says so (%s)', (what, reason) => {
    const gate = open().send('termination.requested', 0, { reason: 'the operator asked for it' });
    if (what === 'model.failed') gate.send(what, 0, { reason: 'the disk is full' });
    else gate.expire(what);
    expect(gate.trainer.payload('announceEnd')).toMatchObject({
      end: 'requested',
      model: 'undelivered',
      reason,
    });
  });

  it.each([
    ['starting', () => new Gate()],
    ['gathering', gathering],
    ['open', open],
    ['paused', paused],
  ] as const)('can be asked for while it is %s', (state, make) => {
    const gate = make();
    expect(gate.state).toContain(state);
    expect(gate.send('termination.requested', 9_000, { reason: 'enough' }).state).toBe('terminating');
    expect(gate.send('termination.requested', 9_000, { reason: 'more than enough' }).state).toBe(
      'terminating',
    );
    expect(gate.send('model.delivered').state).toBe('terminated');
    expect(gate.trainer.payload('announceEnd')).toMatchObject({ reason: 'enough' });
  });

  const asked = () => open().send('termination.requested', 9_000, { reason: 'enough' });

  it.each([
    ['it is open', open],
    ['it is paused', paused],
    ['its end was asked for', asked],
  ] as const)('is completed when all rounds are committed while %s', (_, make) => {
    const gate = make().send('training.completed', 6_000);
    expect([gate.state, gate.effects]).toEqual(['completed', ['recordBudget', 'announceEnd']]);
    expect(gate.trainer.payload('announceEnd')).toMatchObject({ end: 'completed', model: 'delivered' });
  });
});

describe('a restart', () => {
  it('in mid-pause goes on with what is left of the budget, however long it was down', () => {
    const { record } = paused().tick(65_000);
    expect(record).toEqual({ consumedMs: 60_000, from: 'paused' });
    const again = new Gate(record).send('training.started', 9_000_000);
    expect([again.state, again.trainer.delayMs('budgetLeft')]).toEqual(['paused.counting', 240_000]);
    expect(again.tick(9_000_100).record.consumedMs).toBe(60_100);
  });

  it('of an open gate is a pause with all of its budget: nodes need time to come back, and not for ever', () => {
    const again = new Gate(open().record).send('training.started', 50);
    expect([again.state, again.trainer.delayMs('budgetLeft')]).toEqual(['paused.counting', 300_000]);
    again.join('n1').sync('n1').join('n2').sync('n2', 1, 900);
    expect([again.state, again.context.ledger.pausedMs]).toEqual(['open.steady', 850]);
  });

  it('while gathering gathers', () => {
    expect(new Gate(gathering().join('n1').record).send('training.started').state).toBe('gathering');
  });

  it('after the budget was spent, and before the end was recorded, comes to the same end', () => {
    const again = new Gate({ consumedMs: 300_000, from: 'paused' }).send('training.started');
    expect(again.trainer.delayMs('budgetLeft')).toBe(0);
    expect(again.expire('budgetLeft').state).toBe('terminating');
  });

  it('from the record of each state starts a gate with no more than its budget', () => {
    const durable = {
      machine: gateMachine,
      record: gateRecord,
      input: (record: GateRecord | undefined): GateInput => ({ ...gateInput, ...record }),
      examples: gateExamples,
      legal: ({ ledger: { consumedMs, times } }: GateContext, state: unknown) =>
        state === 'starting' && consumedMs <= times.terminateAfterMs
          ? undefined
          : `${consumedMs} ms are consumed`,
    };
    const { failed, old } = checkUpgrade(durable as never, durable as never, { maxStates: 1_000 });
    expect([failed, old.states]).toEqual([[], 1_000]);
    expect([...old.records.keys()].length).toBeGreaterThan(1);
  });
});
