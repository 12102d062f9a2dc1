// What the demo `words` shows while it runs: how far the work is, and the states of the fleet.
// Invariant: reads only.
import type { Fleet, Station } from '../fleet.ts';
import { bar, stateOf, type Scene } from '../view.ts';
import type { Work } from './work.ts';

export interface SceneOptions {
  readonly fleet: Fleet;
  readonly work: Work;
  readonly totalFiles: number;
  elapsedMs(): number;
  clientState(): string;
}

export function wordsScene({ fleet, work, totalFiles, elapsedMs, clientState }: SceneOptions): Scene {
  return {
    line() {
      const nodes = [...fleet.stations.values()].map((it) => `${it.id} ${stateOf(it)}`).join(', ');
      return `${work.filesDone}/${totalFiles} files, ${work.inFlight} calls in flight; ${nodes}; client ${clientState()}`;
    },
    picture: () => [
      '',
      `${bar(work.filesDone, totalFiles)} ${work.filesDone}/${totalFiles} files  ${(elapsedMs() / 1_000).toFixed(1)} s`,
      `hub     ${fleet.hub?.life === 'running' ? `process ${fleet.hub.pid}` : 'killed'}`,
      `client  ${clientState().padEnd(18)} ${work.inFlight} calls in flight`,
      ...[...fleet.stations.values()].map((it) => rowOf(it)),
    ],
  };
}

function rowOf(station: Station): string {
  const { id, active, executed, member } = station;
  const numbers = `${String(active).padStart(3)} running  ${String(executed).padStart(5)} executed`;
  return `${id}  ${stateOf(station).padEnd(18)} ${numbers}  process ${member.pid}`;
}
