// The page's head: its views, its recording, its colours, and how its own connection is.
// Invariant: every view can be reached by a link, so that the keyboard and a new tab reach it too.
import { useRef, useState } from 'react';
import type { Source } from '../source.ts';
import type { LinkState } from '../stream/watch.ts';
import { hashOf, type Place, type ViewName, type ViewProps } from '../view.ts';
import { StateBadge } from './badge.tsx';
import { nextTheme, presentTheme, setTheme } from './theme.ts';

const tabs: readonly { readonly view: ViewName; readonly label: string }[] = [
  { view: 'fleet', label: 'Fleet' },
  { view: 'machine', label: 'Machines' },
  { view: 'sequence', label: 'Sequence' },
  { view: 'simulate', label: 'Simulate' },
];

export interface HeaderProps {
  readonly place: Place;
  readonly link: LinkState;
  readonly source: Source;
  onOpen(file: File): void;
  readonly say: ViewProps['say'];
}

export function Header({ place, link, source, onOpen, say }: HeaderProps) {
  const { recording } = source.watch;
  return (
    <header className="header">
      <a
        className="brand"
        aria-label="Holdfast: the fleet"
        href={hashOf({ view: 'fleet', path: [], at: place.at, query: {} })}
      >
        <Mark />
        <span className="brand-name">Holdfast</span>
      </a>
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
      {recording === undefined ? (
        <span className="link" title="The connection of this page to the server">
          <StateBadge state={link.state} />
        </span>
      ) : (
        <span className="link recording">
          <span className="file" title={recording}>
            {recording}
          </span>
          <button type="button" onClick={() => source.goLive()}>
            Back to live
          </button>
        </span>
      )}
      <RecordingButtons source={source} onOpen={onOpen} say={say} />
      <ThemeButton />
    </header>
  );
}

function RecordingButtons({ source, onOpen, say }: Pick<HeaderProps, 'source' | 'onOpen' | 'say'>) {
  const picker = useRef<HTMLInputElement>(null);
  const [saving, setSaving] = useState<'no' | 'saving'>('no');
  const saveAll = (): void => {
    setSaving('saving');
    source
      .save()
      .catch((error: unknown) => say('bad', `The recording was not saved: ${String(error)}`))
      .finally(() => setSaving('no'));
  };
  return (
    <span className="recording-buttons">
      <button
        type="button"
        onClick={saveAll}
        disabled={saving === 'saving'}
        title="Save what is kept, as NDJSON"
      >
        {saving === 'saving' ? 'Saving…' : 'Save'}
      </button>
      <button type="button" onClick={() => picker.current?.click()} title="Open a recording or a trace">
        Open…
      </button>
      <input
        ref={picker}
        type="file"
        accept=".ndjson,.jsonl,.json,application/x-ndjson"
        hidden
        aria-label="A recording"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = '';
          if (file !== undefined) onOpen(file);
        }}
      />
    </span>
  );
}

function ThemeButton() {
  const [theme, choose] = useState(presentTheme);
  const next = nextTheme(theme);
  return (
    <button
      type="button"
      className="quiet"
      aria-label={`Colours: ${theme}. Change to ${next}`}
      title={`Colours: ${theme}`}
      onClick={() => {
        setTheme(next);
        choose(next);
      }}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" className="icon">
        <circle cx="8" cy="8" r="6" />
        {theme === 'light' ? null : (
          <path
            className="fill"
            d={theme === 'dark' ? 'M8 2a6 6 0 1 1 0 12 6 6 0 1 1 0-12z' : 'M8 2a6 6 0 0 1 0 12z'}
          />
        )}
      </svg>
    </button>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="mark-ground" />
      <path d="M10 6v20M22 6v20M10 16h12" className="mark-lines" />
      <circle cx="16" cy="16" r="3.5" className="mark-dot" />
    </svg>
  );
}
