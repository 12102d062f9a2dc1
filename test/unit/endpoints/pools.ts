// A pool on a simulated clock, with probes that do as they are told.
// Invariant: nothing waits for real time.
import type { Endpoint, PoolOptions } from '../../../src/endpoints/options.ts';
import { openPool, type Pool } from '../../../src/endpoints/pool.ts';
import type { Attempt, AttemptEnd, PoolRequest, RequestOptions } from '../../../src/endpoints/request.ts';
import { createSimulation, type Simulation } from '../../../src/testing/index.ts';

export interface PoolUnderTest {
  readonly simulation: Simulation;
  readonly pool: Pool;
  /** Probes that were started, in order. */
  readonly probed: string[];
  /** Most probes that one endpoint ever had at a time. */
  readonly mostProbes: () => number;
  /** Endpoints of which probes fail. */
  readonly sick: Set<string>;
  /** Endpoints of which probes never end. */
  readonly mute: Set<string>;
  /** The wall clock, which anybody may set. */
  readonly wall: { now: number };
  state(id: string): string;
  /** An attempt on whatever comes next, or on nothing. */
  attempt(options?: RequestOptions): Attempt | undefined;
  /** Has this endpoint fail (or end otherwise) so many times. */
  fail(id: string, times: number, end?: AttemptEnd): void;
}

type Options = Partial<PoolOptions> & { readonly seed?: number; readonly simulation?: Simulation };

export async function poolUnderTest(
  endpoints: readonly (Endpoint | string)[],
  { seed = 1, simulation = createSimulation({ seed }), ...options }: Options = {},
): Promise<PoolUnderTest> {
  const wall = { now: Date.UTC(2026, 0, 1) };
  const [probed, sick, mute] = [[] as string[], new Set<string>(), new Set<string>()];
  const running = new Map<string, number>();
  let most = 0;
  const probe = async ({ id }: Endpoint, signal: AbortSignal): Promise<void> => {
    probed.push(id);
    const now = (running.get(id) ?? 0) + 1;
    running.set(id, now);
    most = Math.max(most, now);
    const over = () => running.set(id, (running.get(id) ?? 0) - 1);
    if (mute.has(id)) {
      signal.addEventListener('abort', over);
      return new Promise<void>(() => {});
    }
    over();
    if (sick.has(id)) throw new Error('still sick');
  };
  const opening = openPool(
    { probe, ...options, endpoints: endpoints.map((one) => (typeof one === 'string' ? { id: one } : one)) },
    {
      clock: simulation.clock,
      wallClock: { now: () => wall.now },
      random: simulation.random,
      log: simulation.log,
    },
  );
  const pool = await simulation.settle(opening, 10_000);
  const attempt = (request?: RequestOptions) => pool.request(request).next();
  return {
    simulation,
    pool,
    probed,
    mostProbes: () => most,
    sick,
    mute,
    wall,
    attempt,
    state: (id) => pool.status().endpoints.find((one) => one.id === id)?.state ?? 'none',
    fail(id, times, end = { status: 500 }) {
      // A request tries each endpoint once: the others are passed over.
      for (let left = times; left > 0; left--) attemptOn(pool.request({ maxAttempts: 100 }), id)?.ended(end);
    },
  };
}

/** Passes over attempts until one is on this endpoint. Their failures are of no kind that counts. */
export function attemptOn(request: PoolRequest, id: string): Attempt | undefined {
  for (let attempt = request.next(); attempt !== undefined; attempt = request.next()) {
    if (attempt.endpoint.id === id) return attempt;
    attempt.ended({ status: 401 });
  }
  return undefined;
}
