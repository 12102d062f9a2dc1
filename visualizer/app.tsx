// The page's frame: where to go, how the link is, which moment is shown, and the view itself.
// Invariant: the view is what the address says; nothing else decides it.
import { lazy, memo, Suspense, useCallback, useSyncExternalStore } from 'react';
import { FleetView } from './fleet/fleet-view.tsx';
import { DropZone } from './parts/drop-zone.tsx';
import { Empty } from './parts/empty.tsx';
import { Outage } from './parts/outage.tsx';
import { Header } from './parts/header.tsx';
import { useMoment } from './parts/moment.ts';
import { TimeBar } from './parts/time-bar.tsx';
import { Notices, useNotices } from './parts/notices.tsx';
import { TokenPrompt } from './parts/token-prompt.tsx';
import type { Source } from './source.ts';
import { hashOf, placeOf, type Place, type ViewProps } from './view.ts';

const lazily = {
  machine: lazy(async () => ({ default: (await import('./machine/machine-view.tsx')).MachineView })),
  sequence: lazy(async () => ({ default: (await import('./sequence/sequence-view.tsx')).SequenceView })),
  simulate: lazy(async () => ({ default: (await import('./simulate/simulate-view.tsx')).SimulateView })),
} as const;

const View = memo((props: ViewProps) => {
  const { view } = props.place;
  if (view === 'fleet') return <FleetView {...props} />;
  const Lazy = lazily[view];
  return <Lazy {...props} />;
});

const onHash = (listener: () => void): (() => void) => {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
};

/** The same place as long as the address is the same. */
function usePlace(): Place {
  const hash = useSyncExternalStore(onHash, () => location.hash);
  return placesOf(hash);
}

let lastPlace: readonly [hash: string, place: Place] | undefined;
function placesOf(hash: string): Place {
  if (lastPlace?.[0] !== hash) lastPlace = [hash, placeOf(hash)];
  return lastPlace[1];
}

export function App({ source }: { readonly source: Source }) {
  const watch = useSyncExternalStore(source.subscribe, () => source.watch);
  const model = useSyncExternalStore(watch.subscribe, () => watch.model);
  const link = useSyncExternalStore(watch.subscribe, () => watch.link);
  const place = usePlace();
  const moment = useMoment(watch, place.at);
  const { notices, say, dismiss } = useNotices();

  const go = useCallback((next: Partial<Place>, how: 'push' | 'replace' = 'push') => {
    const to = hashOf({ ...placeOf(location.hash), ...next });
    if (how === 'replace') location.replace(to);
    else location.assign(to);
  }, []);
  const open = (file: File): void => {
    source.open(file).then(
      () => go({ at: undefined }),
      (error: unknown) => say('bad', error instanceof Error ? error.message : String(error)),
    );
  };
  const shown = moment.model ?? model;

  return (
    <div className="page" data-link={link.state} data-busy={moment.state}>
      <a className="skip" href="#view" onClick={focusView}>
        Skip to the view
      </a>
      <Header place={place} link={link} source={source} onOpen={open} say={say} />
      <Outage link={link} known={model.hello === undefined ? 'unknown' : 'known'} />
      <main id="view" className="view" tabIndex={-1}>
        <Suspense fallback={<Empty title="Loading…" />}>
          <View model={shown} at={place.at ?? 'live'} place={place} watch={watch} go={go} say={say} />
        </Suspense>
      </main>
      <TimeBar model={model} watch={watch} at={place.at} state={moment.state} go={go} />
      <Notices notices={notices} dismiss={dismiss} />
      <DropZone onFile={open} />
      {link.refused !== undefined && <TokenPrompt source={source} reason={link.refused} />}
    </div>
  );
}

/** The address after the `#` is ours: the browser must not go there. */
function focusView(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('view')?.focus();
}
