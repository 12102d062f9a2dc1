// One simulated process: its clock, its randomness, and whether it runs, is stopped, or was killed.
// Invariant: nothing of a killed process runs again; nothing of a stopped one runs before it is continued.
import type { Clock, Dialer, Listener, Random, Timer } from '../ports.ts';
import { Prng } from './prng.ts';
import type { Happening, Timeline } from './timeline.ts';

/** Something that is going to happen on a host, or to the network itself. */
export interface Task extends Happening {
  readonly host: Host | undefined;
  readonly kind: 'timer' | 'input';
}

/** The simulation, as its hosts see it. */
export interface World {
  readonly seed: number;
  readonly now: number;
  readonly timeline: Timeline<Task>;
  readonly turnEnds: TurnEnd[];
  note(line: string): void;
}

export interface TurnEnd {
  readonly host: Host;
  readonly fn: () => void;
}

/** Later ticks than this are told as a jump, as the real clocks do. */
const JUMP_MS = 3_000;

export class Host implements Clock {
  readonly name: string;
  readonly clock: Clock = this;
  readonly random: Random;
  readonly listener: Listener;
  readonly dialer: Dialer;
  state: 'running' | 'stopped' | 'killed' = 'running';
  readonly #world: World;
  readonly #killed: (host: Host, silently: boolean) => void;
  readonly #listeners = new Set<(jumpMs: number) => void>();
  #backlog: (Task | TurnEnd)[] = [];
  #stoppedAt = 0;

  constructor(
    world: World,
    name: string,
    network: { readonly listener: Listener; readonly dialer: Dialer },
    killed: (host: Host, silently: boolean) => void,
  ) {
    this.name = name;
    this.random = new Prng(world.seed, `host ${name}`);
    this.listener = network.listener;
    this.dialer = network.dialer;
    this.#world = world;
    this.#killed = killed;
  }

  now(): number {
    return this.#world.now;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    if (Number.isNaN(delayMs)) throw new Error('a timer was set for NaN milliseconds');
    const task: Task = { at: 0, seq: 0, index: -1, fn, host: this, kind: 'timer' };
    return this.#world.timeline.plan(task, this.#world.now + Math.max(0, delayMs));
  }

  clearTimer(timer: Timer): void {
    this.#world.timeline.remove(timer as Task);
    if (this.#backlog.length > 0) this.#backlog = this.#backlog.filter((waiting) => waiting !== timer);
  }

  endOfTurn(fn: () => void): void {
    this.#world.turnEnds.push({ host: this, fn });
  }

  onJump(fn: (jumpMs: number) => void): () => void {
    const listener = (jumpMs: number): void => fn(jumpMs);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** As SIGSTOP does: time goes on, input piles up, nothing runs. */
  stop(): void {
    if (this.state !== 'running') return;
    this.#world.note(`${this.name} stops`);
    this.state = 'stopped';
    this.#stoppedAt = this.#world.now;
  }

  /** As SIGCONT does: timers that are overdue come first, then the input. A long sleep is told as a jump. */
  continue(): void {
    if (this.state !== 'stopped') return;
    this.#world.note(`${this.name} continues`);
    this.state = 'running';
    const { timeline, now, turnEnds } = this.#world;
    const sleptMs = now - this.#stoppedAt;
    if (sleptMs >= JUMP_MS) {
      this.#plan(() => {
        for (const listener of [...this.#listeners]) listener(sleptMs);
      });
    }
    const tasks = this.#backlog.filter((waiting): waiting is Task => 'kind' in waiting);
    for (const kind of ['timer', 'input']) {
      for (const task of tasks) if (task.kind === kind) timeline.plan(task, now);
    }
    turnEnds.push(...this.#backlog.filter((waiting): waiting is TurnEnd => !('kind' in waiting)));
    this.#backlog = [];
  }

  /**
   * As `kill -9` does. Peers learn of it when the network tells them.
   * @param silently the machine is gone too: peers are never told
   */
  kill(silently = false): void {
    if (this.state === 'killed') return;
    this.#world.note(`${this.name} is killed`);
    this.state = 'killed';
    this.#backlog = [];
    this.#listeners.clear();
    this.#killed(this, silently);
  }

  /** Takes what was due while the process is stopped. */
  keep(waiting: Task | TurnEnd): void {
    this.#backlog.push(waiting);
  }

  #plan(fn: () => void): void {
    this.#world.timeline.plan({ at: 0, seq: 0, index: -1, fn, host: this, kind: 'timer' }, this.#world.now);
  }
}
