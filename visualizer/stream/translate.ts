// Puts the messages of one server onto the page's time line: each server has a monotonic clock of its own.
// Invariant: an offset of 0 gives the same messages.
import type { Told } from '../../src/protocol/inspection.ts';

/** The same message, with every moment of it `offsetMs` later. */
export function later(told: Told, offsetMs: number): Told {
  if (offsetMs === 0) return told;
  switch (told.kind) {
    case 'present':
      return {
        ...told,
        at: told.at + offsetMs,
        actors: told.actors.map((actor) => ({
          ...actor,
          since: actor.since + offsetMs,
          ...(actor.timers === undefined
            ? {}
            : { timers: actor.timers.map((it) => ({ ...it, startedAt: it.startedAt + offsetMs })) }),
        })),
      };
    case 'fleet':
      return {
        ...told,
        at: told.at + offsetMs,
        nodes: told.nodes.map((row) => ({
          ...row,
          lastInboundAt: row.lastInboundAt + offsetMs,
          ...(row.firstSeenAt === undefined ? {} : { firstSeenAt: row.firstSeenAt + offsetMs }),
        })),
      };
    case 'machine':
    case 'answer':
      return told;
    default:
      return { ...told, at: told.at + offsetMs };
  }
}

/**
 * What to add to the clock of whoever says this hello. A server that was there before goes on as it did; a new one goes on
 * where the time line stands; so does a recording of several servers, which was written on one time line.
 */
export function offsetFor(
  hello: { readonly process: string; readonly at: number },
  before: { readonly process: string; readonly offsetMs: number; readonly at: number } | undefined,
  elapsedMs: number,
): number {
  if (before === undefined) return 0;
  if (before.process === hello.process) return before.offsetMs;
  const now = before.at + elapsedMs;
  return hello.at >= before.at && elapsedMs === 0 ? 0 : now - hello.at;
}
