// The wall clock of this platform.
// Invariant: it is read for dates that others wrote or that people read, and for nothing else.
import type { WallClock } from '../ports.ts';

export function createWallClock(): WallClock {
  return { now: () => Date.now() };
}

/** The present date, ISO 8601 in UTC, for people to read. */
export function isoDate(): string {
  return new Date().toISOString();
}
