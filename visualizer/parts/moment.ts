// The fleet as it was at a moment, for React.
// Invariant: as long as another moment is being looked for, the last one that was found is shown.
import { useEffect, useRef, useState } from 'react';
import type { Model } from '../stream/model.ts';
import type { Watch } from '../stream/watch.ts';

export interface Moment {
  /** Undefined while live, and until the first moment is found. */
  readonly model: Model | undefined;
  readonly state: 'live' | 'looking' | 'found';
}

/** A recording that is still being read has no moments yet: then it is asked again this soon. */
const AGAIN_MS = 250;

export function useMoment(watch: Watch, at: number | undefined): Moment {
  const [found, setFound] = useState<{ readonly watch: Watch; readonly at: number; readonly model: Model }>();
  const [tries, setTries] = useState(0);
  const asked = useRef(0);
  useEffect(() => {
    if (at === undefined) return;
    const end = new AbortController();
    asked.current += 1;
    const turn = asked.current;
    const settle = async (): Promise<void> => {
      const model = await watch.moment(at, end.signal);
      if (turn === asked.current) setFound({ watch, at, model });
    };
    settle().catch((error: unknown) => {
      if (!end.signal.aborted) throw error;
    });
    const early = Number.isNaN(watch.timeline.from) || !(watch.timeline.to >= at);
    const timer = early ? setTimeout(() => setTries(tries + 1), AGAIN_MS) : undefined;
    return () => {
      end.abort();
      clearTimeout(timer);
    };
  }, [watch, at, tries]);
  if (at === undefined) return { model: undefined, state: 'live' };
  const mine = found?.watch === watch ? found : undefined;
  return { model: mine?.model, state: mine?.at === at ? 'found' : 'looking' };
}

/** A value that changes at most this often, so that what is dear to draw is drawn rarely. */
export function useSlowly<T>(value: T, everyMs: number, at: 'live' | number): T {
  const [slow, setSlow] = useState(value);
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  useEffect(() => {
    const timer = setInterval(() => setSlow(latest.current), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return at === 'live' ? slow : value;
}
