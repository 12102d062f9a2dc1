// The proxy under test, in front of upstreams that are tried in the order in which they are given.
// Invariant: what is set here differs from the defaults in how soon an idle connection ends, and in what may be repeated, which is all.
import { createProxy, noLog, type Proxy, type ProxyOptions } from '../../../src/index.ts';

export const ORDERLY = {
  // Completions may be asked for twice.
  repeat: 'all',
  maxAttempts: 2,
  minRetriesPerSecond: 1_000,
  timeouts: { keepAliveMs: 500 },
} as const;

export async function startProxy(
  upstreams: readonly string[],
  options: Partial<ProxyOptions> = {},
): Promise<Proxy> {
  return await createProxy({
    endpoints: upstreams.map((url, index) => ({ id: `u${index}`, url, priority: index })),
    log: noLog(),
    ...ORDERLY,
    ...options,
    timeouts: { ...ORDERLY.timeouts, ...options.timeouts },
  });
}
