// Journaled calls whose client is away: the hub goes on with them by itself.
// Invariant: what the client has of an outcome is not mixed with what another run makes: once it is here, it decides.
import { Flag } from '../protocol/frames.ts';
import type { Asking, Routed, Running } from './roster.ts';

/** A stream is its client's alone: items that arrived may not fit those of another run. */
export function isTakenUp({ durable, client, flags }: Routed): boolean {
  return durable !== undefined && client.outbox === undefined && (flags & Flag.STREAM) === 0;
}

/** Those of a client that is away, at a node: nobody else asks what became of them. */
export function takenUpAt(node: Running, client: Asking): Routed[] {
  return [...node.assigned].filter((call) => call.client === client && isTakenUp(call));
}
