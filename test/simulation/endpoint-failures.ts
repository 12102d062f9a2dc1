// Ten thousand attempts on a pool that all fail, in an order that a seed decides: time-outs, errors and bad statuses.
// Invariant: what was sent is counted here, by hand; the pool is only asked.
import { openPool } from '../../src/endpoints/pool.ts';
import type { Attempt, AttemptEnd } from '../../src/endpoints/request.ts';
import { createSimulation, Prng } from '../../src/testing/index.ts';

const TIMEOUTS = ['connect_timeout', 'first_byte_timeout', 'idle_timeout', 'total_timeout'] as const;
const ERRORS = ['connect_failed', 'broken_body', 'failed_stream', 'failed'] as const;
const STATUSES = [500, 502, 503, 504, 529, 429, 408] as const;
/** Time-outs come in so many moments of the next minute. */
const MOMENTS = 20;

/** Made once: there are many of them. */
const TIMED_OUT = TIMEOUTS.map((fault): AttemptEnd => ({ fault }));
const FAILED = [
  ...ERRORS.map((fault): AttemptEnd => ({ fault })),
  ...STATUSES.map((status): AttemptEnd => ({ status })),
];

/** One of the list, by some bits. */
const pick = <T>(list: readonly T[], bits: number): T => list[bits % list.length] as T;

/**
 * What is different from what it must be, in words; empty when nothing is.
 * @param tell how an attempt is told of its end; a broken twin tells something else
 */
export async function failAtOnce(
  seed: number,
  attempts: number,
  endpoints: number,
  tell: (attempt: Attempt, end: AttemptEnd) => void = (attempt, end) => attempt.ended(end),
): Promise<string[]> {
  const simulation = createSimulation({ seed });
  const prng = new Prng(seed, 'failures');
  const ids = Array.from({ length: endpoints }, (_, index) => `e${index}`);
  let probes = 0;
  const pool = await openPool(
    {
      endpoints: ids.map((id) => ({ id })),
      selection: 'random',
      ejectionMs: 300_000,
      probe: () => Promise.resolve(void (probes += 1)),
    },
    { clock: simulation.clock, wallClock: { now: () => 0 }, random: prng, log: simulation.log },
  );
  const once = { maxAttempts: 1 };
  const open = Array.from({ length: attempts }, () => pool.request(once).next() as Attempt);
  const sent = new Map(ids.map((id) => [id, 0]));
  for (const { endpoint } of open) sent.set(endpoint.id, (sent.get(endpoint.id) ?? 0) + 1);
  // Any order.
  for (let left = open.length; left > 1; left--) {
    const other = prng.uint32() % left;
    [open[left - 1], open[other]] = [open[other] as Attempt, open[left - 1] as Attempt];
  }
  const late: Attempt[][] = Array.from({ length: MOMENTS }, () => []);
  let twice = 0;
  for (const attempt of open) {
    const bits = prng.uint32();
    if (bits % 3 === 0) {
      pick(late, bits >>> 8).push(attempt);
      continue;
    }
    tell(attempt, pick(FAILED, bits >>> 8));
    // Some report their end twice.
    if (bits >>> 26 === 0) {
      attempt.succeeded();
      twice += 1;
    }
  }
  for (const moment of late)
    simulation.clock.setTimer(() => {
      for (const attempt of moment) tell(attempt, pick(TIMED_OUT, prng.uint32()));
    }, prng.fraction() * 60_000);
  await simulation.run(60_000);
  const wrong: string[] = [];
  const must = (what: string, is: unknown, expected: unknown) => {
    if (is !== expected) wrong.push(`seed ${seed}: ${what} is ${String(is)}, not ${String(expected)}`);
  };
  const { endpoints: statuses, queue, duplicates } = pool.status();
  must('size of the queue', queue.size, endpoints);
  must('totalFailed', queue.totalFailed, endpoints);
  must('members of the queue', new Set(pool.queue.list().map(({ endpoint }) => endpoint)).size, endpoints);
  must('duplicates', duplicates, twice);
  must('probes', probes, 0);
  for (const one of statuses) {
    must(`state of ${one.id}`, one.state, 'ejected');
    must(`totalRequests of ${one.id}`, one.totalRequests, sent.get(one.id));
    must(`failedRequests of ${one.id}`, one.failedRequests, sent.get(one.id));
    must(`in flight at ${one.id}`, one.inFlight, 0);
    must(`ejections of ${one.id}`, one.totalEjections, 1);
    // Five ejected it; the others were on their way, and came too late.
    must(`failures in a row of ${one.id}`, one.consecutiveFailures, 5);
    must(`late ends at ${one.id}`, one.late, (sent.get(one.id) ?? 0) - 5);
  }
  await pool.close();
  return wrong;
}
