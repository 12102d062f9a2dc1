// Sequence diagrams of counterexamples, read by Mermaid's own parser.
import DOMPurify from 'dompurify';
import { expect, it } from 'vitest';
import {
  check,
  defineSystem,
  model,
  toMermaidSequence,
  toTrace,
  type CheckOptions,
  type SystemDefinition,
} from '../../../src/checker/index.ts';
import { dialogue, nothing } from './toys.ts';

// Without a page the sanitizer that Mermaid passes every label through is an empty shell. It is not what is tested.
Object.assign(DOMPurify, { addHook: () => {}, sanitize: (text: string) => text });
const { default: mermaid } = await import('mermaid');

interface SequenceDb {
  getActors(): Map<string, { description: string }>;
  getMessages(): { from?: string; to?: string; message: unknown; type: number }[];
}

async function understood(system: SystemDefinition, options: CheckOptions = {}) {
  const { violation } = check(system, options);
  const text = toMermaidSequence(toTrace(violation!, 'a system; with #signs'));
  // It loads the grammar; the next line knows only what is loaded.
  await mermaid.parse(text);
  const { db } = (await mermaid.mermaidAPI.getDiagramFromText(text)) as unknown as { db: SequenceDb };
  const names = new Map([...db.getActors()].map(([id, { description }]) => [id, description]));
  return {
    lifelines: [...names.values()],
    arrows: db
      .getMessages()
      .filter(({ from, to, type }) => type !== 2 && from !== undefined && to !== undefined && from !== to)
      .map(({ from, to, message }) => `${names.get(from!)} → ${names.get(to!)}: ${String(message)}`),
    notes: db.getMessages().filter(({ type }) => type === 2).length,
    loops: db.getMessages().filter(({ type }) => type === 10).length,
  };
}

it('have the lifelines, the arrows and a note for each step and for the violation', async () => {
  const owed: CheckOptions = { noDeadlock: (view) => !view.actor('asker').in('done') };
  const lossy = dialogue('for ever', { lossy: 'loss' });
  const system = defineSystem({
    ...lossy,
    channels: { there: {}, back: { lossy: 'loss' } },
    budgets: { loss: 1 },
  });
  expect(await understood(system, owed)).toEqual({
    lifelines: ['answerer', 'there', 'back'],
    arrows: ['there → answerer: question', 'answerer → back: takes answer'],
    notes: 3,
    loops: 0,
  });
});

it('show what repeats for ever, and names and messages with signs that mean something to Mermaid', async () => {
  const pair = (other: string) =>
    model<number>({
      initial: 0,
      step: (n, { type }) =>
        type === 'go'
          ? { state: n, outputs: [{ tell: other, event: { type: 'end; #1 <b>', n: '-->>' } }] }
          : { state: 1 - n },
      choices: () => [{ event: { type: 'go' } }],
    });
  const system = defineSystem({
    actors: { 'loop; one': pair('end #2'), 'end #2': pair('loop; one') },
    route: nothing,
  });
  const { lifelines, arrows, loops } = await understood(system, { eventually: { never: () => false } });
  expect(lifelines).toHaveLength(2);
  expect(loops).toBe(1);
  expect(arrows.length).toBeGreaterThan(0);
});
