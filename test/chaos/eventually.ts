// Waiting for what must come true, with a deadline and a clear complaint.
// Invariant: nothing here waits longer than it was told to, and a wait that failed says what it saw last.
import { performance } from 'node:perf_hooks';

/** Milliseconds of CLOCK_MONOTONIC, the same for all processes of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const POLL_MS = 5;

/** Looks again and again until `probe` answers something true; answers that. */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  withinMs = 15_000,
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const until = performance.now() + withinMs;
  for (;;) {
    const seen = await probe();
    if (seen) return seen as Exclude<T, false | undefined | null | 0 | ''>;
    if (performance.now() >= until)
      throw new Error(`${what}: not within ${withinMs} ms, last seen: ${String(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The promise's outcome, or an error that says what was waited for. */
export async function within<T>(what: string, promise: Promise<T>, withinMs = 15_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${withinMs} ms`)), withinMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
