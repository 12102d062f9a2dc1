// The page's frame: where to go, how the link is, which moment is shown, and the view itself.
// Invariant: the view is what the address says; nothing else decides it.
import { lazy, Suspense, useCallback, useSyncExternalStore } from 'react';
import { FleetView } from './fleet/fleet-view.tsx';
import { Header } from './parts/header.tsx';
import { Empty } from './parts/empty.tsx';
import type { Watch } from './stream/watch.ts';
import { hashOf, placeOf, type Place, type ViewName, type ViewProps } from './view.ts';

const lazily = {
  machine: lazy(async () => ({ default: (await import('./machine/machine-view.tsx')).MachineView })),
  sequence: lazy(async () => ({ default: (await import('./sequence/sequence-view.tsx')).SequenceView })),
  simulate: lazy(async () => ({ default: (await import('./simulate/simulate-view.tsx')).SimulateView })),
} as const;

function View({ name, ...props }: ViewProps & { readonly name: ViewName }) {
  if (name === 'fleet') return <FleetView {...props} />;
  const Lazy = lazily[name];
  return <Lazy {...props} />;
}

const onHash = (listener: () => void): (() => void) => {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
};

export function App({ watch }: { readonly watch: Watch }) {
  const hash = useSyncExternalStore(onHash, () => location.hash);
  const model = useSyncExternalStore(watch.subscribe, () => watch.model);
  const link = useSyncExternalStore(watch.subscribe, () => watch.link);
  const place = placeOf(hash);

  const go = useCallback((next: Partial<Place>, how: 'push' | 'replace' = 'push') => {
    const to = hashOf({ ...placeOf(location.hash), ...next });
    if (how === 'replace') location.replace(to);
    else location.assign(to);
  }, []);

  return (
    <div className="page">
      <a className="skip" href="#view">
        Skip to the view
      </a>
      <Header place={place} link={link} />
      <main id="view" className="view" tabIndex={-1}>
        <Suspense fallback={<Empty title="Loading…" />}>
          <View name={place.view} model={model} at={place.at ?? 'live'} place={place} watch={watch} go={go} />
        </Suspense>
      </main>
    </div>
  );
}
