// What circuit breakers make of results that come late, and of a clock that is set: ours, opossum's and cockatiel's.
// Invariant: all take the same script with the same threshold and the same break; only the breaker differs.

import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleAll,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import CircuitBreaker from 'opossum';
import { createPool, noLog, type Attempt, type Pool } from '../../src/index.ts';
import type { BenchOptions, Row } from './rows.ts';

const FAILURES = 5;
const BREAK_MS = 100;

type Standing = 'closed' | 'open' | 'half open';

/** One call that is under way. */
interface Call {
  end(how: 'succeeds' | 'fails'): Promise<void>;
}

interface Breaker {
  readonly name: string;
  standing(): Standing;
  /** Undefined when it is refused. */
  call(): Promise<Call | undefined>;
  /** The one call that decides whether a breaker that was open closes: a trial, or a probe. */
  trial(): Promise<Call | undefined>;
  close(): Promise<void>;
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A promise of which the script decides the end. */
function pending(): { promise: Promise<void>; end: (how: 'succeeds' | 'fails') => void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { promise, end: (how) => (how === 'succeeds' ? resolve() : reject(new Error('bad upstream'))) };
}

/** A call through something that takes a function; `run` rejects as `isRefusal` says when it does not call it. */
async function through(
  run: (work: () => Promise<void>) => Promise<unknown>,
  isRefusal: (error: unknown) => boolean,
): Promise<Call | undefined> {
  const work = pending();
  work.promise.catch(() => {});
  let refused: unknown;
  const settled = run(() => work.promise).catch((error: unknown) => {
    if (isRefusal(error)) refused = error;
  });
  await Promise.race([settled, wait(1)]);
  if (refused !== undefined) return undefined;
  return {
    async end(how) {
      work.end(how);
      await settled;
    },
  };
}

function opossum(): Breaker {
  const breaker = new CircuitBreaker((work: () => Promise<void>) => work(), {
    timeout: false,
    resetTimeout: BREAK_MS,
    volumeThreshold: FAILURES,
    errorThresholdPercentage: 50,
  });
  const call = () =>
    through(
      (work) => breaker.fire(work),
      (error) => (error as { code?: string }).code === 'EOPENBREAKER',
    );
  return {
    name: 'opossum',
    standing: () => (breaker.opened ? 'open' : breaker.halfOpen ? 'half open' : 'closed'),
    call,
    trial: call,
    close: () => Promise.resolve(breaker.shutdown()),
  };
}

function cockatiel(): Breaker {
  const policy: CircuitBreakerPolicy = circuitBreaker(handleAll, {
    halfOpenAfter: BREAK_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  const call = () =>
    through(
      (work) => policy.execute(work),
      (error) => error instanceof BrokenCircuitError,
    );
  const names: Partial<Record<CircuitState, Standing>> = {
    [CircuitState.Open]: 'open',
    [CircuitState.HalfOpen]: 'half open',
  };
  return {
    name: 'cockatiel',
    standing: () => names[policy.state] ?? 'closed',
    call,
    trial: call,
    close: () => Promise.resolve(),
  };
}

async function holdfast(): Promise<Breaker> {
  let probe: ReturnType<typeof pending> | undefined;
  const pool: Pool = await createPool({
    endpoints: [{ id: 'a' }],
    consecutiveFailures: FAILURES,
    ejectionMs: BREAK_MS,
    rise: 1,
    probe: () => (probe = pending()).promise,
    log: noLog(),
  });
  const state = () => pool.status().endpoints[0]?.state;
  const callOf = (attempt: Attempt): Call => ({
    end: async (how) => void (how === 'succeeds' ? attempt.succeeded() : attempt.ended({ status: 500 })),
  });
  return {
    name: 'holdfast',
    standing: () => (state() === 'ejected' ? 'open' : state() === 'probing' ? 'half open' : 'closed'),
    async call() {
      const attempt = pool.request().next();
      return attempt === undefined ? undefined : callOf(attempt);
    },
    async trial() {
      const running = probe;
      if (running === undefined) return undefined;
      return {
        async end(how) {
          running.end(how);
          await wait(0);
        },
      };
    },
    close: () => pool.close(),
  };
}

async function trip(breaker: Breaker): Promise<void> {
  for (let failures = 0; failures < FAILURES && breaker.standing() === 'closed'; failures++)
    await (await breaker.call())?.end('fails');
  if (breaker.standing() !== 'open') throw new Error(`${breaker.name} did not open`);
}

/** Answers what went wrong; undefined when all is right. */
interface Script {
  readonly name: string;
  run(breaker: Breaker): Promise<string | undefined>;
}

const realNow = Date.now;

/** Tripped, with the wall clock set by so much; how long it takes until a trial is let through, up to half a second. */
async function brokenFor(breaker: Breaker, setByMs: number): Promise<number> {
  await trip(breaker);
  const began = performance.now();
  Date.now = () => realNow() + setByMs;
  try {
    while (performance.now() - began < 5 * BREAK_MS) {
      const trial = await breaker.trial();
      if (trial !== undefined) {
        const tookMs = performance.now() - began;
        await trial.end('succeeds');
        return tookMs;
      }
      await wait(2);
    }
    return Infinity;
  } finally {
    Date.now = realNow;
  }
}

const scripts: readonly Script[] = [
  {
    name: 'a slow success from before the trip does not close it',
    async run(breaker) {
      const slow = await breaker.call();
      await trip(breaker);
      await wait(1.5 * BREAK_MS);
      // The endpoint is still bad, and nobody has asked it since: the trial has no answer yet.
      if (breaker.name === 'cockatiel') await breaker.trial();
      await slow?.end('succeeds');
      return breaker.standing() === 'closed' ? 'it is closed, and no trial has succeeded' : undefined;
    },
  },
  {
    name: 'a failure from before the trip does not open it again',
    async run(breaker) {
      const slow = await breaker.call();
      await trip(breaker);
      await wait(1.5 * BREAK_MS);
      const trial = await breaker.trial();
      await slow?.end('fails');
      const between = breaker.standing();
      await trial?.end('succeeds');
      if (breaker.standing() === 'closed') return undefined;
      return `it was ${between} after the failure, and is ${breaker.standing()} though its trial succeeded`;
    },
  },
  ...[-3_600_000, 3_600_000].map((setByMs): Script => ({
    name: `a clock set ${setByMs < 0 ? 'back' : 'ahead'} by an hour does not change the break`,
    async run(breaker) {
      const tookMs = await brokenFor(breaker, setByMs);
      if (tookMs < BREAK_MS * 0.9) return `a trial came after ${Math.round(tookMs)} of ${BREAK_MS} ms`;
      return tookMs === Infinity ? `no trial within ${5 * BREAK_MS} of ${BREAK_MS} ms` : undefined;
    },
  })),
];

/** Rows `<breaker>@<script>`: 1 where it does what the script says, else 0. */
export async function run({ only, say }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const script of scripts) {
    for (const make of [holdfast, opossum, cockatiel]) {
      if (only !== undefined && !only.includes(make.name)) continue;
      const breaker = await make();
      const wrong = await script.run(breaker);
      await breaker.close();
      say(`${breaker.name.padEnd(10)} ${script.name}: ${wrong === undefined ? 'yes' : `NO, ${wrong}`}`);
      const value = wrong === undefined ? 1 : 0;
      rows.push({ name: `${breaker.name}@${script.name}`, value, unit: 'kept', ratio: null });
    }
  }
  return rows;
}
