// A hub in a process of its own, which tells how it fares. Start it with an IPC channel and --expose-gc.
// Invariant: an exception that escapes ends the process, and its parent hears why.
import { createHub } from '../../../src/index.ts';

/** What the parent asks, and what it hears. */
export type Asked = 'memory' | 'status' | 'stop';
export type Told =
  | { readonly kind: 'listening'; readonly url: string }
  | {
      readonly kind: 'memory';
      readonly heapBytes: number;
      readonly bufferBytes: number;
      readonly peakRssBytes: number;
    }
  | { readonly kind: 'status'; readonly status: Readonly<Record<string, unknown>>; readonly names: number }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'defect'; readonly message: string };

const tell = (told: Told): void => void process.send?.(told);
const nothing = (): void => {};

process.on('uncaughtException', (error) => {
  tell({ kind: 'defect', message: `escaped: ${error.stack}` });
  setImmediate(() => process.exit(1));
});

const hub = await createHub({
  port: 0,
  drainTimeoutMs: 1,
  sessionGraceMs: Number(process.env['GRACE_MS'] ?? 300),
  noNodeAfterMs: 500,
  failoverAfterMs: 100,
  ...(process.env['HEARTBEAT_MS'] === undefined
    ? {}
    : {
        heartbeatIntervalMs: Number(process.env['HEARTBEAT_MS']) / 4,
        heartbeatTimeoutMs: Number(process.env['HEARTBEAT_MS']),
      }),
  onSync: ({ id }) => ({ welcome: id }),
  log: {
    debug: nothing,
    info: nothing,
    warn: (_, message) => {
      if (process.env['WARNINGS'] !== undefined) tell({ kind: 'warning', message });
    },
    error: (fields, message) => tell({ kind: 'defect', message: `${message} ${JSON.stringify(fields)}` }),
  },
});

/** Function names that the hub holds. */
async function namesOf(): Promise<number> {
  const page = await (await fetch(`${hub.url.replace('ws', 'http')}/metrics`)).text();
  return Number(/^holdfast_function_names (\d+)$/m.exec(page)?.[1]);
}

process.on('message', (asked: Asked) => {
  if (asked === 'stop') {
    void hub.stop().then(() => process.disconnect());
  } else if (asked === 'status') {
    void namesOf().then((names) => tell({ kind: 'status', status: { ...hub.status() }, names }));
  } else {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const peakRssBytes = process.resourceUsage().maxRSS * 1_024;
    tell({ kind: 'memory', heapBytes: heapUsed, bufferBytes: arrayBuffers, peakRssBytes });
  }
});
process.on('disconnect', () => process.exit(0));
tell({ kind: 'listening', url: hub.url });
