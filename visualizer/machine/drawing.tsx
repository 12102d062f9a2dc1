// A chart that was laid out, drawn as SVG: boxes, arrows, what is active, and what was just taken.
// Invariant: text nodes and numbers only; a name that looks like markup is drawn as that name.
import { memo } from 'react';
import { arrowHead, roundedPath } from './arrow-path.ts';
import type { Placed, PlacedArrow, PlacedBox, PlacedStart, Rectangle } from './elk-graph.ts';
import type { Shown } from './shown.ts';
import { BOX, ROW, shortened, type Row } from './text-size.ts';
import { TimerRow } from './timer-row.tsx';

export interface DrawingProps extends Shown {
  readonly placed: Placed;
  /** Boxes that a search found, the one that is looked at first. */
  readonly found: readonly string[];
}

const NOTHING: ReadonlySet<string> = new Set();

export const Drawing = memo(function Drawing(props: DrawingProps) {
  const { placed, active, lit, flash, counts, timers, found } = props;
  const arrows = lit?.arrows ?? NOTHING;
  const lines = lit?.lines ?? NOTHING;
  const label = (it: PlacedArrow) => (
    <Label
      key={arrows.has(it.arrow.id) ? `${it.arrow.id} ${flash}` : it.arrow.id}
      it={it}
      lit={lines}
      count={counts.get(it.arrow.id) ?? 0}
    />
  );
  return (
    <g className="drawing">
      {placed.boxes.map((it) => (
        <BoxFrame
          key={it.box.id}
          it={it}
          active={active.has(it.box.id)}
          found={found[0] === it.box.id ? 'first' : found.includes(it.box.id) ? 'also' : 'not'}
        />
      ))}
      {placed.starts.map((it) => (
        <Start key={it.box} it={it} />
      ))}
      {placed.arrows.map((it) =>
        it.points.length === 0 ? null : (
          <Line
            key={arrows.has(it.arrow.id) ? `${it.arrow.id} ${flash}` : it.arrow.id}
            it={it}
            lit={arrows.has(it.arrow.id)}
            from={active.has(it.arrow.from)}
          />
        ),
      )}
      {/* Text comes last, so that no line crosses it. */}
      {placed.boxes.map((it) => (
        <BoxText key={it.box.id} it={it} active={active.has(it.box.id)} timers={timers} />
      ))}
      {placed.arrows.map(label)}
    </g>
  );
});

interface BoxProps {
  readonly it: PlacedBox;
  readonly active: boolean;
}

function BoxFrame({ it, active, found }: BoxProps & { readonly found: 'first' | 'also' | 'not' }) {
  const { box, x, y, width, height } = it;
  const depth = Math.min(3, box.id === '' ? 0 : box.id.split('/').length);
  const classes = [
    'state-box',
    box.children.length > 0 ? 'outer' : 'leaf',
    `depth-${depth}`,
    box.place === 'region' ? 'region' : '',
    active ? 'active' : '',
    found === 'not' ? '' : `found found-${found}`,
  ];
  if (box.kind === 'history')
    return (
      <circle
        className={classes.join(' ')}
        cx={x + width / 2}
        cy={y + height / 2}
        r={BOX.historySize / 2}
        data-box={box.id}
      />
    );
  return (
    <g className={classes.join(' ')} data-box={box.id}>
      <rect x={x} y={y} width={width} height={height} rx={8} />
      {box.kind === 'final' && (
        <rect className="inner" x={x + 3} y={y + 3} width={width - 6} height={height - 6} rx={5.5} />
      )}
    </g>
  );
}

function BoxText({ it, active, timers }: BoxProps & Pick<DrawingProps, 'timers'>) {
  const { box, x, y, width, height } = it;
  if (box.kind === 'history')
    return (
      <text className="state-name" x={x + width / 2} y={y + height / 2 + 4} textAnchor="middle">
        {box.name}
      </text>
    );
  const left = x + BOX.padX;
  const first = y + BOX.padY + BOX.titleHeight + 8;
  return (
    <g className={active ? 'box-text active' : 'box-text'}>
      <text className="state-name" x={left} y={y + BOX.padY + 12}>
        <title>{box.description === undefined ? box.name : `${box.name}: ${box.description}`}</title>
        {shortened(box.name)}
      </text>
      {box.lines.map((line, i) => (
        <text key={i} className="state-deed" x={left} y={first + i * ROW.height}>
          {shortened(line)}
        </text>
      ))}
      {box.delays.map(({ id, name }, i) => (
        <TimerRow
          key={id}
          name={name}
          x={left}
          y={first + (box.lines.length + i) * ROW.height}
          width={width - 2 * BOX.padX}
          left={active ? timers.get(id) : undefined}
        />
      ))}
    </g>
  );
}

function Start({ it: { dot, points } }: { readonly it: PlacedStart }) {
  return (
    <g className="start">
      <circle cx={dot.x} cy={dot.y} r={5} />
      <path className="way" d={roundedPath(points)} />
      <path className="head" d={arrowHead(points)} />
    </g>
  );
}

interface LineProps {
  readonly it: PlacedArrow;
  readonly lit: boolean;
  readonly from: boolean;
}

function Line({ it: { arrow, points }, lit, from }: LineProps) {
  return (
    <g className={`state-arrow${lit ? ' lit' : ''}${from ? ' open' : ''}`} data-arrow={arrow.id}>
      <path className="way" d={roundedPath(points)} />
      <path className="head" d={arrowHead(points)} />
    </g>
  );
}

interface LabelProps {
  readonly it: PlacedArrow;
  readonly lit: ReadonlySet<string>;
  readonly count: number;
}

function Label({ it, lit, count }: LabelProps) {
  const { label, rows, points, arrow } = it;
  const { x, y, width, height } = label;
  const isLit = arrow.lines.some(({ id }) => lit.has(id));
  return (
    <g
      className={`arrow-label${isLit ? ' lit' : ''}${points.length === 0 ? ' written' : ''}`}
      data-label={arrow.id}
    >
      {points.length > 0 && <rect x={x} y={y} width={width} height={height} rx={4} />}
      {rows.map((row, i) => (
        <RowText key={i} row={row} x={x + ROW.padX} y={y + ROW.padY + 10.5 + i * ROW.height} lit={lit} />
      ))}
      {count > 0 && <Count count={count} label={label} />}
    </g>
  );
}

function RowText({ row, x, y, lit }: { row: Row; x: number; y: number; lit: ReadonlySet<string> }) {
  return (
    <text className={lit.has(row.line.id) ? 'label-row lit' : 'label-row'} x={x} y={y}>
      {row.event}
      {row.guard !== '' && (
        <tspan className="guard" x={x + row.guardX}>
          {row.guard}
        </tspan>
      )}
      {row.goal !== '' && (
        <tspan className="goal" x={x + row.goalX}>
          {row.goal}
        </tspan>
      )}
    </text>
  );
}

/** How often, on the upper right corner, where it covers no text. */
function Count({ count, label }: { readonly count: number; readonly label: Rectangle }) {
  const text = count < 10_000 ? String(count) : `${Math.floor(count / 1_000)}k`;
  const width = 8 + text.length * 6;
  const x = label.x + label.width - width / 2;
  return (
    <g className="arrow-count">
      <rect x={x} y={label.y - 7} width={width} height={13} rx={6.5} />
      <text x={x + width / 2} y={label.y + 3} textAnchor="middle">
        {text}
      </text>
    </g>
  );
}
