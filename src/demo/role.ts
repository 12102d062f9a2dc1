// What a process of a fleet and its demo tell each other: its configuration on the command line, its life over IPC.
// Invariant: a role ends when the demo does, however the demo ends.
import { flushCompileCache } from 'node:module';
import type { Log } from '../index.ts';

/** Times of a demo's fleet: shorter than the defaults, so that a minute holds many faults. */
export const times = {
  heartbeatIntervalMs: 1_000,
  heartbeatTimeoutMs: 3_000,
  reconnectIntervalMs: 500,
  reconnectMaxMs: 2_000,
  connectionTimeoutMs: 5_000,
  healthCheckIntervalMs: 5_000,
  stableAfterMs: 3_000,
  maxRetryAttempts: 0,
} as const;

/** What every hub of a demo is told. */
export interface HubConfig {
  /** 0 chooses a free one. */
  readonly port: number;
}

/** What every node of a demo is told. */
export interface NodeConfig {
  readonly id: string;
  readonly hub: string;
}

/** A line of a role's log. */
export interface LogReport {
  readonly kind: 'log';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export type Report =
  | LogReport
  | { readonly kind: 'listening'; readonly url: string; readonly port: number }
  | {
      readonly kind: 'work';
      readonly active: number;
      readonly executed: number;
      readonly unexpectedEvents: number;
    }
  /** What only one of the demos has to tell. */
  | { readonly kind: 'told'; readonly told: unknown };

export function configOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

export function report(message: Report): void {
  if (process.connected) process.send?.(message);
}

/** A log whose lines go to the demo. */
export function reportingLog(): Log {
  const write = (fields: object, message: string): void =>
    report({ kind: 'log', fields: { ...fields }, message });
  return { debug: () => undefined, info: write, warn: write, error: write };
}

/** What the demo tells a role: a process that is stopped now, and that nobody would continue if the demo were killed. */
export interface Ward {
  readonly stopped: number | undefined;
}

/** Ends with the demo; ends after `stop` on SIGTERM. Ctrl-C is the demo's business, which ends its roles itself. */
export function liveAsRole(stop: () => Promise<void>): void {
  process.on('SIGINT', () => undefined);
  flushCompileCache();
  let ward: Ward = { stopped: undefined };
  process.on('message', (message) => void (ward = message as Ward));
  process.once('disconnect', () => {
    // It will see that the demo is gone, too, and end.
    if (ward.stopped !== undefined) process.kill(ward.stopped, 'SIGCONT');
    process.exit(1);
  });
  process.once('SIGTERM', () => {
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
