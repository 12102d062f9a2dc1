// The fleet at a glance: a few numbers, every node, the machines' states, training, endpoints.
// Invariant: shows what the model says, and nothing else.
import './fleet.css';
import { Empty } from '../parts/empty.tsx';
import { useSlowly } from '../parts/moment.ts';
import type { ViewProps } from '../view.ts';
import { ActorTable } from './actor-table.tsx';
import { EndpointsPanel } from './endpoints-panel.tsx';
import { MachinesPanel } from './machines-panel.tsx';
import { NodePanel } from './node-panel.tsx';
import { NodeTable } from './node-table.tsx';
import { ActorSummary, Summary } from './summary.tsx';
import { TrainingPanel } from './training-panel.tsx';

/** Numbers that change more often than this cannot be read. */
const DRAW_MS = 200;

export function FleetView(given: ViewProps) {
  const model = useSlowly(given.model, DRAW_MS, given.at);
  if (model.hello === undefined) return <Waiting {...given} />;
  const props = { ...given, model };
  const { node = '' } = given.place.query;
  const kind = kindOf(model);
  return (
    <div className="fleet" data-side={node === '' ? 'overview' : 'node'}>
      <h1 className="out-of-sight">Fleet</h1>
      {kind === 'fleet' ? <Summary {...props} /> : <ActorSummary {...props} />}
      {kind === 'fleet' ? <NodeTable {...props} /> : <ActorTable {...props} />}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by the keyboard */}
      <section className="side" aria-label="Details" tabIndex={0}>
        {node === '' ? null : <NodePanel {...props} id={node} />}
        <TrainingPanel {...props} />
        <EndpointsPanel {...props} />
        <MachinesPanel model={model} />
      </section>
    </div>
  );
}

/** What is watched: a fleet with a hub, or actors of anything else. */
function kindOf({ hello, fleet }: ViewProps['model']): 'fleet' | 'actors' {
  return hello?.role === 'hub' || fleet.hub !== undefined || fleet.nodes.size > 0 ? 'fleet' : 'actors';
}

function Waiting({ watch }: ViewProps) {
  if (watch.recording !== undefined) return <Empty title="Reading the recording…" />;
  const { state, refused } = watch.link;
  if (refused !== undefined)
    return (
      <Empty title="The server wants a token">
        <p>{refused}</p>
        <p>Reload the page to be asked for it again, or open a recording.</p>
      </Empty>
    );
  return (
    <Empty
      title={
        state.startsWith('establishing') || state === 'idle' ? 'Connecting…' : 'The server does not answer'
      }
    >
      <p>
        The connection is in <code>{state}</code>. It dials again by itself as long as this page is open; a
        recording can be opened meanwhile.
      </p>
    </Empty>
  );
}
