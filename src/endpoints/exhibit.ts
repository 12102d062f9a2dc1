// A pool, as viewers of a hub are shown it: `hub.inspection?.show(poolExhibit(pool))`.
// Invariant: shows where endpoints are, never what opens them.
import type { System } from '../actors/system.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { PoolSaid } from '../protocol/inspection.ts';
import type { Pool } from './pool.ts';

/** Operators may retry an endpoint that is in the failure queue, and clear a pool's queue by the name of the pool. */
export function poolExhibit(pool: Pool): {
  readonly source: System;
  pool(): PoolSaid;
  readonly acts: Readonly<Record<'retry' | 'clear', (target: string | undefined) => string | undefined>>;
} {
  return {
    source: pool.system,
    pool: () => {
      const { endpoints, queue, ...status } = pool.status();
      return {
        ...status,
        endpoints: endpoints.map(({ url, ...endpoint }) => ({ ...endpoint, url: withoutSecrets(url) })),
        queue: { ...queue },
        waiting: pool.queue.list().map((entry) => ({ ...entry })),
      };
    },
    acts: {
      retry: (target) => {
        if (target === undefined)
          throw new HoldfastError('which endpoint is to be retried?', { code: 'invalid_argument' });
        if (!pool.queue.list().some(({ endpoint }) => endpoint === target)) return undefined;
        pool.queue.retry(target);
        return `${target} is probed as soon as a slot is free`;
      },
      clear: (target) => {
        if (target !== undefined && target !== pool.name) return undefined;
        const { size } = pool.queue.status();
        pool.queue.clear();
        return `${size} endpoints of ${pool.name} serve again, unproven`;
      },
    },
  };
}

/** A URL may carry a user's name, a password or a key. */
function withoutSecrets(url: string | undefined): string | undefined {
  return url?.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, '');
}
