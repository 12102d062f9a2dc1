// What a viewer knows after what it was told: the processes, their machines, and where each actor stands.
// Invariant: the fold of a stream; a step that is not newer than what is known changes nothing.
import type {
  ActorNow,
  MachineSaid,
  Present,
  ProcessSaid,
  Step,
  TimerNow,
  Told,
} from '../../protocol/inspection.ts';

/** One process, as it was told. */
export interface ProcessTruth {
  said: ProcessSaid;
  readonly actors: Map<string, ActorNow>;
  /** True between a `present` with `more` and the next one. */
  isPartial: boolean;
}

/** Present actors go in slices: one message stays small enough for a frame. */
const SLICE_ACTORS = 200;

export class Truth {
  readonly processes = new Map<string, ProcessTruth>();
  /** By machine, and by process and machine where a document holds for that process only. */
  readonly machines = new Map<string, MachineSaid>();

  tell(message: Told): void {
    switch (message.kind) {
      case 'process':
        return this.#process(message);
      case 'machine':
        return void this.machines.set(machineKey(message), message);
      case 'present':
        return this.#present(message);
      case 'step':
        return this.#step(message);
      default:
        return undefined;
    }
  }

  /** What tells somebody who knows nothing all of this, as it is now. */
  *retold(at: number): Generator<Told> {
    for (const { said } of this.processes.values()) yield said;
    yield* this.machines.values();
    for (const process of this.processes.keys()) yield* this.presentOf(process, at);
  }

  presentOf(process: string, at: number): Present[] {
    return presents(process, at, [...(this.processes.get(process)?.actors.values() ?? [])]);
  }

  #process(said: ProcessSaid): void {
    const known = this.processes.get(said.process);
    if (said.state === 'gone') this.processes.delete(said.process);
    else if (known === undefined)
      this.processes.set(said.process, { said, actors: new Map(), isPartial: false });
    else known.said = said;
  }

  #present({ process, actors, more }: Present): void {
    const known = this.processes.get(process);
    if (known === undefined) return;
    if (!known.isPartial) known.actors.clear();
    known.isPartial = more === true;
    for (const actor of actors) known.actors.set(actor.actor, actor);
  }

  #step(step: Step): void {
    const { actors } = this.processes.get(step.process) ?? {};
    if (actors === undefined) return;
    const before = actors.get(step.actor);
    if (before !== undefined && before.seq >= step.seq) return;
    if (step.status !== undefined || step.to === null) return void actors.delete(step.actor);
    const timers = timersAfter(before, step);
    const context = step.context ?? before?.context;
    actors.set(step.actor, {
      actor: step.actor,
      machine: step.machine,
      ...(step.parent === undefined ? {} : { parent: step.parent }),
      seq: step.seq,
      since: before === undefined || !isSame(before.state, step.to) ? step.at : before.since,
      state: step.to,
      ...(context === undefined ? {} : { context }),
      ...(timers.length === 0 ? {} : { timers }),
    });
  }
}

function timersAfter(before: ActorNow | undefined, step: Step): TimerNow[] {
  let timers = step.from === null ? [] : (before?.timers ?? []);
  for (const change of step.timers ?? []) {
    const id = 'cleared' in change ? change.cleared : change.id;
    timers = timers.filter((timer) => timer.id !== id);
    if (!('cleared' in change)) timers.push({ ...change, startedAt: step.at });
  }
  return timers;
}

const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

const machineKey = ({ process, machine }: MachineSaid): string =>
  process === undefined ? machine : `${process} ${machine}`;

/** The actors of one process at one moment, in messages of a size that any link takes; one message even for none. */
export function presents(process: string, at: number, actors: readonly ActorNow[]): Present[] {
  const slices: Present[] = [];
  for (let from = 0; from === 0 || from < actors.length; from += SLICE_ACTORS) {
    const slice = actors.slice(from, from + SLICE_ACTORS);
    const more = from + SLICE_ACTORS < actors.length ? { more: true } : {};
    slices.push({ kind: 'present', process, at, actors: slice, ...more });
  }
  return slices;
}
