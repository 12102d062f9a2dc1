// One gate in a process that may be killed, with nodes that come and go, on a simulated clock whose timers come late.
// Invariant: what the budget should be is measured from outside, by the pauses that the gate told of and its deaths.
import type { AnyStateMachine } from 'xstate';
import {
  gateEffects,
  type GateInput,
  gateInput,
  gateMachine,
  type GateRecord,
} from '../../machines/index.ts';
import { type Actor, createSystem, recordTransitions, type System } from '../../src/actors/index.ts';
import { transitionLine, type TransitionRecord } from '../../src/index.ts';
import { conform, createSimulation, Prng, type Host, type Simulation } from '../../src/testing/index.ts';
import { WallClock } from './wall-clock.ts';

/** The quorum. */
const QUORUM = 3;
const ALL = ['n1', 'n2', 'n3', 'n4', 'n5'];
const HOUR_MS = 3_600_000;

export interface Trial {
  readonly seed: number;
  readonly budget: GateInput['budget'];
  readonly terminateAfterMs: number;
  /** How often the process is killed in a pause. */
  readonly kills: number;
  /** Pauses that end with the quorum, before the last one. */
  readonly pauses: number;
  /** No timer is later than this. */
  readonly latenessMs: number;
  readonly machine?: AnyStateMachine;
  /** Whether its transition log is held against the machine. @default 'unread' */
  readonly log?: 'unread' | 'read';
}

export interface Verdict {
  /** Of the budget, in uptime of the process, from outside. */
  readonly spentMs: number;
  readonly errorMs: number;
  readonly events: number;
  readonly unexpected: number;
  /** Lines of its transition log, and those that its machine could not take. */
  readonly lines: number;
  readonly impossible: readonly object[];
  readonly wallClockReads: number;
}

class Process {
  readonly sim: Simulation;
  readonly random: Prng;
  readonly wallClock = new WallClock();
  readonly trial: Trial;
  /** What is on the disk. */
  record: GateRecord = { consumedMs: 0, from: 'gathering' };
  spentMs = 0;
  pausedAt: number | undefined;
  state: 'open' | 'paused' | 'delivering' | 'over' = 'paused';
  events = 0;
  unexpected = 0;
  readonly #log: string[] = [];
  #lives = 0;
  readonly #epochs = new Map<string, number>();
  #host: Host | undefined;
  #system: System | undefined;
  #gate: Actor<typeof gateMachine> | undefined;

  constructor(trial: Trial) {
    this.trial = trial;
    this.sim = createSimulation({ seed: trial.seed });
    this.random = new Prng(trial.seed, 'gate');
  }

  start(): void {
    const host = this.sim.host('hub');
    const { latenessMs, budget, terminateAfterMs, machine = gateMachine } = this.trial;
    const clock = {
      now: () => host.now(),
      setTimer: (fn: () => void, delayMs: number) => host.setTimer(fn, delayMs + this.upTo(latenessMs)),
      clearTimer: host.clearTimer.bind(host),
      endOfTurn: host.endOfTurn.bind(host),
      onJump: host.onJump.bind(host),
    };
    this.#host = host;
    this.#epochs.clear();
    this.#lives += 1;
    const write = (record: TransitionRecord) => void this.#log.push(transitionLine(record));
    const inspect = recordTransitions(this.trial.log === 'read' ? write : undefined, `life ${this.#lives}`);
    const system = createSystem({ clock, inspect });
    this.#system = system;
    const input = { ...gateInput, minNodes: QUORUM, resumeNodes: QUORUM, gatherTimeoutMs: undefined };
    const later = (ms: number, fn: () => void) => void host.setTimer(fn, ms);
    const gate = system.spawn(machine as typeof gateMachine, {
      id: 'gate',
      input: { ...input, budget, terminateAfterMs, ...this.record },
      effects: gateEffects,
      performers: {
        sendSync: ({ node, epoch }) =>
          later(this.upTo(20), () => this.tell({ type: 'node.synced', node, epoch })),
        openGate: () => this.left('open'),
        pauseGate: () => {
          this.state = 'paused';
          this.pausedAt = this.sim.now;
        },
        measureBudget: ({ epoch }) => this.tell({ type: 'budget.measured', epoch }),
        recordBudget: (record) => later(this.upTo(5), () => void (this.record = record)),
        deliverModel: ({ epoch }) => {
          this.left('delivering');
          later(50, () => this.tell({ type: 'model.delivered', epoch }));
        },
        announceEnd: () => void (this.state = 'over'),
      },
    });
    this.#gate = gate;
    this.tell({ type: 'training.started' });
  }

