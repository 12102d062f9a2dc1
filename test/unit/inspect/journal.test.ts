// What was told is kept for who comes later, and forgotten from its beginning on without a gap in the truth.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal } from '../../../src/inspect/stream/journal.ts';
import { Truth } from '../../../src/inspect/stream/truth.ts';
import type { Told } from '../../../src/protocol/inspection.ts';

const story = fc.array(
  fc.record({
    process: fc.constantFrom('p', 'q'),
    actor: fc.constantFrom('a', 'b', 'c'),
    to: fc.constantFrom('x', 'y'),
  }),
  { minLength: 1, maxLength: 60 },
);

function messagesOf(moves: readonly { process: string; actor: string; to: string }[]): Told[] {
  const seqs = new Map<string, number>();
  const steps = moves.map(({ process, actor, to }, at): Told => {
    const seq = (seqs.get(process + actor) ?? 0) + 1;
    seqs.set(process + actor, seq);
    const event = { type: 'e' };
    return {
      kind: 'step',
      process,
      actor,
      machine: 'm',
      seq,
      at,
      clock: at,
      event,
      from: seq === 1 ? null : 'x',
      to,
    };
  });
  const here = ['p', 'q'].map((process): Told => ({
    kind: 'process',
    process,
    role: 'app',
    name: process,
    at: 0,
    state: 'here',
  }));
  return [...here, ...steps];
}

function truthOf(messages: Iterable<Told>): unknown {
  const truth = new Truth();
  for (const message of messages) truth.tell(message);
  return [...truth.processes].map(([process, { actors }]) => [process, Object.fromEntries(actors)]);
}

test('whoever is told the journal knows what they know who were there, however much was forgotten', () => {
  fc.assert(
    fc.property(story, fc.integer({ min: 100, max: 3_000 }), (moves, room) => {
      const messages = messagesOf(moves);
      const journal = new Journal(room);
      for (const message of messages) journal.tell(message);
      expect(truthOf(journal.retold())).toEqual(truthOf(messages));
    }),
  );
});

test('one that forgot the truth with its messages would tell less', () => {
  const messages = messagesOf(
    Array.from({ length: 60 }, (_, n) => ({ process: 'p', actor: n === 0 ? 'a' : 'b', to: 'x' })),
  );
  const journal = new Journal(1_000);
  for (const message of messages) journal.tell(message);
  const kept = [...journal.retold()];
  expect(kept.length).toBeLessThan(messages.length);
  const withoutTruth = messages.slice(-5);
  expect(truthOf(kept)).toEqual(truthOf(messages));
  expect(truthOf(withoutTruth)).not.toEqual(truthOf(messages));
});
