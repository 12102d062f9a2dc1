// Events in the middle of a delay: half of it passes, something happens, and then as much time as shows whether the delay
// was ended, started anew or left running.
// Invariant: after the event time stops where a delay that was ended or started anew would have ended, had it kept running.
import type { Goal, Goals } from './goals.ts';
import { wayTo, type Graph, type Vertex } from './graph.ts';
import { waitFrom } from './moves.ts';
import type { ModelState, RunningDelay, Stepper } from './stepper.ts';
import type { Move } from './steps.ts';

/** A path that looks into the middle of delays, and what it is for. */
export interface Middle {
  readonly goals: readonly Goal[];
  readonly moves: readonly Move[];
}

/** After the event no more than so many delays end before what was under way is given up. */
const MOST_ENDS = 5;

/** Time passes, and no delay ends. `delay`: the one that it is about. */
function passing(delayMs: number, delay: string): Move {
  return { kind: 'wait', event: { type: '' }, delay, delayMs, until: 'middle' };
}

/** Half of what is left of the next delay; undefined when there is none, or nothing in its middle. */
function half(state: ModelState): Move | undefined {
  const wait = waitFrom(state);
  if (wait?.kind !== 'wait') return undefined;
  const delayMs = Math.floor(wait.delayMs / 2);
  return delayMs === 0 ? undefined : passing(delayMs, wait.delay);
}

/** Time until all delays that ran before the event would be over. */
function untilOver(stepper: Stepper, before: readonly RunningDelay[], after: ModelState): Move[] {
  const moves: Move[] = [];
  let state = after;
  const isKept = ({ id, dueMs }: RunningDelay): boolean =>
    after.delays.some((delay) => delay.id === id && delay.dueMs === dueMs);
  const open = before.filter((delay) => !isKept(delay)).toSorted((a, b) => a.dueMs - b.dueMs);
  const lastMs = Math.max(...before.map(({ dueMs }) => dueMs));
  for (let ends = 0; ends < MOST_ENDS && state.snapshot.status === 'active' && state.nowMs < lastMs;) {
    const wait = waitFrom(state);
    const { nowMs } = state;
    const stale = open.find(({ dueMs }) => dueMs > nowMs);
    const isNext = wait?.kind !== 'wait' || (stale !== undefined && stale.dueMs < nowMs + wait.delayMs);
    if (isNext && stale === undefined) break;
    const move = isNext && stale !== undefined ? passing(stale.dueMs - nowMs, stale.name) : wait;
    if (move === undefined) break;
    if (!isNext) ends += 1;
    moves.push(move);
    state = stepper.step(state, move);
  }
  return moves;
}

function middlesOf(
  vertex: Vertex,
  stepper: Stepper,
  goals: Goals,
  missing: (move: Move) => string | undefined,
): Middle[] {
  const pause = half(vertex.state);
  if (pause === undefined || missing(pause) !== undefined) return [];
  const before = stepper.step(vertex.state, pause);
  return vertex.out.flatMap(({ move }): Middle[] => {
    if (move.kind === 'wait') return [];
    try {
      const after = stepper.step(before, move);
      const found = goals.ofMiddle(before, after);
      const tail = untilOver(stepper, before.delays, after);
      const possible = tail.findIndex((one) => missing(one) !== undefined);
      const moves = [...wayTo(vertex), pause, move, ...(possible === -1 ? tail : tail.slice(0, possible))];
      return found.length === 0 ? [] : [{ goals: found, moves }];
    } catch {
      return []; // the machine's own code threw, which the search has told already
    }
  });
}

/** The nearest first. */
export function middlesIn(
  graph: Graph,
  stepper: Stepper,
  goals: Goals,
  missing: (move: Move) => string | undefined,
): Middle[] {
  return graph.vertices.flatMap((vertex) => middlesOf(vertex, stepper, goals, missing));
}
