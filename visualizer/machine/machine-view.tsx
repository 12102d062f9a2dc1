// The chart of one actor, live or as it was: active states, transitions as they happen, its delays, its context.
// Invariant: shows what the model says, and nothing else.
import { useMemo } from 'react';
import { registry } from '../../machines/index.ts';
import type { MachineDocument } from '../../src/inspect/document.ts';
import { ExportButton } from '../export/export-button.tsx';
import { StateBadge } from '../parts/badge.tsx';
import { actorKey, type ActorView, type Model } from '../stream/model.ts';
import { hashOf, type ViewProps } from '../view.ts';
import { ActorList } from './actor-list.tsx';
import { shownOfActor } from './actor-shown.ts';
import { Chart } from './chart.tsx';
import type { Shown } from './shown.ts';
import { useStreamClock } from './clock.ts';
import { JsonTree } from './json-tree.tsx';
import { knownChart } from './known-chart.ts';
import { statechartOf, type Statechart } from './statechart.ts';
import { StepList } from './step-list.tsx';
import { StoryPanel } from './story-panel.tsx';
import { stepsOf } from './steps.ts';
import './machine.css';
import './beside.css';

export function MachineView(props: ViewProps) {
  const { model, place } = props;
  const [process, actor] = place.path;
  if (process === undefined || actor === undefined) return <ActorList {...props} />;
  const known = model.actors.get(actorKey(process, actor));
  if (known === undefined) return <Missing {...props} process={process} actor={actor} />;
  return <ActorPage key={known.key} {...props} actor={known} />;
}

function Missing({ process, actor, at, place, go }: ViewProps & Record<'process' | 'actor', string>) {
  return (
    <div className="machine-note">
      <h1>
        {process} {actor}
      </h1>
      <p>
        {at === 'live'
          ? 'There is no such actor now. It may have ended, or its process is not connected.'
          : 'There was no such actor at that moment.'}
      </p>
      <p>
        <a href={hashOf({ ...place, path: [] })}>All actors</a>
        {at !== 'live' && (
          <button type="button" onClick={() => go({ at: undefined })}>
            Back to now
          </button>
        )}
      </p>
    </div>
  );
}

/** A process may know another machine of that name. */
function documentOf(model: Model, { machine, process }: ActorView): MachineDocument | undefined {
  const known = model.machines.get(machine);
  const document = known?.documents.get(process) ?? known?.document;
  // What a stranger sends is checked when its chart is made.
  const told = document as unknown as MachineDocument | undefined;
  return told !== undefined && model.processes.get(process)?.role === 'checker' ? knownChart(told) : told;
}

const DARK: Shown = {
  active: new Set(),
  lit: undefined,
  flash: '',
  counts: new Map(),
  timers: new Map(),
};

function ActorPage({ actor, ...props }: ViewProps & { readonly actor: ActorView }) {
  const { model, at, place, go } = props;
  const document = documentOf(model, actor);
  const now = useStreamClock(model.at, at);
  const shown = useShown(document, actor, now);
  const steps = stepsOf(props, actor);
  return (
    <div className="machine">
      <ActorHead {...props} actor={actor} document={document} />
      <div className="machine-body">
        {document === undefined ? (
          <p className="machine-note">
            Nobody told the chart of {actor.machine}; what is known of the actor is on the right.
          </p>
        ) : (
          <Chart
            document={document}
            shown={shown}
            query={place.query}
            onQuery={(query) => go({ query }, 'replace')}
          >
            {(placed) => <ExportButton document={document} picture={placed} />}
          </Chart>
        )}
        <aside className="beside" aria-label="Context and transitions">
          <StoryPanel {...props} actor={actor} />
          <h2>Context</h2>
          {actor.context === undefined ? (
            <p className="soft">It is not shown on this stream.</p>
          ) : (
            <JsonTree value={actor.context} />
          )}
          <h2>Last transitions</h2>
          <StepList steps={steps} at={at} onGo={(moment) => go({ at: moment })} />
        </aside>
      </div>
    </div>
  );
}

function useShown(document: MachineDocument | undefined, actor: ActorView, now: () => number): Shown {
  const chart = useMemo(() => chartOrNothing(document), [document]);
  return useMemo(() => (chart === undefined ? DARK : shownOfActor(chart, actor, now)), [chart, actor, now]);
}

/** The chart itself says what is wrong with a document. */
function chartOrNothing(document: MachineDocument | undefined): Statechart | undefined {
  try {
    return document === undefined ? undefined : statechartOf(document);
  } catch {
    return undefined;
  }
}

function ActorHead({
  actor,
  document,
  place,
}: ViewProps & { actor: ActorView; document: MachineDocument | undefined }) {
  const { process, path, status } = actor;
  return (
    <header className="machine-head">
      <a href={hashOf({ ...place, path: [], query: {} })}>All actors</a>
      <h1 title={`${process} ${actor.actor}`}>
        {actor.actor} <span className="soft">in {process}</span>
      </h1>
      <span className="machine-states">
        {path.split(', ').map((leaf) => (
          <StateBadge key={leaf} state={leaf} shown="path" />
        ))}
        {status !== 'active' && <StateBadge state={status} />}
      </span>
      <span className="grow" />
      {document !== undefined && Object.hasOwn(registry, document.id) && (
        <a href={hashOf({ view: 'simulate', path: [document.id], query: {} })}>Simulate {document.id}</a>
      )}
    </header>
  );
}
