// The wall clock of this platform.
// Invariant: it is read for dates that others wrote, and for nothing else.
import type { WallClock } from '../ports.ts';

export function createWallClock(): WallClock {
  return { now: () => Date.now() };
}
