import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { toDocument } from '../../../src/inspect/index.ts';
import { activeIn, activeOnPath, leavesOf, litBy } from '../../../visualizer/machine/active.ts';
import { boxId, statechartOf } from '../../../visualizer/machine/statechart.ts';

const machine = setup({
  guards: { ready: () => true, late: () => true, fits: () => true },
  actions: { send: () => {}, note: () => {} },
}).createMachine({
  id: 'm',
  initial: 'idle',
  states: {
    idle: {
      on: {
        go: [
          { guard: 'ready', target: 'busy', actions: 'send' },
          { guard: 'late', target: 'busy', actions: 'note' },
          { target: 'check' },
        ],
        'many.*': 'busy',
      },
    },
    busy: {
      type: 'parallel',
      states: {
        left: { initial: 'a', states: { a: { on: { both: 'b' } }, b: {} } },
        right: { initial: 'a', states: { a: { on: { both: 'b' } }, b: {} } },
      },
      on: { both: 'idle', again: { target: 'busy', reenter: true }, noted: { actions: 'note' } },
    },
    check: { always: [{ guard: 'fits', target: 'busy' }, { target: 'idle' }] },
    'odd key, with.dots/and <b>': {},
  },
});
const chart = statechartOf(toDocument(machine).document);
const busy = { left: 'a', right: 'a' };
const way = (event: string, from: Parameters<typeof activeIn>[0], to: Parameters<typeof activeIn>[0]) => ({
  event,
  before: activeIn(from),
  after: activeIn(to),
});
const linesOf = (lit: ReturnType<typeof litBy>): string[] => [...lit.lines].toSorted();

describe('what is active', () => {
  it('is every state on the way to the innermost ones', () => {
    const active = activeIn({ busy });
    expect([...active]).toEqual(['', 'busy', 'busy/left', 'busy/left/a', 'busy/right', 'busy/right/a']);
    expect(leavesOf(chart, active)).toEqual(['busy/left/a', 'busy/right/a']);
    expect(activeOnPath(chart, 'busy.left.a, busy.right.a')).toEqual(active);
    expect(activeIn(null)).toEqual(new Set());
  });

  it('keeps keys apart whatever signs they have', () => {
    const key = 'odd key, with.dots/and <b>';
    const [leaf] = leavesOf(chart, activeIn(key));
    expect(leaf).toBe(boxId([key]));
    expect(chart.boxes.get(leaf!)?.name).toBe(key);
  });
});

describe('what a step lights', () => {
  it('is the arrow that its event leads along, and no other', () => {
    const lit = litBy(chart, { ...way('go', 'idle', { busy }), effects: ['send'] });
    expect([...lit.arrows]).toEqual(['idle → busy']);
    expect(linesOf(lit)).toEqual(['idle#0']);
  });

  it('is every line that may have been meant, when nothing tells them apart', () => {
    expect(linesOf(litBy(chart, way('go', 'idle', { busy })))).toEqual(['idle#0', 'idle#1']);
    expect(linesOf(litBy(chart, way('go', 'idle', 'check')))).toEqual(['idle#2']);
  });

  it('is what each region takes, and not what is around them', () => {
    const lit = litBy(chart, way('both', { busy }, { busy: { left: 'b', right: 'b' } }));
    expect([...lit.arrows]).toEqual(['busy/left/a → busy/left/b', 'busy/right/a → busy/right/b']);
    expect([...litBy(chart, way('both', { busy: { left: 'b', right: 'b' } }, 'idle')).arrows]).toEqual([
      'busy → idle',
    ]);
  });

  it('is a self transition, a wildcard, or a line inside', () => {
    expect([...litBy(chart, way('again', { busy }, { busy })).arrows]).toEqual(['busy → busy']);
    expect([...litBy(chart, way('many.more', 'idle', { busy })).arrows]).toEqual(['idle → busy']);
    const noted = litBy(chart, way('noted', { busy }, { busy }));
    expect([[...noted.arrows], linesOf(noted)]).toEqual([[], ['busy#2']]);
  });

  it('goes through states that were left at once', () => {
    const lit = litBy(chart, way('go', 'idle', 'idle'));
    expect(lit.arrows.size).toBe(0);
    const wild = setup({}).createMachine({
      id: 'w',
      initial: 'a',
      states: {
        a: { on: { x: 'b' } },
        b: { always: 'c' },
        c: { initial: 'd', states: { d: { always: '#w.e' } } },
        e: {},
      },
    });
    const through = litBy(statechartOf(toDocument(wild).document), way('x', 'a', 'e'));
    expect([...through.arrows]).toEqual(['a → b', 'b → c', 'c/d → e']);
  });

  it('is nothing for an event that no arrow has', () => {
    expect(litBy(chart, way('unknown', 'idle', { busy })).lines.size).toBe(0);
    expect(litBy(chart, way('xstate.after.x.m.idle', 'idle', { busy })).arrows.size).toBe(0);
  });
});
