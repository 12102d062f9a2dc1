// A twin is the production config with one patch, or other numbers. Each must fail, and the shortest way to the failure
// is known.
import { describe, expect, it } from 'vitest';
import { assign } from 'xstate';
import { keepaliveMachine } from '../../../machines/keepalive.ts';
import { leaseMachine } from '../../../machines/lease.ts';
import { twin } from '../twin.ts';
import { failure } from './failure.ts';
import { endsInTheEnd, explore } from './leases.ts';

const KNOWS = 'the holder has given up before the store gives its place to another';
const ASKED = 'whoever asks the holder’s clock is told that it is over before it is';
const EARLY = 'a lease does not end by itself before its time since the last answered keepalive';

const link = { capacity: 1 };

describe('a broken twin of the holder', () => {
  it('without a margin gives up a moment too late', () => {
    expect(failure(explore({ link, times: { margin: 0 } }))).toEqual(['always', KNOWS, 12]);
  });

  it('with a margin that its clock’s drift takes up gives up a moment too late', () => {
    expect(failure(explore({ link, budgets: { drift: 1 } }))).toEqual(['always', KNOWS, 11]);
  });

  it('with a clock that loses more than the margin is told the wrong thing when it wakes', () => {
    const options = { link, times: { margin: 0 }, budgets: { drift: 1, pause: 1 } };
    expect(failure(explore(options))).toEqual(['always', ASKED, 10]);
  });

  it('without a fence never gives up', () => {
    const keepalive = twin(keepaliveMachine, ({ states }) => {
      states['holding']!.after = {};
    });
    expect(failure(explore({ link, keepalive }))).toEqual(['always', KNOWS, 10]);
  });

  it('without a fence, that does not hear a refusal either, holds for ever what somebody else revoked', () => {
    const keepalive = twin(keepaliveMachine, ({ states }) => {
      states['holding']!.after = {};
      states['holding']!.states['sent']!.after = {};
      states['holding']!.states['sent']!.on['keepalive.refused'] = {};
    });
    const times = { interval: 3 };
    const options = { link: { ...link, duplicating: false }, times, keepalive, budgets: { revoke: 1 } };
    const { violation } = explore(options, endsInTheEnd);
    expect([violation?.kind, violation?.property]).toEqual([
      'leadsTo',
      'a holder whose lease is gone gives up',
    ]);
  });

  it('that counts from when the acknowledgement came believes a slow link', () => {
    const keepalive = keepaliveMachine.provide({
      actions: {
        renew: assign({
          ledger: ({ context: { ledger }, event }) => ({ ...ledger, renewedAt: event.at, at: event.at }),
        }),
      },
    });
    expect(failure(explore({ link, keepalive }))).toEqual(['always', KNOWS, 11]);
  });

  it('that counts from the last of several sendings believes the answer to the first', () => {
    const keepalive = twin(keepaliveMachine, ({ states }) => {
      states['holding']!.states['overdue']!.on['keepalive.sent'] = { actions: 'noteSent' };
    });
    const options = { link: { capacity: 2, duplicating: false }, keepalive };
    expect(failure(explore(options))).toEqual(['always', KNOWS, 12]);
  });

  it('that takes every answer for one to its present keepalive believes an old one', () => {
    const keepalive = keepaliveMachine.provide({ guards: { current: () => true } });
    expect(failure(explore({ link, keepalive }))).toEqual(['always', KNOWS, 13]);
  });

  it('that goes on holding what it gave back holds what is another’s', () => {
    const keepalive = twin(keepaliveMachine, ({ states }) => {
      states['holding']!.on['release.requested'] = { actions: 'sendRevoke' };
    });
    expect(failure(explore({ link, keepalive, budgets: { release: 1 } }))).toEqual(['always', KNOWS, 3]);
  });
});

describe('a broken twin of the lease', () => {
  it('that counts a keepalive and does not start its time over ends too early', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['alive']!.on['keepalive.received'] = { actions: ['renew', 'answerKeepalive'] };
    });
    expect(failure(explore({ link, lease }))).toEqual(['always', EARLY, 11]);
  });

  it('that answers keepalives while its end is being committed promises what it cannot keep', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['expiring']!.on['keepalive.received'] = { actions: 'answerKeepalive' };
    });
    expect(failure(explore({ link, lease }))).toEqual(['always', EARLY, 10]);
  });

  const times = { checkpoint: 1 };

  it('that answers before its record can back it breaks its promise when it restarts', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['spent']!.on['keepalive.received'] = { target: 'alive', actions: ['renew', 'answerKeepalive'] };
    });
    expect(failure(explore({ link, times, lease, budgets: { crash: 1 } }))).toEqual(['always', EARLY, 14]);
  });

  it('that answers though its record failed breaks its promise when it restarts', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['renewing']!.on['record.failed'] = { target: 'alive', actions: ['spend', 'answerKeepalive'] };
    });
    const budgets = { crash: 1, fail: 1 };
    expect(failure(explore({ link, times, lease, budgets }))).toEqual(['always', EARLY, 14]);
  });

  it('that answers two keepalives and counts from the first ends too early', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['renewing']!.on['keepalive.received'] = {};
    });
    expect(failure(explore({ link, times, lease }))).toEqual(['always', EARLY, 15]);
  });

  it('that writes nothing down lives longer with every restart', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      for (const state of ['granted', 'alive', 'spent']) delete states[state]!.after['checkpointInterval'];
    });
    const options = {
      link,
      store: 'prompt',
      times: { checkpoint: 1 },
      budgets: { crash: 2 },
      lease,
    } as const;
    expect(failure(explore(options))).toEqual([
      'always',
      'a lease that nobody keeps alive outlives its time by what restarts hide at most',
      12,
    ]);
  });

  it('whose time does not run once it was kept alive lives for ever', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      for (const state of ['alive', 'spent']) states[state]!.after = {};
    });
    expect(failure(explore({ link, lease }))).toEqual(['alwaysPossible', 'the lease ends', 2]);
  });

  it('that does not try its end again stays when a write fails', () => {
    const lease = twin(leaseMachine, ({ states }) => {
      states['expiring']!.states['committing']!.on['commit.failed'] = {};
    });
    const options = { link, lease, budgets: { fail: 1, death: 1 } };
    const { violation } = explore(options, endsInTheEnd);
    expect([violation?.kind, violation?.property]).toEqual(['leadsTo', 'a lease whose holder is gone ends']);
  });
});

describe('a broken twin of the store', () => {
  it('that deletes the keys that it knew of when the end was decided leaves one behind', () => {
    expect(failure(explore({ link, sweeps: 'known', budgets: { put: 1 } }))).toEqual([
      'always',
      'no key is without its lease',
      11,
    ]);
  });
});
