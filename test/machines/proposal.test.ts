// One write on its way into the store: two layers of time-out, one outcome, and the truth about whether it was begun.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proposalEffects, type ProposalInput, proposalInput, proposalMachine } from '../../machines/index.ts';
import { entries, type Entry } from './machines.ts';
import { Scenario } from './scenario.ts';
import { eventOf, strides } from './walks.ts';

const entry = entries.find(({ id }) => id === 'proposal') as Entry;

class Proposal {
  readonly writer: Scenario;
  at = 0;

  constructor(input: Partial<ProposalInput> = {}) {
    this.writer = new Scenario(
      { machine: proposalMachine, effects: proposalEffects as never },
      { ...proposalInput, ...input },
    );
  }
  get state(): string {
    return this.writer.state;
  }
  get effects(): string[] {
    return this.writer.effectNames;
  }
  send(type: string, fields: object = {}): this {
    this.at += 10;
    this.writer.send({ type, epoch: this.writer.control['epoch'] ?? 0, at: this.at, ...fields });
    expect(this.writer.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
}

describe('a proposal', () => {
  it('is queued as soon as it exists, submitted when the engine takes it, and succeeds when it is applied', () => {
    const proposal = new Proposal();
    expect([proposal.state, proposal.effects]).toEqual(['queued', ['enqueue']]);
    expect(proposal.send('submission.taken').state).toBe('submitted');
    proposal.send('submission.applied');
    expect([proposal.state, proposal.writer.done, proposal.effects]).toEqual(['succeeded', true, ['settle']]);
  });

  it.each([
    ['submission.rejected', 'failed', ['settle']],
    ['submission.vanished', 'lost', ['settle']],
    ['engine.ended', 'lost', ['settle']],
    ['cancel.requested', 'cancelled', ['abandon', 'settle']],
  ])('that the engine has ends with %s as %s', (type, state, effects) => {
    const proposal = new Proposal().send('submission.taken').send(type);
    expect([proposal.state, proposal.effects]).toEqual([state, effects]);
  });

  it.each([
    ['engine.ended', 'lost'],
    ['cancel.requested', 'cancelled'],
  ])('that the engine does not have is withdrawn by %s, so it was not started', (type, state) => {
    const proposal = new Proposal().send(type);
    expect([proposal.state, proposal.effects]).toEqual([state, ['withdraw', 'settle']]);
  });

  it('that the engine gives back is queued again, and what is said of the submission before is stale', () => {
    const proposal = new Proposal().send('submission.taken').send('submission.returned');
    expect([proposal.state, proposal.effects]).toEqual(['queued', ['enqueue']]);
    expect(proposal.writer.payload('enqueue')).toEqual({ epoch: 2 });
    proposal.send('submission.taken').send('submission.applied', { epoch: 1 });
    expect([proposal.state, proposal.writer.ledger['staleEvents']]).toEqual(['submitted', 1]);
  });

  it('withdraws only what the engine does not have, abandons only what it has, and settles once', () => {
    fc.assert(
      fc.property(strides(40), (walk) => {
        const { writer } = new Proposal();
        const did: string[] = [];
        let at = 0;
        for (const stride of walk) {
          if (writer.done) break;
          const before = writer.state;
          if (stride.expires) writer.expire([...writer.delays.values()][0]?.name ?? '');
          else writer.send(eventOf(entry, stride, writer.control, (at += stride.passedMs)));
          if (writer.effectNames.includes('withdraw')) expect(before).toBe('queued');
          if (writer.effectNames.includes('abandon')) expect(before).toBe('submitted');
          did.push(...writer.effectNames);
        }
        expect(did.filter((name) => name === 'settle').length).toBe(writer.done ? 1 : 0);
      }),
    );
  });
});

describe('the time-outs', () => {
  it('are two: one for getting in, and the whole of another for getting done', () => {
    const proposal = new Proposal({ proposeTimeoutMs: 1_000, applyTimeoutMs: 3_000 });
    expect(proposal.writer.delayMs('proposeTimeLeft')).toBe(1_000);
    proposal.send('submission.taken', { at: 900 });
    expect(proposal.writer.delayMs('proposeTimeLeft')).toBe(-1);
    expect(proposal.writer.delayMs('applyTimeout')).toBe(3_000);
  });

  it('of getting in is one for all submissions', () => {
    const proposal = new Proposal({ proposeTimeoutMs: 1_000, applyTimeoutMs: 3_000 });
    proposal.send('submission.taken', { at: 400 }).send('submission.returned', { at: 700 });
    expect(proposal.writer.delayMs('proposeTimeLeft')).toBe(300);
    proposal.send('submission.taken', { at: 900 }).send('submission.returned', { at: 2_500 });
    expect(proposal.writer.delayMs('proposeTimeLeft')).toBe(0);
  });

  it.each([
    ['proposeTimeLeft', [], ['withdraw', 'settle']],
    ['applyTimeout', ['submission.taken'], ['abandon', 'settle']],
  ])('%s frees the waiter and says whether it was begun', (delay, events, effects) => {
    const proposal = new Proposal();
    for (const type of events) proposal.send(type);
    proposal.writer.expire(delay);
    expect([proposal.state, proposal.effects]).toEqual(['timed_out', effects]);
  });
});
