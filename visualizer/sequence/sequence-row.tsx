// One step of the diagram: an arrow from the lifeline of its cause, the event over it, and the new state on its own lifeline.
// Invariant: whatever a step holds is drawn as text.
import { memo } from 'react';
import { eventInWords } from '../../src/engine/possible.ts';
import { toneOf } from '../parts/tone.ts';
import { pathOf } from '../stream/actors.ts';
import type { Placed } from '../stream/causal-order.ts';
import { stateInWords } from '../stream/lifelines.ts';
import { fitted, fittedEnd, ROW, type Columns } from './geometry.ts';

export interface SequenceRowProps {
  readonly placed: Placed;
  readonly index: number;
  readonly columns: Columns;
  /** Lifelines of the actor and of who caused the step; undefined when that one is not shown. */
  readonly to: number;
  readonly from: number | undefined;
  readonly time: string;
  readonly look: 'plain' | 'found' | 'selected';
  readonly isLater: boolean;
  onSelect(index: number): void;
  onOpen(placed: Placed): void;
}

const AFTER = 'xstate.after.';
/** Heights within a row: the arrow, and the label above it, and the state below it. */
const ARROW = 19;
const LABEL = 13;
const CHIP = 27;

export function inWords({ step, cause }: Placed, time: string): string {
  const by = cause === undefined ? '' : ` from ${cause.step.actor}`;
  const { from, to, status } = step;
  const moved = from === null ? `begins in ${pathOf(to)}` : changeOf(pathOf(from), pathOf(to));
  const end = status === undefined ? '' : `, ${status}`;
  return `${time}: ${step.actor} of ${step.process}: ${step.event.type}${by}, ${moved}${end}`;
}

const changeOf = (from: string, to: string): string => (from === to ? `stays ${to}` : `${from} to ${to}`);

export const SequenceRow = memo((props: SequenceRowProps) => {
  const { placed, index, columns, to, from, time, look, isLater, onSelect, onOpen } = props;
  const { step } = placed;
  const x = columns.x(to);
  const isAlarming = step.unexpected === true || step.status === 'error';
  const path = pathOf(step.to);
  // A timer of its own: nobody said anything.
  const origin = from ?? (placed.cause === undefined && step.event.type.startsWith(AFTER) ? to : undefined);
  const moved = step.from === null || pathOf(step.from) !== path || step.status !== undefined;
  return (
    <g
      className={`row ${look}${isLater ? ' later' : ''}${isAlarming ? ' alarming' : ''}`}
      transform={`translate(0 ${index * ROW})`}
      onClick={() => onSelect(index)}
      onDoubleClick={() => onOpen(placed)}
    >
      <g
        role="option"
        id={`row-${index}`}
        aria-selected={look === 'selected'}
        aria-label={inWords(placed, time)}
      >
        <rect className="row-ground" width={columns.total} height={ROW} />
      </g>
      <g aria-hidden="true">
        <text className="row-time" x={12} y={ARROW + 4}>
          {time}
        </text>
        <Arrow
          from={origin === undefined ? undefined : columns.x(origin)}
          to={x}
          room={Math.min(columns.width, columns.total - x) - 24}
          event={eventInWords(step.event.type)}
          unseen={from === undefined ? placed.cause?.step.actor : undefined}
        />
        {moved ? (
          <Chip x={x} width={columns.width} path={path} words={stateInWords(step.from, step.to)} />
        ) : (
          <circle className="stays" cx={x} cy={ARROW} r={3.5} />
        )}
      </g>
    </g>
  );
});

interface ArrowProps {
  readonly from: number | undefined;
  readonly to: number;
  /** Pixels for a text to the right of the lifeline. */
  readonly room: number;
  readonly event: string;
  /** Who caused the step, and has no lifeline. */
  readonly unseen: string | undefined;
}

/** From another lifeline, from the actor itself, or from nowhere: then nothing that is shown led to it. */
function Arrow({ from, to, room, event, unseen }: ArrowProps) {
  if (from === to) {
    return (
      <>
        <path className="arrow" d={`M${to} ${ARROW - 10}h16v10h-9`} />
        <Head x={to + 2} points="left" />
        <text className="row-event" x={to + 24} y={ARROW + 1}>
          {fitted(event, room - 12)}
        </text>
      </>
    );
  }
  if (from === undefined) {
    return (
      <>
        {unseen !== undefined && (
          <text className="row-unseen" x={to - 42} y={ARROW + 4}>
            {fitted(unseen, 110)}
          </text>
        )}
        <circle className="source" cx={to - 34} cy={ARROW} r={3} />
        <path className="arrow" d={`M${to - 31} ${ARROW}h22`} />
        <Head x={to - 2} points="right" />
        <text className="row-event" x={to + 12} y={ARROW + 4}>
          {fitted(event, room)}
        </text>
      </>
    );
  }
  const side = from < to ? -1 : 1;
  const between = Math.abs(to - from) - 24;
  return (
    <>
      <path className="arrow" d={`M${from} ${ARROW}H${to + side * 9}`} />
      <circle className="sender" cx={from} cy={ARROW} r={2.5} />
      <Head x={to + side * 2} points={side === -1 ? 'right' : 'left'} />
      <text className="row-event over" x={(from + to) / 2} y={LABEL}>
        {fitted(event, between)}
      </text>
    </>
  );
}

function Head({ x, points }: { readonly x: number; readonly points: 'left' | 'right' }) {
  const back = points === 'right' ? -8 : 8;
  return <path className="arrow-head" d={`M${x} ${ARROW}l${back} -4v8z`} />;
}

interface ChipProps {
  readonly x: number;
  readonly width: number;
  readonly path: string;
  readonly words: string;
}

function Chip({ x, width, path, words }: ChipProps) {
  const text = fittedEnd(words, Math.min(width, 260) - 28);
  const wide = text.length * 7.3 + 14;
  return (
    <g className={`chip tone-${toneOf(path)}`}>
      <rect x={x - wide / 2} y={CHIP} width={wide} height={17} rx={8.5} />
      <text x={x} y={CHIP + 12.5}>
        {text}
      </text>
    </g>
  );
}
