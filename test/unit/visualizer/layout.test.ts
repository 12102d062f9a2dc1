// Charts are laid out by ELK itself, in this process instead of a worker.
import Elk from 'elkjs/lib/elk.bundled.js';
import { describe, expect, it } from 'vitest';
import { setup, type AnyStateMachine } from 'xstate';
import { registry } from '../../../machines/index.ts';
import { toDocument } from '../../../src/inspect/index.ts';
import type { Placed, Rectangle } from '../../../visualizer/machine/elk-graph.ts';
import { layOut, type Lay } from '../../../visualizer/machine/layout.ts';
import { statechartOf } from '../../../visualizer/machine/statechart.ts';
import { boxSize, estimatedWidth, ROW } from '../../../visualizer/machine/text-size.ts';

const elk = new Elk.default();
const lay: Lay = (graph) => elk.layout(graph);
const room = { width: 900, height: 620 };

const placedOf = (
  machine: unknown,
  input: unknown,
  details: 'hidden' | 'shown' = 'hidden',
  arrows: 'fewer' | 'all' = 'fewer',
): Promise<Placed> => {
  const { document } = toDocument(machine as AnyStateMachine, { input });
  return layOut(statechartOf(document, details), estimatedWidth, { room, arrows, lay });
};

const overlap = (a: Rectangle, b: Rectangle): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const inside = (inner: Rectangle, outer: Rectangle): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

/** What a person would see at once: boxes over each other, labels over boxes or labels, arrows that lead nowhere. */
function faultsIn({ boxes, arrows, chart }: Placed): string[] {
  const faults: string[] = [];
  const labels = arrows.filter(({ points }) => points.length > 0);
  for (const [i, a] of boxes.entries()) {
    const parent = boxes.find(({ box }) => box.id === a.box.parent);
    if (parent !== undefined && !inside(a, parent)) faults.push(`${a.box.id} is not inside its parent`);
    for (const b of boxes.slice(i + 1))
      if (a.box.parent === b.box.parent && overlap(a, b)) faults.push(`${a.box.id} lies on ${b.box.id}`);
    if (a.width < boxSize(a.box, [], estimatedWidth).width) faults.push(`${a.box.id} is too narrow`);
    if (a.box.children.length > 0) continue;
    for (const { label, arrow } of labels)
      if (overlap(a, label)) faults.push(`the label of ${arrow.id} lies on ${a.box.id}`);
  }
  for (const [i, a] of labels.entries())
    for (const b of labels.slice(i + 1))
      if (overlap(a.label, b.label)) faults.push(`the labels of ${a.arrow.id} and ${b.arrow.id} overlap`);
  for (const { arrow, points, rows, label } of arrows) {
    if (rows.length < arrow.lines.length) faults.push(`${arrow.id} says less than it has`);
    if (points.length === 0) {
      const from = boxes.find(({ box }) => box.id === arrow.from);
      if (from === undefined || !inside(label, { ...from, x: from.x - 1, height: from.height + ROW.padY }))
        faults.push(`${arrow.id} is written outside of its box`);
    } else if (points.length < 2) faults.push(`${arrow.id} has no way`);
  }
  if (boxes.length !== chart.boxes.size) faults.push('a box is missing');
  return faults;
}

describe('the layout of a chart', () => {
  it.each(Object.entries(registry))('of %s has no box or label on another', async (_name, it) => {
    expect(faultsIn(await placedOf(it.machine, it.input))).toEqual([]);
    expect(faultsIn(await placedOf(it.machine, it.input, 'shown', 'all'))).toEqual([]);
  });

  it('shows that a collision would be seen', async () => {
    const placed = await placedOf(registry.gate.machine, registry.gate.input);
    const boxes = placed.boxes.map((it) => (it.box.id === 'paused' ? { ...it, y: it.y - 300 } : it));
    expect(faultsIn({ ...placed, boxes })).not.toEqual([]);
  });

  it('draws history, regions, final states, self transitions and arrows into the inside of others', async () => {
    const machine = setup({}).createMachine({
      id: 'kinds',
      type: 'parallel',
      on: { reset: '.left' },
      states: {
        left: {
          initial: 'a',
          states: {
            a: { on: { next: 'b', again: { target: 'a', reenter: true } } },
            b: { on: { end: 'c', deep: '#kinds.right.inner.y' } },
            c: { type: 'final' },
            past: { type: 'history', history: 'deep' },
          },
          on: { back: '.past' },
        },
        right: {
          initial: 'inner',
          states: { inner: { initial: 'x', states: { x: {}, y: { always: 'x' } }, after: { 300: '.y' } } },
        },
      },
    });
    const placed = await placedOf(machine, undefined);
    expect(faultsIn(placed)).toEqual([]);
    expect(placed.boxes.map(({ box }) => [box.id, box.kind, box.place, box.name])).toEqual([
      ['', 'parallel', 'inside', 'kinds'],
      ['left', 'compound', 'region', 'left'],
      ['left/a', 'atomic', 'inside', 'a'],
      ['left/b', 'atomic', 'inside', 'b'],
      ['left/c', 'final', 'inside', 'c'],
      ['left/past', 'history', 'inside', 'H*'],
      ['right', 'compound', 'region', 'right'],
      ['right/inner', 'compound', 'inside', 'inner'],
      ['right/inner/x', 'atomic', 'inside', 'x'],
      ['right/inner/y', 'atomic', 'inside', 'y'],
    ]);
    expect(placed.arrows.flatMap(({ arrow }) => arrow.lines.map(({ event }) => event)).toSorted()).toEqual(
      ['after 300 ms', 'again', 'always', 'back', 'deep', 'end', 'next', 'reset'].toSorted(),
    );
  });

  it('tries other strategies when ELK fails with one, and says so when all fail', async () => {
    let tries = 0;
    const failing: Lay = (graph) => {
      tries += 1;
      return tries < 4 ? Promise.reject(new Error('an array has no such index')) : elk.layout(graph);
    };
    const chart = statechartOf(toDocument(registry.round.machine, { input: registry.round.input }).document);
    const layout = { room, arrows: 'fewer', lay: failing } as const;
    expect(faultsIn(await layOut(chart, estimatedWidth, layout))).toEqual([]);
    expect(tries).toBe(4);
    const broken = { ...layout, lay: () => Promise.reject(new Error('no')) };
    await expect(layOut(chart, estimatedWidth, broken)).rejects.toThrow(
      /round cannot be laid out: Error: no/,
    );
  });
});
