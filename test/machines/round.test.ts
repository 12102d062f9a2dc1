// One attempt at one round, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  type RoundContext,
  roundEffects,
  type RoundInput,
  roundInput,
  roundMachine,
} from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

class Round {
  readonly trainer: Scenario;

  constructor(input: Partial<RoundInput> = {}) {
    this.trainer = new Scenario(
      { machine: roundMachine, effects: roundEffects as never },
      { ...roundInput, round: 7, epoch: 3, ...input },
    );
  }
  get state(): string {
    return this.trainer.state;
  }
  get effects(): string[] {
    return this.trainer.effectNames;
  }
  get context(): RoundContext {
    return this.trainer.context as never;
  }
  send(type: string, fields: object = {}, at = 0): this {
    const { round, epoch } = this.context.control;
    this.trainer.send({ type, round, epoch, at, ...fields });
    expect(this.trainer.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  choose(nodes: readonly string[], at = 0): this {
    return this.send('participants.chosen', { nodes }, at);
  }
  accept(node: string, at = 0): this {
    return this.send('update.accepted', { node }, at);
  }
  expire(delay: string): this {
    this.trainer.expire(delay);
    return this;
  }
}

const FOUR = ['n1', 'n2', 'n3', 'n4'];
const asked = (input: Partial<RoundInput> = {}) => new Round(input).choose(FOUR, 1_000);
const collecting = () => asked().accept('n2').accept('n1');
const computing = () => collecting().accept('n4').accept('n3');
const saving = () => computing().send('aggregation.finished');

describe('the participants', () => {
  it('are chosen by the trainer and asked at once, in the order of their ids', () => {
    const round = new Round();
    expect([round.state, round.effects]).toEqual(['selecting', ['chooseParticipants']]);
    round.choose(['n2', 'n10', 'n1', 'n2']);
    expect([round.state, round.effects]).toEqual(['training.reachable', ['sendTasks']]);
    expect(round.trainer.payload('sendTasks')).toEqual({ round: 7, epoch: 3, nodes: ['n1', 'n10', 'n2'] });
  });

  it('that are fewer than the round quorum are not bothered', () => {
    const round = new Round({ minUpdates: 3 }).choose(['n1', 'n2']);
    expect([round.state, round.effects]).toEqual(['abandoned', ['cancelTasks', 'announceAbandoned']]);
    expect(round.trainer.payload('announceAbandoned')).toMatchObject({
      reason: 'only 2 nodes can be asked; 3 updates are needed',
    });
  });
});

describe('an update', () => {
  it('counts once, and only from a node that was asked', () => {
    const round = asked().accept('n1');
    expect([round.effects, round.trainer.payload('keepUpdate')]).toEqual([
      ['keepUpdate'],
      { round: 7, epoch: 3, node: 'n1' },
    ]);
    expect(round.accept('n1').effects).toEqual([]);
    expect(round.accept('n9').effects).toEqual([]);
    expect([round.state, round.context.ledger.staleEvents]).toEqual(['training.reachable', 2]);
  });

  it.each([{ round: 6 }, { epoch: 2 }, { round: 6, epoch: 2 }, { epoch: 4 }])(
    'of another round or attempt (%o) changes nothing and is counted',
    (other) => {
      const round = asked().send('update.accepted', { node: 'n1', ...other });
      expect([round.effects, round.context.control.accepted, round.context.ledger.staleEvents]).toEqual([
        [],
        [],
        1,
      ]);
    },
  );

  it('after the waiting is over is counted as late, and its node is told', () => {
    const round = collecting().expire('stragglerGrace').accept('n3');
    expect([round.state, round.effects]).toEqual(['aggregating.computing', ['refuseLate']]);
    expect(round.trainer.payload('refuseLate')).toEqual({ round: 7, epoch: 3, node: 'n3' });
    expect(round.accept('n3').effects).toEqual([]);
    round.send('aggregation.finished').send('checkpoint.written');
    expect(round.trainer.payload('announceCommitted')).toEqual({
      round: 7,
      epoch: 3,
      nodes: ['n1', 'n2'],
      asked: 4,
      refused: 0,
      lost: 0,
      late: 1,
    });
  });
});

describe('the waiting', () => {
  it('is over at once when all have answered, whatever they answered', () => {
    const round = collecting().send('update.refused', { node: 'n4' });
    expect(round.state).toBe('collecting');
    expect(round.send('node.lost', { node: 'n3' }).effects).toEqual(['aggregate']);
    expect(round.trainer.payload('aggregate')).toEqual({ round: 7, epoch: 3, nodes: ['n1', 'n2'] });
  });

  it('is over at once when all have answered and the quorum is all of them', () => {
    const round = asked({ minUpdates: 4 }).accept('n4').accept('n3').accept('n2');
    expect([round.state, round.accept('n1').state]).toEqual(['training.reachable', 'aggregating.computing']);
    expect(round.trainer.payload('aggregate')).toMatchObject({ nodes: FOUR });
  });

  it('goes on for stragglerGraceMs after the quorum, and never beyond the deadline', () => {
    const round = asked().accept('n1', 2_000);
    expect([round.state, round.trainer.delayMs('roundDeadline')]).toEqual(['training.reachable', 60_000]);
    round.accept('n2', 30_000);
    expect([round.state, round.trainer.delayMs('stragglerGrace')]).toEqual(['collecting', 5_000]);
    expect(round.accept('n3', 31_000).trainer.delays.size).toBe(1);
    expect(round.expire('stragglerGrace').state).toBe('aggregating.computing');
    expect(asked().accept('n1', 2_000).accept('n2', 58_500).trainer.delayMs('stragglerGrace')).toBe(2_500);
  });

  it('ends at the deadline when there is no quorum: the round is done again by another attempt', () => {
    const round = asked().accept('n1').expire('roundDeadline');
    expect([round.state, round.effects]).toEqual(['abandoned', ['cancelTasks', 'announceAbandoned']]);
    expect(round.trainer.payload('cancelTasks')).toEqual({ round: 7, epoch: 3, nodes: ['n2', 'n3', 'n4'] });
    expect(round.trainer.payload('announceAbandoned')).toMatchObject({
      answered: 1,
      reason: '1 of 4 nodes answered within 60000 ms; 2 updates are needed',
    });
  });

  it.each(['update.refused', 'node.lost'])('is given up when %s leaves too few for a quorum', (type) => {
    const round = asked({ minUpdates: 3 }).accept('n1').send(type, { node: 'n2' });
    expect(round.state).toBe('training.reachable');
    expect(round.send(type, { node: 'n3' }).state).toBe('abandoned');
    expect(round.trainer.payload('announceAbandoned')).toMatchObject({
      reason: '1 of 4 nodes answered and 1 still can; 3 updates are needed',
    });
  });
});

describe('a node that is away', () => {
  const three = () => asked({ minUpdates: 3 }).accept('n1', 2_000);
  const waits = (round: Round) => [...round.trainer.delays.values()].map(({ name }) => name);

  it('is waited for until the deadline while the others are enough', () => {
    const round = three().send('node.left', { node: 'n4' });
    expect([round.state, round.context.control.away]).toEqual(['training.reachable', ['n4']]);
    expect(waits(round)).toEqual(['roundDeadline']);
  });

  it('and without whom they are too few has stragglerGraceMs to come back; then others do the round', () => {
    const round = three().send('node.left', { node: 'n4' }).send('node.left', { node: 'n2' });
    expect([round.state, round.trainer.delayMs('returnGrace')]).toEqual(['training.unreachable', 5_000]);
    round.expire('returnGrace');
    expect([round.state, round.effects]).toEqual(['abandoned', ['cancelTasks', 'announceAbandoned']]);
    expect(round.trainer.payload('cancelTasks')).toMatchObject({ nodes: ['n2', 'n3', 'n4'] });
    expect(round.trainer.payload('announceAbandoned')).toMatchObject({
      reason:
        '1 of 4 nodes answered, and 2 that are away did not come back within 5000 ms; 3 updates are needed',
    });
  });

  it('has all of that time, whatever others do meanwhile', () => {
    const round = three().send('node.left', { node: 'n4' }).send('node.left', { node: 'n2' });
    const armed = [...round.trainer.delays.values()];
    expect(waits(round)).toEqual(['roundDeadline', 'returnGrace']);
    round.accept('n3');
    expect(round.state).toBe('training.unreachable');
    for (const [at, delay] of [...round.trainer.delays.values()].entries()) expect(delay).toBe(armed[at]);
  });

  it.each(['update.refused', 'node.lost'])('is needed, too, once %s leaves too few others', (type) => {
    const round = three().send('node.left', { node: 'n4' });
    expect(round.send(type, { node: 'n2' }).state).toBe('training.unreachable');
    // Without it there cannot be enough at all.
    expect(round.send(type, { node: 'n4' }).state).toBe('abandoned');
  });

  it('that comes back goes on, and its update counts', () => {
    const round = three().send('node.left', { node: 'n4' }).send('node.left', { node: 'n2' });
    expect(round.send('node.returned', { node: 'n2' }).state).toBe('training.reachable');
    expect(waits(round)).toEqual(['roundDeadline']);
    expect(round.accept('n2').accept('n4').state).toBe('collecting');
    expect(round.context.control.away).toEqual([]);
  });

  it('may answer before anyone has told that it is back', () => {
    const round = asked({ minUpdates: 4 }).send('node.left', { node: 'n4' });
    expect(round.accept('n4').state).toBe('training.reachable');
    expect(round.accept('n1').accept('n2').accept('n3').state).toBe('aggregating.computing');
  });

  it('of another attempt, or that was not asked, changes nothing', () => {
    const round = asked({ minUpdates: 4 }).send('node.left', { node: 'n4', epoch: 2 });
    expect(round.send('node.left', { node: 'n9' }).state).toBe('training.reachable');
    expect([round.context.control.away, round.context.ledger.staleEvents]).toEqual([[], 2]);
  });
});

describe('the commit', () => {
  it('is the checkpoint: the same one is written until it is known to be written', () => {
    const round = saving();
    expect([round.state, round.effects]).toEqual(['aggregating.saving', ['writeCheckpoint']]);
    expect(round.trainer.payload('writeCheckpoint')).toEqual({ round: 7, epoch: 3 });
    round.send('checkpoint.failed');
    expect([round.state, round.trainer.delayMs('checkpointRetry')]).toEqual(['aggregating.retrying', 1_000]);
    round.expire('checkpointRetry');
    expect(round.effects).toEqual(['writeCheckpoint']);
    expect(round.send('checkpoint.written', { epoch: 2 }).state).toBe('aggregating.saving');
    expect(round.send('checkpoint.written').effects).toEqual(['announceCommitted']);
    expect(round.state).toBe('committed');
  });

  it('is known to have happened even while it waits to write again', () => {
    expect(saving().send('checkpoint.failed').send('checkpoint.written').state).toBe('committed');
  });

  it('does not happen when the strategy fails', () => {
    const round = computing().send('aggregation.failed', { reason: 'the strategy threw' });
    expect([round.state, round.trainer.payload('announceAbandoned')]).toEqual([
      'abandoned',
      expect.objectContaining({ reason: 'the strategy threw', answered: 4 }),
    ]);
  });
});

describe('a pause, or the end of training,', () => {
  const ask = (round: Round) => round.send('abandon.requested', { reason: 'the gate paused' });

  it.each([() => new Round(), asked, () => asked().accept('n1')])('abandons it below the quorum', (make) => {
    const round = ask(make());
    expect([round.state, round.effects]).toEqual(['abandoned', ['cancelTasks', 'announceAbandoned']]);
    expect(round.trainer.payload('announceAbandoned')).toMatchObject({ reason: 'the gate paused' });
  });

  it('ends the wait for stragglers, if there is enough for a commit', () => {
    const round = ask(collecting());
    expect([round.state, round.effects]).toEqual(['aggregating.computing', ['aggregate']]);
    expect(round.trainer.payload('aggregate')).toMatchObject({ nodes: ['n1', 'n2'] });
  });

  it.each([computing, saving, () => saving().send('checkpoint.failed')])(
    'lets a commit that has begun come to its end',
    (make) => {
      const { state } = make();
      expect(ask(make()).state).toBe(state);
    },
  );
});
