// The inspector alone, on a real port, with the real adapters.
// Invariant: what a test started is closed when it ends.
import { onTestFinished } from 'vitest';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createWsListener } from '../../../src/adapters/ws-listener.ts';
import { createSite } from '../../../src/adapters/site-files.ts';
import { serveInspection, type ServeInspectionOptions } from '../../../src/inspect/index.ts';
import { listeningLog } from '../fleet.ts';

export async function startInspector(options: Partial<ServeInspectionOptions> = {}) {
  const { log, complaints } = listeningLog();
  const served = await serveInspection({
    listener: createWsListener(),
    clock: createNodeClock(),
    log,
    wallNow: () => Date.now(),
    date: () => '2026-01-01T00:00:00.000Z',
    id: 'test',
    port: 0,
    site: createSite('/nowhere', 'no page'),
    of: { kind: 'apps' },
    ...options,
  });
  onTestFinished(() => served.close());
  return { ...served, complaints, viewers: served.url.replace(/^http/, 'ws').replace(/\/$/, '') };
}
