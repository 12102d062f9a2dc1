// Diagrams: Mermaid and Graphviz take them, and see every state and every transition.
import fc from 'fast-check';
import { createMachine, type AnyStateMachine, type AnyStateNode } from 'xstate';
import { describe, expect, test } from 'vitest';
import { toDot, toMermaid } from '../../../src/inspect/index.ts';
import { nodesOf } from './answers.ts';
import { machines } from './arbitrary.ts';
import { ours } from './ours.ts';
import { graphvizLayout, mermaidStates } from './renderers.ts';

const house = createMachine({
  id: 'house',
  type: 'parallel',
  on: { fire: '#out' },
  states: {
    door: {
      initial: 'open',
      states: {
        open: {
          entry: 'ring',
          exit: ['hush', 'lock'],
          on: { shut: { guard: 'calm', target: 'closed' }, knock: {} },
        },
        closed: {
          after: { 1000: 'open', patience: { target: 'back', actions: 'sigh' } },
          invoke: { src: 'guard dog', onDone: 'open', onError: '#out' },
        },
        back: { type: 'history', history: 'deep' },
      },
    },
    'light: "a" & <b>': {
      id: 'light',
      initial: 'end',
      states: {
        end: { always: { guard: 'dark', target: 'on' }, on: { 'odd; #event': { actions: 'count' } } },
        on: {},
        out: { id: 'out', type: 'final' },
      },
      onDone: '.on',
    },
  },
}) as unknown as AnyStateMachine;

describe('Mermaid', () => {
  test('sees states, arrows, guards, actions, timers and actors, whatever they are called', async () => {
    const { states, arrows } = await mermaidStates(toMermaid(house));
    expect(states.get('door_open')).toEqual(['open', 'entry / ring', 'exit / hush, lock']);
    expect(states.get('door_back')).toEqual(['H*']);
    expect(states.get('light___a_____b_')).toEqual(['light: "a" & <b>']);
    expect(states.get('light___a_____b__end_')).toEqual(['end', 'odd; #event / count']);
    const labels = arrows.map(({ from, to, label }) => `${from} > ${to}: ${label}`);
    expect(labels).toContain('door_open > door_closed: shut [calm]');
    expect(labels).toContain('door_closed > door_open: guard dog done<br/>after 1000 ms');
    expect(labels).toContain('door_closed > door_back: after patience / sigh');
    expect(labels).toContain('light___a_____b__end_ > light___a_____b__on: always [dark]');
    expect(labels).toContain('light___a_____b__on > light___a_____b__on: done (anywhere)');
    expect(labels).toContain('door > light___a_____b_: guard dog failed (out)');
  });

  test('shows ignores when asked for, and no actions when not', async () => {
    const open = async (options: object) =>
      (await mermaidStates(toMermaid(house, options))).states.get('door_open');
    expect(await open({ ignores: 'shown' })).toContain('ignores knock');
    expect(await open({ actions: 'hidden' })).toEqual(['open']);
  });

  test.each(ours)('takes $name with all its states, with and without actions', async ({ machine }) => {
    for (const actions of ['shown', 'hidden'] as const) {
      const { states } = await mermaidStates(toMermaid(machine, { actions }));
      const ids = nodesOf(machine)
        .slice(1)
        .map(({ path }) => path.join('_'));
      expect([...states.keys()].toSorted()).toEqual(ids.toSorted());
    }
  });

  test('takes random machines: a state for each state, every arrow between two of them', async () => {
    const shown = fc.constantFrom('shown' as const, 'hidden' as const);
    await fc.assert(
      fc.asyncProperty(machines, shown, async (machine, ignores) => {
        const text = toMermaid(machine, { ignores, actions: ignores });
        const { states, arrows } = await mermaidStates(text);
        // Only a parallel root, or one that does something, has a frame of its own.
        const framed = text.startsWith('stateDiagram-v2\n  state "root"');
        const labels = [...states.values()].map(([label = '']) => label).toSorted();
        expect(labels).toEqual(
          nodesOf(machine)
            .slice(framed ? 0 : 1)
            .map(labelOf)
            .toSorted(),
        );
        for (const { from, to } of arrows.filter(({ label }) => label !== '')) {
          expect(states.has(from) && states.has(to), `${from} > ${to}`).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
  });

  function labelOf({ key, type, history }: AnyStateNode): string {
    return type !== 'history' ? key : history === 'deep' ? 'H*' : 'H';
  }

  test('refuses what is no diagram', async () => {
    await expect(mermaidStates(`${toMermaid(house)}  a --> : b\n`)).rejects.toThrow('Parse error');
  });
});

describe('Graphviz', () => {
  test('lays out states, clusters, arrows and their texts, whatever they are called', () => {
    const { objects = [], edges = [] } = graphvizLayout(toDot(house, { ignores: 'shown' }));
    const labels = objects.map(({ label }) => label);
    expect(labels).toContain('open\\nentry / ring\\lexit / hush, lock\\lignores knock\\l');
    expect(labels).toContain('light: "a" &amp; <b>');
    const name = (n: number): string | undefined => objects[n]?.name;
    const texts = edges.map(({ tail, head, label }) => `${name(tail)} > ${name(head)}: ${label}`);
    expect(texts).toContain('door.open > door.closed: shut [calm]');
    expect(texts).toContain('door.closed > door.back: after patience / sigh');
    expect(texts).toContain('start door > door.open: ');
  });

  test.each([...ours, { name: 'house', machine: house }])('draws every arrow of $name', ({ machine }) => {
    expect(arrowsIn(toDot(machine))).toBe(targetsOf(machine));
  });

  test('takes random machines: an arrow for each target and each initial state', () => {
    fc.assert(
      fc.property(machines, (machine) => {
        expect(arrowsIn(toDot(machine))).toBe(targetsOf(machine));
      }),
      { numRuns: 60 },
    );
  });

  test('refuses what is no graph', () => {
    expect(() => graphvizLayout(toDot(house).replace('compound=true;', 'compound=true; "'))).toThrow(
      'syntax error',
    );
  });

  function arrowsIn(text: string): number {
    return graphvizLayout(text).edges?.length ?? 0;
  }

  function targetsOf(machine: AnyStateMachine): number {
    const of = (transitions: readonly { target?: readonly unknown[] | undefined }[]): number =>
      transitions.reduce((sum, { target }) => sum + (target?.length ?? 0), 0);
    return nodesOf(machine).reduce((sum, node) => {
      const starts = node.type === 'compound' ? 1 : 0;
      return sum + of([...node.transitions.values()].flat()) + of(node.always ?? []) + starts;
    }, 0);
  }
});
