// The admin API of `holdfast proxy`: its status, its numbers, its failure queue.
// Invariant: reading changes nothing, and nothing here tells a key.
import { z } from 'zod';
import type { AdminRoute } from '../adapters/admin-server.ts';
import { HoldfastError, type Page, type PoolQueue } from '../index.ts';
import type { ProxyReport, QueueReport } from './admin-client.ts';

export interface Administered {
  readonly queue: PoolQueue;
  report(): ProxyReport;
  /** For Prometheus. */
  numbers(): Promise<Page>;
}

const none = z.strictObject({});
const whom = z.strictObject({ endpoint: z.string().optional() });

export function adminRoutes({ queue, report, numbers }: Administered): Record<string, AdminRoute> {
  const queueReport = (): QueueReport => ({ status: queue.status(), entries: queue.list() });
  return {
    '/status': { GET: () => page(200, report()) },
    '/metrics': { GET: numbers },
    '/healthz': { GET: () => page(200, report().proxy) },
    // Whoever balances over proxies sends this one nothing new while it drains.
    '/readyz': { GET: () => page(report().proxy.state === 'serving' ? 200 : 503, report().proxy) },
    '/queue': { GET: () => page(200, queueReport()) },
    '/queue/retry': {
      POST: (body) => {
        const { endpoint } = read(whom, body, '{} for all of them, or { "endpoint": "ID" }');
        const asked = endpoint === undefined ? queue.list().map((entry) => entry.endpoint) : [endpoint];
        for (const id of asked) queue.retry(id);
        return page(200, { asked, ...queueReport() });
      },
    },
    '/queue/clear': {
      POST: (body) => {
        read(none, body, '{}');
        const cleared = queue.list().map(({ endpoint }) => endpoint);
        queue.clear();
        return page(200, { cleared, ...queueReport() });
      },
    },
  };
}

/** @throws HoldfastError `invalid_argument` */
function read<T>(schema: z.ZodType<T>, body: unknown, wanted: string): T {
  const { success, data } = schema.safeParse(body ?? {});
  if (success) return data;
  throw new HoldfastError(`this command wants ${wanted}`, { code: 'invalid_argument', blame: 'remote' });
}

function page(status: number, body: object): Page {
  return { status, contentType: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}
