// The steps of the diagram, for React: loaded once, then followed.
// Invariant: a view that is left and opened again finds its steps as they were, and what came meanwhile.
import { useEffect, useState } from 'react';
import type { Placed } from '../stream/causal-order.ts';
import { StepWindow } from '../stream/step-window.ts';
import type { Watch } from '../stream/watch.ts';

/** Steps at hand; the time line has the others. */
const MOST_STEPS = 50_000;
const FOLLOW_MS = 150;

export interface Steps {
  readonly steps: readonly Placed[];
  readonly state: 'loading' | 'there';
  /** Earlier steps are recorded, and not at hand. */
  readonly isCut: boolean;
}

const windows = new WeakMap<Watch, StepWindow>();

function windowOf(watch: Watch): StepWindow {
  let window = windows.get(watch);
  if (window === undefined) windows.set(watch, (window = new StepWindow(watch.timeline, MOST_STEPS)));
  return window;
}

export function useSteps(watch: Watch, at: 'live' | number): Steps {
  const window = windowOf(watch);
  const [, setTurn] = useState(0);
  const isThere = window.shows(at);
  useEffect(() => {
    if (isThere) return;
    const end = new AbortController();
    window
      .load(at, end.signal, () => setTurn((turn) => turn + 1))
      .catch((error: unknown) => {
        if (!end.signal.aborted) throw error;
      });
    return () => end.abort();
  }, [window, at, isThere]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (window.follow()) setTurn((turn) => turn + 1);
    }, FOLLOW_MS);
    return () => clearInterval(timer);
  }, [window]);
  const { order, isLoading, isCut } = window;
  return { steps: order.steps, state: isLoading ? 'loading' : 'there', isCut: isCut || order.dropped > 0 };
}
