// The proxy under the load of `runFlapping`, and what its counters must say afterwards.
// Invariant: every number that the proxy tells is held against one that was counted outside of it.
import { createProxy, noLog, type Proxy } from '../../../src/index.ts';
import type { LoadUpstream } from './flapping-upstreams.ts';
import type { Seen } from './flapping.ts';

/** Attempts that are told of in records, by endpoint. */
const recorded = new WeakMap<Proxy, Map<string, number>>();

export const proxyUnderLoad = {
  /** @param onRequest is called for each request that is over */
  async startFront(upstreams: readonly LoadUpstream[], onRequest?: () => void): Promise<Proxy> {
    const attempts = new Map<string, number>();
    const proxy = await createProxy({
      endpoints: upstreams.map(({ id, url }) => ({ id, url })),
      selection: 'roundRobin',
      repeat: 'all',
      maxAttempts: 4,
      ejectionMs: 300,
      maxEjectionMs: 1_000,
      probeIntervalMs: 50,
      healthCheck: { path: '/health', contains: 'well' },
      log: noLog(),
      onRequest: (record) => {
        onRequest?.();
        for (const { endpoint } of record.attempts) attempts.set(endpoint, (attempts.get(endpoint) ?? 0) + 1);
      },
    });
    recorded.set(proxy, attempts);
    return proxy;
  },
  inspect(proxy: Proxy, seen: Seen, upstreams: readonly LoadUpstream[]): string[] {
    const wrong: string[] = [];
    const must = (what: string, is: number, expected: number) => {
      if (is !== expected) wrong.push(`${what} is ${is}, not ${expected}`);
    };
    const { requests, active, outcomes, replayBytes, pool } = proxy.status();
    must('requests', requests, seen.asked);
    must('active', active, 0);
    must('outcomes.answered', outcomes.answered, seen.answered);
    must('outcomes.cut', outcomes.cut, seen.cut);
    must('outcomes.failed', outcomes.failed, seen.failed);
    must('outcomes.refused and cancelled', outcomes.refused + outcomes.cancelled, 0);
    must('bytes kept', replayBytes, 0);
    must('requests of the pool', pool.requests, seen.asked);
    must('duplicates', pool.duplicates, 0);
    let attempts = 0;
    for (const { id, totalRequests, failedRequests, inFlight, abandonedRequests } of pool.endpoints) {
      const heard = upstreams.find((one) => one.id === id)?.heard ?? -1;
      attempts += totalRequests;
      must(`in flight at ${id}`, inFlight, 0);
      must(`abandoned at ${id}`, abandonedRequests, 0);
      must(`attempts in records of ${id}`, recorded.get(proxy)?.get(id) ?? 0, totalRequests);
      if (id.startsWith('steady')) {
        must(`totalRequests of ${id}`, totalRequests, heard);
        must(`failedRequests of ${id}`, failedRequests, 0);
      } else if (totalRequests < heard || totalRequests - failedRequests > heard)
        // What was sent to one that is down never came.
        wrong.push(`${id} counts ${totalRequests} with ${failedRequests} failed, and heard ${heard}`);
    }
    must('attempts', attempts, pool.requests + pool.retries);
    return wrong;
  },
};
