// The chart of one actor, with its active states lit.
// Invariant: shows what the model says, and nothing else.
import { Empty } from '../parts/empty.tsx';
import { actorPlace, hashOf, type ViewProps } from '../view.ts';

export function MachineView({ model, place }: ViewProps) {
  if (model.actors.size === 0)
    return (
      <Empty title="No actors yet">
        <p>Actors are listed here as soon as the stream tells of them.</p>
      </Empty>
    );
  return (
    <ul>
      {[...model.actors.values()].slice(0, 100).map(({ key, process, actor, path }) => (
        <li key={key}>
          <a href={hashOf({ at: place.at, ...actorPlace(process, actor) })}>
            {process} {actor}
          </a>{' '}
          {path}
        </li>
      ))}
    </ul>
  );
}
