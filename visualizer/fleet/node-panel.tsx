// One node: its facts, the history of its connection in words, its actors, and what may be done with it.
// Invariant: what a stranger named (ids, labels, addresses) is shown as text.
import { StateBadge } from '../parts/badge.tsx';
import { Facts, Panel } from '../parts/panel.tsx';
import { countText, durationText, momentText } from '../parts/words.ts';
import type { ActorView } from '../stream/model.ts';
import { actorPlace, hashOf, type ViewProps } from '../view.ts';
import { Act } from './acts.tsx';

const MAX_ACTORS = 40;

/** Actors of the node's own processes, and those of the hub that are named for it, such as its session. */
function actorsOf(model: ViewProps['model'], id: string): ActorView[] {
  const found: ActorView[] = [];
  for (const actor of model.actors.values()) {
    const owner = model.processes.get(actor.process);
    const own = owner?.role === 'node' && owner.name === id && owner.state === 'here';
    const named = owner?.role === 'hub' && owner.state === 'here' && actor.actor.split('/').includes(id);
    if (own || named) found.push(actor);
    if (found.length >= MAX_ACTORS) break;
  }
  return found;
}

export function NodePanel(props: ViewProps & { readonly id: string }) {
  const { model, place, go, id } = props;
  const row = model.fleet.nodes.get(id);
  const link = model.actors.get(model.links.get(id) ?? '');
  const close = (
    <button
      type="button"
      className="quiet"
      aria-label="Close the node"
      onClick={() => go({ query: { ...place.query, node: '' } }, 'replace')}
    >
      ×
    </button>
  );
  const labels = Object.entries(row?.labels ?? {});
  const facts: [string, string][] = [];
  if (row !== undefined) {
    facts.push(['Calls a second', row.callsPerSecond.toFixed(1)], ['Executed', countText(row.executed)]);
    if (row.address !== undefined) facts.push(['Address', row.address]);
    if (row.functions !== undefined) facts.push(['Functions', countText(row.functions)]);
    if (row.firstSeenAt !== undefined) facts.push(['Known for', durationText(model.at - row.firstSeenAt)]);
    facts.push(['Last heard', `${durationText(model.at - row.lastInboundAt)} ago`]);
  }
  return (
    <Panel title={id} aside={close}>
      {row === undefined ? (
        <p className="nothing">The hub knows no such node at this moment.</p>
      ) : (
        <>
          <p className="badges">
            <StateBadge state={row.state} />
            {labels.map(([name, value]) => (
              <span key={name} className="label">
                {name}={value}
              </span>
            ))}
          </p>
          <Facts facts={facts} />
          <div className="acts">
            {row.state === 'draining' ? (
              <Act {...props} operation="undrain" target={id} />
            ) : (
              <Act {...props} operation="drain" target={id} />
            )}
            <Act {...props} operation="disconnect" target={id} />
          </div>
        </>
      )}
      <h3>Connection</h3>
      {link === undefined ? (
        <p className="nothing">Its process tells nothing of itself.</p>
      ) : (
        <ol className="stays" aria-label="States of the connection">
          {link.trail.map(({ label, at }, index) => (
            <li key={`${at} ${label}`}>
              <a href={hashOf({ ...place, at })} title="Show the fleet as it was then">
                {momentText(at, model.began)}
              </a>
              <StateBadge state={label} />
              <span className="soft">{durationText((link.trail[index + 1]?.at ?? model.at) - at)}</span>
            </li>
          ))}
        </ol>
      )}
      <h3>Actors</h3>
      <ul className="actors">
        {actorsOf(model, id).map(({ key, process, actor, machine, path }) => (
          <li key={key}>
            <a href={hashOf({ at: place.at, ...actorPlace(process, actor) })}>{actor}</a>
            <span className="soft">{machine}</span>
            <StateBadge state={path} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
