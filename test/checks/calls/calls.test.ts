// Calls in flight, explored to the end: one client, one call, the hub's routing, one or two nodes. The titles say what
// is bounded; sockets deliver, or end, at any time. The number of states is exact.
import { describe, expect, it } from 'vitest';
import type { Predicate } from '../../../src/checker/index.ts';
import { closed } from '../systems.ts';
import { look } from './fleet.ts';
import { endsInTheEnd, explore } from './properties.ts';

const TWO = { slots: ['n1', 'n2'], presumed: 'n1.1' } as const;

describe('a call that is not idempotent runs at most once and ends once, and what is said of it is true', () => {
  it('whatever links break (three cuts)', () => {
    expect(closed(explore({ budgets: { cut: 3 } }))).toEqual({ complete: true, states: 86_327 });
  });

  it('when the hub dies with all it knew (two crashes, one cut)', () => {
    expect(closed(explore({ budgets: { hubCrash: 2, cut: 1 } }))).toEqual({
      complete: true,
      states: 102_032,
    });
  });

  it('when the node dies with all it ran (one crash, two cuts)', () => {
    expect(closed(explore({ budgets: { nodeCrash: 1, cut: 2 } }))).toEqual({
      complete: true,
      states: 91_945,
    });
  });

  it('when it is cancelled (one cancellation, two cuts)', () => {
    expect(closed(explore({ budgets: { cancel: 1, cut: 2 } }))).toEqual({ complete: true, states: 68_440 });
  });

  it('when it is cancelled, or its deadline passes at either end, and the hub dies (one crash)', () => {
    const options = { deadlines: 'at any time', budgets: { cancel: 1, hubCrash: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 23_265 });
  });

  it('when somebody waits no longer for a peer, or has no memory for an outcome (two cuts, two times given up, one eviction)', () => {
    const options = { budgets: { cut: 2, expire: 2, evict: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 64_993 });
  });

  it('when the hub dies and somebody waits no longer for a peer (one crash, one cut, two times given up)', () => {
    const options = { budgets: { hubCrash: 1, cut: 1, expire: 2 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 43_557 });
  });

  it('when the hub dies, and its node with it (one crash of each, one cut)', () => {
    const options = { budgets: { hubCrash: 1, nodeCrash: 1, cut: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 143_975 });
  });

  it('when the hub dies and nodes come back to the next one too late (two crashes)', () => {
    const options = { comeBack: 'at any time', budgets: { hubCrash: 2 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 12_748 });
  });

  it('when both happen (one crash of each)', () => {
    const options = { comeBack: 'at any time', budgets: { hubCrash: 1, nodeCrash: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 12_208 });
  });

  it('when the client’s own link ends for good (one end, one cut, two times given up)', () => {
    expect(closed(explore({ budgets: { over: 1, cut: 1, expire: 2 } }))).toEqual({
      complete: true,
      states: 6_104,
    });
  });
});

describe('a call that is not idempotent, with a guess which of two nodes gets it', () => {
  it('runs at most once when links break (one cut)', () => {
    expect(closed(explore({ ...TWO, budgets: { cut: 1 } }))).toEqual({ complete: true, states: 18_848 });
  });

  it('runs at most once when the hub dies (one crash)', () => {
    expect(closed(explore({ ...TWO, budgets: { hubCrash: 1 } }))).toEqual({ complete: true, states: 32_894 });
  });
});

describe('a call of which nobody can say whether it was executed', () => {
  it.each([
    ['its node died', { nodeCrash: 1 }, 'in time'],
    ['its node came back to a new hub too late', { hubCrash: 1 }, 'at any time'],
  ] as const)('is lost, when %s', (_, budgets, comeBack) => {
    const lost: Predicate = (view) => {
      const { call, client, happened } = look(view, ['n1']);
      return call.in('lost') && client.started === 'unknown' && happened.began === 1;
    };
    const { violation, complete } = explore({ comeBack, budgets }, { sometimes: { lost } });
    expect([violation, complete]).toEqual([undefined, true]);
  });
});

describe('a call that no deadline ends, on every fair run', () => {
  it('ends some time (two cuts)', () => {
    expect(closed(explore({ budgets: { cut: 2 } }, endsInTheEnd()))).toEqual({
      complete: true,
      states: 12_153,
    });
  });

  it('ends some time (one crash of the hub, one cut)', () => {
    const options = { budgets: { hubCrash: 1, cut: 1 } };
    expect(closed(explore(options, endsInTheEnd()))).toEqual({ complete: true, states: 21_177 });
  });

  it('ends some time (one crash of the node, one cut)', () => {
    const options = { budgets: { nodeCrash: 1, cut: 1 } };
    expect(closed(explore(options, endsInTheEnd()))).toEqual({ complete: true, states: 8_038 });
  });
});

describe('an idempotent call may run twice, and ends once', () => {
  it('when its node or the hub dies (one crash of each)', () => {
    const options = { idempotent: 1, budgets: { nodeCrash: 1, hubCrash: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 16_634 });
  });

  it('when its node dies or its client’s link ends (one crash, one cut, one end)', () => {
    const options = { idempotent: 1, budgets: { nodeCrash: 1, cut: 1, over: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 31_211 });
  });

  it('on two nodes, when the hub dies (one crash, three attempts)', () => {
    const options = { ...TWO, idempotent: 1, attempts: 3, budgets: { hubCrash: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 51_320 });
  });
});
