// Training: the gate with its budget, the present round, and how the model got better.
// Invariant: what the curve shows is said in words too.
import { lazy, Suspense } from 'react';
import { StateBadge } from '../parts/badge.tsx';
import { Panel } from '../parts/panel.tsx';
import { durationText } from '../parts/words.ts';
import type { ViewProps } from '../view.ts';
import { Act } from './acts.tsx';

const Curve = lazy(async () => ({ default: (await import('../parts/curve.tsx')).Curve }));

export function TrainingPanel(props: ViewProps) {
  const { training } = props.model.fleet;
  if (training === undefined) return null;
  const { gate, round, history } = training;
  const measure = history.some(({ accuracy }) => accuracy !== undefined) ? 'accuracy' : 'loss';
  const rounds = history.filter((it) => it[measure] !== undefined);
  const last = rounds.at(-1);
  return (
    <Panel title="Training" aside={<StateBadge state={gate.state} />}>
      <p>
        {gate.online} nodes online, at least {gate.minNodes} are needed.
        {round === undefined ? '' : ` Round ${round.number}: ${round.answered} of ${round.asked} answered, `}
        {round === undefined ? null : <StateBadge state={round.state} />}
      </p>
      {gate.budgetMs > 0 && gate.budgetUsedMs > 0 && (
        <label className="budget">
          <span>
            Pause budget{' '}
            <span className="soft">
              {durationText(gate.budgetUsedMs)} of {durationText(gate.budgetMs)}
            </span>
          </span>
          <meter min={0} max={gate.budgetMs} value={Math.min(gate.budgetUsedMs, gate.budgetMs)} />
        </label>
      )}
      {rounds.length < 2 ? (
        <p className="nothing">
          {history.length < 2
            ? 'The curve begins with the second round.'
            : 'Nothing measures loss or accuracy: give the trainer an evaluate function.'}
        </p>
      ) : (
        <figure className="curve-figure">
          <Suspense fallback={<div className="curve-space" />}>
            <Curve
              x={rounds.map((it) => it.round)}
              y={rounds.map((it) => it[measure])}
              label={measure}
              height={140}
            />
          </Suspense>
          <figcaption>
            {measure === 'accuracy' ? 'Accuracy' : 'Loss'} by round
            {last === undefined
              ? ''
              : `; round ${last.round}: ${percent(last.accuracy)}${lossText(last.loss)}`}
          </figcaption>
        </figure>
      )}
      <div className="acts">
        {gate.state === 'paused' ? (
          <Act {...props} operation="resume" />
        ) : (
          <Act {...props} operation="pause" />
        )}
      </div>
    </Panel>
  );
}

function percent(accuracy: number | undefined): string {
  return accuracy === undefined ? '' : `${(accuracy * 100).toFixed(1)} % right`;
}

function lossText(loss: number | undefined): string {
  return loss === undefined ? '' : `, loss ${loss.toPrecision(3)}`;
}
