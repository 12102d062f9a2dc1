// Messages of a small fleet, for tests of what the page makes of them.
// Invariant: each is what a server could say.
import type { StateValue, Step, Told } from '../../../src/protocol/inspection.ts';
import { Fold } from '../../../visualizer/stream/fold.ts';
import type { Packing } from '../../../visualizer/stream/timeline.ts';

export function hello(process = 'hub/1', at = 0): Told {
  return { kind: 'hello', version: 1, process, role: 'hub', name: 'hub', at, may: [] };
}

export function node(id: string, state: 'here' | 'gone' = 'here', at = 0): Told {
  return { kind: 'process', process: `node/${id}/1`, role: 'node', name: id, at, state };
}

export function present(
  id: string,
  at: number,
  ...actors: readonly [actor: string, state: string, seq?: number][]
): Told {
  return {
    kind: 'present',
    process: `node/${id}/1`,
    at,
    actors: actors.map(([actor, state, seq = 1]) => ({ actor, machine: actor, seq, since: at, state })),
  };
}

export interface StepWords {
  readonly seq: number;
  readonly at: number;
  readonly from: StateValue | null;
  readonly to: StateValue;
  readonly more?: Partial<Step>;
}

export function step(id: string, actor: string, { seq, at, from, to, more }: StepWords): Step {
  const base = { kind: 'step', process: `node/${id}/1`, actor, machine: actor, seq, at, clock: seq } as const;
  return { ...base, event: { type: `to.${String(to)}` }, from, to, ...more };
}

export function folded(messages: readonly Told[]): Fold {
  const fold = new Fold();
  for (const told of messages) fold.apply(told);
  return fold;
}

/** Packs without packing, and counts the turns that were given to the page. */
export function plainPacking(): Packing & { turns: number } {
  const packing = {
    turns: 0,
    pack: (text: string) => Promise.resolve(new TextEncoder().encode(text)),
    unpack: (bytes: Uint8Array) => Promise.resolve(new TextDecoder().decode(bytes)),
    breathe: () => {
      packing.turns += 1;
      return Promise.resolve();
    },
    now: () => 0,
  };
  return packing;
}
