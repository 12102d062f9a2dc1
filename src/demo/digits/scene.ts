// What the demo shows while it runs: how far training is, the gate, and the states of the fleet.
// Invariant: reads only.
import type { Fleet } from '../fleet.ts';
import { bar, stateOf, type Scene } from '../view.ts';
import { percent, type Progress } from './progress.ts';

export interface SceneOptions {
  readonly fleet: Fleet;
  readonly progress: Progress;
  readonly rounds: number;
  elapsedMs(): number;
}

export function digitsScene({ fleet, progress, rounds, elapsedMs }: SceneOptions): Scene {
  const hub = (): string => (fleet.hub?.life === 'running' ? `process ${fleet.hub.pid}` : 'KILLED');
  return {
    line() {
      const nodes = [...fleet.stations.values()].map((it) => `${it.id} ${stateOf(it)}`).join(', ');
      return `${progress.committed.length}/${rounds} rounds, gate ${progress.gate}; ${nodes}`;
    },
    picture: () => [
      '',
      `${bar(progress.committed.length, rounds)} ${progress.committed.length}/${rounds} rounds  accuracy ${percent(progress.accuracy)}  ${(elapsedMs() / 1_000).toFixed(1)} s`,
      `hub     ${hub().padEnd(18)} gate ${progress.gate}`,
      ...[...fleet.stations.values()].map((it) => {
        const round = progress.trainsIn(it.id);
        const work = round === undefined ? '' : `trains in round ${round}`;
        return `${it.id}  ${stateOf(it).padEnd(18)} ${work.padEnd(20)} process ${it.member.pid}`;
      }),
    ],
  };
}
