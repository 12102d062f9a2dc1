// The fleet in a few numbers.
// Invariant: each number says what it counts.
import type { ReactNode } from 'react';
import { StateBadge } from '../parts/badge.tsx';
import { Spark } from '../parts/spark.tsx';
import { countText, durationText, rateText } from '../parts/words.ts';
import type { ViewProps } from '../view.ts';

export function Summary({ model, watch }: ViewProps) {
  const { nodes, hub, training } = model.fleet;
  let online = 0;
  let calls = 0;
  let running = 0;
  let waiting = 0;
  for (const row of nodes.values()) {
    if (row.state === 'online') online += 1;
    calls += row.callsPerSecond;
    running += row.running;
    waiting += row.waiting;
  }
  return (
    <dl className="summary">
      <Tile name="Nodes online" note={`of ${countText(nodes.size)} known`} value={countText(online)}>
        <Spark series={watch.trends.online(model.at)} width={72} height={28} />
      </Tile>
      <Tile name="Calls a second" note={`${countText(running)} running`} value={rateText(calls)}>
        <Spark series={watch.trends.calls(model.at)} width={72} height={28} />
      </Tile>
      <Tile
        name="Waiting"
        note={hub === undefined ? 'on nodes' : `and ${countText(hub.waiting)} at the hub`}
        value={countText(waiting)}
      />
      {hub === undefined ? null : (
        <Tile name="Hub" note={`lag ${durationText(hub.lagMs)}`} value={<StateBadge state={hub.state} />} />
      )}
      {training === undefined ? null : (
        <Tile
          name="Training gate"
          note={`${training.gate.online} of at least ${training.gate.minNodes}`}
          value={<StateBadge state={training.gate.state} />}
        />
      )}
      <Tile
        name="Defects"
        note={model.dropped === 0 ? 'unexpected events' : `and ${countText(model.dropped)} steps untold`}
        value={countText(model.unexpected)}
      />
    </dl>
  );
}

/** Of a stream without a hub. */
export function ActorSummary({ model, watch }: ViewProps) {
  let here = 0;
  for (const { state } of model.processes.values()) if (state === 'here') here += 1;
  let live = 0;
  for (const { states } of model.machines.values()) for (const count of states.values()) live += count;
  const steps = watch.timeline.stepsUntil(model.at);
  return (
    <dl className="summary">
      <Tile name="Live actors" note={`of ${countText(model.actors.size)} shown`} value={countText(live)} />
      <Tile name="Machines" note="kinds of actors" value={countText(model.machines.size)} />
      <Tile name="Processes" note={`of ${countText(model.processes.size)} known`} value={countText(here)} />
      <Tile name="Steps" note="up to this moment" value={countText(steps)} />
      <Tile
        name="Defects"
        note={model.dropped === 0 ? 'unexpected events' : `and ${countText(model.dropped)} steps untold`}
        value={countText(model.unexpected)}
      />
    </dl>
  );
}

function Tile(props: {
  readonly name: string;
  readonly note: string;
  readonly value: ReactNode;
  readonly children?: ReactNode;
}) {
  return (
    <div className="tile">
      <dt>{props.name}</dt>
      <dd>
        <span className="tile-value">{props.value}</span>
        {props.children}
      </dd>
      <dd className="soft tile-note">{props.note}</dd>
    </div>
  );
}
