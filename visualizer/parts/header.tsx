// The page's head: its views, and how its own connection is.
// Invariant: every view can be reached by a link, so that the keyboard and a new tab reach it too.
import type { LinkState } from '../stream/watch.ts';
import { hashOf, type Place, type ViewName } from '../view.ts';
import { StateBadge } from './badge.tsx';

const tabs: readonly { readonly view: ViewName; readonly label: string }[] = [
  { view: 'fleet', label: 'Fleet' },
  { view: 'machine', label: 'Machines' },
  { view: 'sequence', label: 'Sequence' },
  { view: 'simulate', label: 'Simulate' },
];

export interface HeaderProps {
  readonly place: Place;
  readonly link: LinkState;
}

export function Header({ place, link }: HeaderProps) {
  return (
    <header className="header">
      <span className="brand">Holdfast</span>
      <nav className="tabs" aria-label="Views">
        {tabs.map(({ view, label }) => (
          <a
            key={view}
            className="tab"
            href={hashOf({ view, path: [], at: place.at, query: {} })}
            aria-current={place.view === view ? 'page' : undefined}
          >
            {label}
          </a>
        ))}
      </nav>
      <span className="grow" />
      <span className="link" title="The connection of this page">
        <StateBadge state={link.state} />
      </span>
    </header>
  );
}
