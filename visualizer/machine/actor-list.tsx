// All actors, to choose one: by machine, narrowed by what is typed.
// Invariant: never more rows than a page holds; what is left out is counted.
import { useMemo } from 'react';
import { StateBadge } from '../parts/badge.tsx';
import { Empty } from '../parts/empty.tsx';
import { useSlowly } from '../parts/moment.ts';
import type { Model } from '../stream/model.ts';
import { actorPlace, hashOf, type ViewProps } from '../view.ts';

const MOST_ROWS = 200;

/** A busy fleet changes with each frame; nobody reads as fast. */
const EVERY_MS = 300;

function actorsIn({ actors }: Model, find: string, machine: string) {
  const counts = new Map<string, number>();
  const text = find.toLowerCase();
  const found = [...actors.values()].filter((actor) => {
    counts.set(actor.machine, (counts.get(actor.machine) ?? 0) + 1);
    if (machine !== '' && actor.machine !== machine) return false;
    return (
      text === '' ||
      `${actor.process} ${actor.actor} ${actor.machine} ${actor.path}`.toLowerCase().includes(text)
    );
  });
  return { found, counts };
}

export function ActorList({ model, at, place, go }: ViewProps) {
  const { find = '', machine = '' } = place.query;
  const slow = useSlowly(model, EVERY_MS, at);
  const { found, counts } = useMemo(() => actorsIn(slow, find, machine), [slow, find, machine]);
  if (model.actors.size === 0)
    return (
      <Empty title="No actors yet">
        <p>Actors are listed here as soon as the stream tells of them.</p>
        <p>
          A machine can be walked without them:{' '}
          <a href={hashOf({ view: 'simulate', path: [], query: {} })}>simulate one</a>.
        </p>
      </Empty>
    );
  const ask = (query: Readonly<Record<string, string>>): void =>
    go({ query: { find, machine, ...query } }, 'replace');
  return (
    <div className="actors">
      <div className="actors-tools">
        <input
          type="search"
          value={find}
          placeholder="Find an actor, a process or a state"
          aria-label="Find an actor"
          onChange={(event) => ask({ find: event.target.value })}
        />
        {[...counts].map(([name, count]) => (
          <button
            key={name}
            type="button"

            aria-pressed={machine === name}
            onClick={() => ask({ machine: machine === name ? '' : name })}
          >
            {name} <span className="soft">{count}</span>
          </button>
        ))}
      </div>
      <table className="actors-table">
        <thead>
          <tr>
            <th scope="col">Actor</th>
            <th scope="col">Machine</th>
            <th scope="col">Process</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, MOST_ROWS).map((actor) => (
            <tr key={actor.key}>
              <th scope="row">
                <a href={hashOf({ at: place.at, ...actorPlace(actor.process, actor.actor) })}>
                  {actor.actor}
                </a>
              </th>
              <td>{actor.machine}</td>
              <td>{actor.process}</td>
              <td>
                {actor.status === 'active' ? (
                  <StateBadge state={actor.path} />
                ) : (
                  <StateBadge state={actor.status} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="soft actors-note">
        {found.length === 0
          ? 'No actor fits.'
          : found.length > MOST_ROWS
            ? `${MOST_ROWS} of ${found.length.toLocaleString('en')} actors; type to narrow them.`
            : `${found.length} of ${model.actors.size.toLocaleString('en')} actors.`}
      </p>
    </div>
  );
}
