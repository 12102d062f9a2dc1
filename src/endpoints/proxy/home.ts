// What requests need of their proxy.
// Invariant: settings are read when a request begins, so that a change of them never reaches one under way.
import type { Clock, HeaderList, Log, Upstream } from '../../ports.ts';
import type { VerdictKind } from '../classify.ts';
import type { Pool } from '../pool.ts';
import type { Affinity, ProxyLimits, ProxyTimeouts } from './options.ts';
import type { ExchangeOutcome, ExchangeRecord } from './record.ts';
import type { ReplayRoom } from './replay-body.ts';
import type { Kennel } from './watchdog.ts';

export interface LiveSettings {
  readonly timeouts: ProxyTimeouts;
  readonly affinity: Affinity | undefined;
  readonly repeat: 'idempotent' | 'all';
  readonly hedgeAfterMs: number | undefined;
  readonly token: string | undefined;
}

/** A request under way. */
export interface Stoppable {
  /** Answers with an error, or cuts the answer. */
  stop(): void;
}

export interface ProxyHome {
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: Pool;
  readonly upstream: Upstream;
  readonly settings: LiveSettings;
  readonly limits: ProxyLimits;
  readonly room: ReplayRoom;
  /** Of all time-outs. */
  readonly kennel: Kennel;
  /** How it names itself in `Via`, and the header itself. */
  readonly pseudonym: string;
  readonly via: HeaderList;
  /** False once it drains: connections end with their answer. */
  readonly isServing: boolean;
  /** Whether somebody wants records. */
  readonly isWatched: boolean;
  classify(status: number): VerdictKind;
  nextId(): string;
  over(request: Stoppable, outcome: ExchangeOutcome, record: (() => ExchangeRecord) | undefined): void;
}
