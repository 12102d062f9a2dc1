// One endpoint of a pool: its row in the compiled table, and what is measured of it.
// Invariant: plain data; health moves the row, the pool the rest.
import type { EndpointContext } from '../../machines/endpoint.ts';
import type { CompiledActor } from '../engine/compile.ts';
import type { Timer } from '../ports.ts';
import { Latencies } from './latencies.ts';
import type { Endpoint } from './options.ts';
import { RateWindow } from './rate-window.ts';

export interface Member extends CompiledActor<EndpointContext> {
  readonly id: string;
  /** The newest description; another one of the same id may replace it. */
  endpoint: Endpoint;
  /** Whether its state is one that serves. */
  service: 'in' | 'out' | 'removed';
  /** Attempts that began, and those of them that have no verdict yet. */
  begun: number;
  inFlight: number;
  readonly window: RateWindow;
  readonly latencies: Latencies;
  timer: Timer | undefined;
  probe: AbortController | undefined;
  /** Virtual time of its next turn under `weighted`. */
  turn: number;
}

export function newMember(endpoint: Endpoint, context: EndpointContext, windowMs: number): Member {
  return {
    state: 0,
    context,
    id: endpoint.id,
    endpoint,
    service: 'out',
    begun: 0,
    inFlight: 0,
    window: new RateWindow(windowMs),
    latencies: new Latencies(),
    timer: undefined,
    probe: undefined,
    turn: 0,
  };
}
