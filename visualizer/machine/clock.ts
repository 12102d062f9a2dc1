// The clock of the stream, as far as the page can know it between two messages.
// Invariant: it never goes back, and stands still at a moment of the past.
import { useCallback, useEffect, useRef } from 'react';

/** Without a message for so long nobody knows whether time goes on there. */
const LONGEST_SILENCE_MS = 10_000;

/** Milliseconds of the stream's clock. `latest`: the latest moment that was told. */
export function useStreamClock(latest: number, at: 'live' | number): () => number {
  const told = useRef({ latest, here: 0 });
  useEffect(() => {
    told.current = { latest, here: performance.now() };
  }, [latest]);
  return useCallback(() => {
    if (at !== 'live') return at;
    const { latest: last, here } = told.current;
    return last + Math.min(LONGEST_SILENCE_MS, here === 0 ? 0 : performance.now() - here);
  }, [at]);
}