  upTo(ms: number): number {
    return (this.random.uint32() / 2 ** 32) * ms;
  }

  tell(event: Parameters<Actor<typeof gateMachine>['send']>[0]): void {
    this.events += 1;
    this.#gate?.send(event);
  }

  left(state: 'open' | 'delivering'): void {
    this.state = state;
    if (this.pausedAt === undefined) return;
    const passedMs = this.sim.now - this.pausedAt;
    this.pausedAt = undefined;
    // A pause that the quorum ended is forgotten, unless all share one budget.
    const isForgotten = state === 'open' && this.trial.budget === 'perPause';
    this.spentMs = isForgotten ? 0 : this.spentMs + passedMs;
  }

  join(node: string): void {
    const epoch = (this.#epochs.get(node) ?? 0) + 1;
    this.#epochs.set(node, epoch);
    this.tell({ type: 'node.joined', node, epoch });
  }

  leave(node: string): void {
    const epoch = this.#epochs.get(node);
    if (epoch !== undefined) this.tell({ type: 'node.left', node, epoch });
  }

  /** As `kill -9` does; the process comes back after a while, and two of its nodes do. */
  async kill(): Promise<void> {
    if (this.pausedAt !== undefined) this.spentMs += this.sim.now - this.pausedAt;
    this.pausedAt = undefined;
    this.unexpected += this.#system?.unexpectedEvents ?? 0;
    this.#host?.kill();
    this.#gate = undefined;
    await this.sim.run(this.upTo(60_000));
    this.start();
    for (const node of ALL.slice(0, QUORUM - 1)) this.join(node);
  }

  /** Reconnects that do not bring the quorum back: two nodes count, others only join or flap. */
  storm(): void {
    const { sim } = this;
    const flapping = ALL[QUORUM - 2] as string;
    this.leave(flapping);
    sim.host('hub').setTimer(() => this.join(flapping), this.upTo(50));
    for (let i = 0; i < 20; i += 1) {
      const passer = `passer ${this.random.uint32() % 100}`;
      this.join(passer);
      this.leave(passer);
    }
    this.wallClock.jump((this.random.uint32() % 2 === 0 ? 1 : -1) * HOUR_MS);
  }

  async until(state: Process['state']): Promise<void> {
    await this.sim.runUntil(() => this.state === state, 10 * this.trial.terminateAfterMs);
  }

  verdict(): Verdict {
    const { spentMs, events, wallClock, trial } = this;
    const { impossible, gaps } = conform(this.#log, { machines: [trial.machine ?? gateMachine] });
    return {
      spentMs,
      errorMs: Math.abs(spentMs - trial.terminateAfterMs),
      events,
      unexpected: this.unexpected + (this.#system?.unexpectedEvents ?? 0),
      lines: this.#log.length,
      impossible: [...impossible, ...gaps],
      wallClockReads: wallClock.reads,
    };
  }

  async lose(): Promise<void> {
    for (const node of ALL.slice(QUORUM - 1)) this.leave(node);
    await this.until('paused');
  }
}

/** Runs one gate to its end. */
export async function run(trial: Trial): Promise<Verdict> {
  const it = new Process(trial);
  it.wallClock.install(() => it.sim.now);
  try {
    it.start();
    for (const node of ALL) it.join(node);
    await it.until('open');
    await it.lose();
    for (let pause = 0; pause < trial.pauses; pause += 1) {
      await it.sim.run(it.upTo(trial.terminateAfterMs / (2 * trial.pauses)));
      for (const node of ALL.slice(QUORUM - 1)) it.join(node);
      await it.until('open');
      await it.sim.run(it.upTo(10_000));
      await it.lose();
    }
    for (let kill = 0; kill < trial.kills; kill += 1) {
      await it.sim.run(it.upTo(trial.terminateAfterMs / (3 * trial.kills)));
      it.storm();
      await it.kill();
    }
    while (it.state === 'paused') {
      it.storm();
      await it.sim.run(it.upTo(trial.terminateAfterMs / 100));
    }
    await it.until('over');
    return it.verdict();
  } finally {
    it.wallClock.uninstall();
  }
}
