// The walk so far: each step, where it led, and the effects that it had; and the context as it is.
// Invariant: payloads are shown as text.
import type { ReactNode } from 'react';
import { eventInWords } from '../../src/engine/possible.ts';
import { statePath } from '../../src/engine/state-path.ts';
import { JsonTree } from '../machine/json-tree.tsx';
import type { Moment } from './simulation.ts';

export interface LogPanelProps {
  readonly name: string;
  readonly moments: readonly Moment[];
  readonly fault: string | undefined;
  /** Back to the moment after so many steps. */
  readonly onGoTo: (steps: number) => void;
  readonly children: ReactNode;
}

const stateOf = ({ snapshot }: Moment): string =>
  statePath(snapshot.value as Parameters<typeof statePath>[0]);

function moveInWords({ move, took }: Moment): string {
  if (move === undefined) return 'start';
  if (move.kind === 'event') return move.event.type;
  if (move.kind === 'pass') return `${move.delayMs.toLocaleString('en')} ms pass`;
  return took.map(({ event }) => eventInWords(event.type)).join(', ') || `after ${move.delay}`;
}

export function LogPanel({ name, moments, fault, onGoTo, children }: LogPanelProps) {
  const now = moments.at(-1);
  const steps = moments.map((moment, i) => ({ moment, i })).toReversed();
  return (
    <section className="beside log" aria-label={`The walk through ${name}`}>
      {fault !== undefined && (
        <p role="alert" className="fault">
          {fault}
        </p>
      )}
      <h2>Steps and effects</h2>
      <ol className="plain steps" aria-live="polite">
        {steps.map(({ moment, i }) => (
          <li key={i} className={i === moments.length - 1 ? 'step now' : 'step'}>
            <div className="event-head">
              <span className="event-type">
                {i}. {moveInWords(moment)}
              </span>
              {i < moments.length - 1 && (
                <button
                  type="button"
                  className="event-edit"
                  aria-label={`Back to step ${i}`}
                  onClick={() => onGoTo(i)}
                >
                  back
                </button>
              )}
            </div>
            <div className="soft">→ {stateOf(moment)}</div>
            {moment.unexpected && <div className="fault">unexpected here</div>}
            {moment.effects.map(({ type, payload }, nth) => (
              <div key={nth} className="effect">
                <span className="effect-name">{type}</span>{' '}
                {Object.keys(payload).length > 0 && <code>{JSON.stringify(payload)}</code>}
              </div>
            ))}
          </li>
        ))}
      </ol>
      <h2>Context</h2>
      <JsonTree value={now?.snapshot.context} />
      {children}
    </section>
  );
}
