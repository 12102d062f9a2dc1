// A path that was walked by hand, as a test that runs, as a diagram, and in the page's address.
// Invariant: what is written down leads through the same states when it is made again.
import { literal, machineName } from '../../src/inspect/stately.ts';
import { statePath } from '../../src/engine/state-path.ts';
import type { Moment, Move } from './simulation.ts';

const stateOf = ({ snapshot }: Moment): string =>
  statePath(snapshot.value as Parameters<typeof statePath>[0]) || '(no states)';

const notationOf = (move: Move, moment: Moment, before: Moment): unknown => {
  if (move.kind === 'event') return move.event;
  if (move.kind === 'wait') return { wait: move.delay };
  return { wait: moment.nowMs - before.nowMs };
};

/** A file of vitest for a machine of `holdfast/machines`: the same events and waits, with the state after each. */
export function toTest(id: string, input: unknown, moments: readonly Moment[]): string {
  const machine = machineName(id);
  const steps = moments.slice(1).flatMap((moment, i) => {
    const before = moments[i];
    if (moment.move === undefined || before === undefined) return [];
    const notation = literal(notationOf(moment.move, moment, before), '      ');
    return [`      [${notation}, ${literal(stateOf(moment))}],`];
  });
  const last = moments.at(-1);
  const title = `${id}: ${moments.length - 1} steps to ${last === undefined ? 'its start' : stateOf(last)}`;
  return `// Walked by hand in Holdfast's visualizer.
import { actorSut, createTestModel } from 'holdfast/testing';
import { ${machine} } from 'holdfast/machines';
import { it } from 'vitest';

const input = ${literal(input)};

it(${literal(title)}, async () => {
  const model = createTestModel(${machine}, { input });
  // Each step with the state that it must lead to. A wait ends when the delay that it names does.
  const [path] = model.getPathsFromEvents([
${steps.join('\n')}
  ]);
  await model.testPath(path, actorSut(${machine}, { input }));
});
`;
}

/** Mermaid ends statements at \`;\` and line ends, and takes \`#\` for the begin of a character's code. */
const inDiagram = (text: string): string =>
  text
    .replace(/[#;<>&]/g, (sign) => `#${sign.charCodeAt(0)};`)
    .replace(/\s+/g, ' ')
    .slice(0, 160);

/** A Mermaid sequence diagram: events from outside, effects to the outside, a note for each state. */
export function toSequence(id: string, moments: readonly Moment[]): string {
  const lines = ['sequenceDiagram', '  participant o as outside', `  participant m as ${inDiagram(id)}`];
  let noted = '';
  for (const moment of moments) {
    const { move } = moment;
    if (move?.kind === 'event') lines.push(`  o->>m: ${inDiagram(move.event.type)}${fields(move.event)}`);
    else if (move?.kind === 'wait')
      lines.push(`  Note right of m: ${inDiagram(move.delay)} ends at ${moment.nowMs} ms`);
    else if (move?.kind === 'pass') lines.push(`  Note right of m: ${move.delayMs} ms pass`);
    const state = stateOf(moment);
    if (state !== noted) lines.push(`  Note over m: ${inDiagram(state)}`);
    noted = state;
    for (const { type, payload } of moment.effects)
      lines.push(`  m-->>o: ${inDiagram(type)}${fields(payload)}`);
  }
  return `${lines.join('\n')}\n`;
}

function fields(value: object): string {
  const { type: _type, at: _at, ...rest } = value as Readonly<Record<string, unknown>>;
  return Object.keys(rest).length === 0 ? '' : ` ${inDiagram(JSON.stringify(rest))}`;
}

/** The moves for the address. */
export function toLink(moves: readonly Move[]): string {
  return JSON.stringify(
    moves.map((move) =>
      move.kind === 'event' ? move.event : move.kind === 'wait' ? move.delay : move.delayMs,
    ),
  );
}

/** The moves of an address. @throws Error that says what is wrong with it */
export function fromLink(text: string): Move[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('the path in the address is cut off or mangled; copy the link again');
  }
  if (!Array.isArray(value)) throw new Error('the path in the address is no list of steps');
  return value.map((step: unknown, i): Move => {
    if (typeof step === 'string') return { kind: 'wait', delay: step };
    if (typeof step === 'number' && step > 0) return { kind: 'pass', delayMs: step };
    const type: unknown = typeof step === 'object' && step !== null ? (step as { type?: unknown }).type : '';
    if (typeof type === 'string' && type !== '' && !type.startsWith('xstate.'))
      return { kind: 'event', event: step as { type: string } };
    throw new Error(`step ${i + 1} of the path in the address is no event, no delay and no time`);
  });
}
