// One run: a scenario, carried out and measured.
// Invariant: the same scenario gives the same fingerprint; the first violation ends the run.
import type { TransitionSink } from '../../src/engine/transition-record.ts';
import { createSimulation, type Simulation } from '../../src/testing/index.ts';
import { Fleet } from './fleet.ts';
import { checkDue, checkEntry, checkStep, checkSystems, unrest } from './invariants.ts';
import type { Entry } from './ledger.ts';
import type { Scenario } from './scenario.ts';
import { strike } from './strike.ts';
import { twins, type TwinName } from './twins.ts';
import { ask } from './work.ts';

export interface Report {
  readonly seed: number;
  readonly fingerprint: string;
  /** What was violated first, with the simulated time; undefined when nothing was. */
  readonly violation: string | undefined;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly calls: number;
  readonly executions: number;
  readonly faults: number;
  /** How many calls ended in which way. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the end of the last fault until all was as it should be. */
  readonly healedMs: number;
  readonly trace: readonly string[];
}

/** The longest that anything may take to heal: sessions, backoffs and what nodes keep for clients that are gone. */
const QUIET_MS = 900_000;
const LOOK_MS = 1_000;
const STOP_MS = 120_000;

/** `transitions` hears of every transition of every process. */
export async function runScenario(
  scenario: Scenario,
  twin: TwinName = 'none',
  transitions?: TransitionSink,
): Promise<Report> {
  const run = new Run(scenario, twin);
  run.fleet.transitions = transitions;
  run.fleet.wallClock.install(() => run.sim.now);
  try {
    await run.all();
  } catch (error) {
    run.fleet.broken(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    run.fleet.wallClock.uninstall();
  }
  return run.report();
}

class Run {
  readonly sim: Simulation;
  readonly fleet: Fleet;
  readonly #scenario: Scenario;
  #violation: string | undefined;
  #steps = 0;
  #healedMs = 0;
  /** Calls that may still end. */
  readonly #open = new Set<Entry>();

  constructor(scenario: Scenario, twin: TwinName) {
    this.#scenario = scenario;
    this.sim = createSimulation({ seed: scenario.seed, traceLines: 5_000, ...scenario.network });
    this.fleet = new Fleet(this.sim, scenario, twins[twin], (what) => this.#broken(what));
  }

  async all(): Promise<void> {
    const { fleet, sim } = this;
    const { calls, faults, quietAt } = this.#scenario;
    await fleet.database?.open();
    fleet.startHub();
    for (const seat of [...fleet.nodes, ...fleet.clients]) seat.start();
    for (const plan of calls) sim.clock.setTimer(() => this.#ask(plan), plan.at);
    for (const fault of faults) sim.clock.setTimer(() => strike(fleet, fault), fault.at);
    await this.#pass(quietAt);
    sim.note('quiet');
    fleet.mend();
    await this.#heal();
    for (const entry of fleet.ledger.entries.values()) checkEntry(fleet, entry);
    checkSystems(fleet);
    if (this.#violation === undefined) await this.#stop();
  }

  report(): Report {
    const { sim, fleet } = this;
    const entries = [...fleet.ledger.entries.values()];
    const outcomes: Record<string, number> = {};
    for (const { outcome, orphaned } of entries) {
      const started = outcome?.code === 'lost' ? ` (${outcome.started})` : '';
      const how = orphaned ? 'orphaned' : `${outcome?.code ?? 'open'}${started}`;
      outcomes[how] = (outcomes[how] ?? 0) + 1;
    }
    return {
      seed: sim.seed,
      fingerprint: sim.fingerprint,
      violation: this.#violation,
      simulatedMs: sim.now,
      steps: this.#steps,
      calls: entries.length,
      executions: entries.reduce((sum, { executions }) => sum + executions.length, 0),
      faults: this.#scenario.faults.length,
      outcomes,
      healedMs: this.#healedMs,
      trace: sim.trace,
    };
  }

  #broken(what: string): void {
    this.sim.note(`VIOLATION ${what}`);
    this.#violation ??= `at ${this.sim.now.toFixed(3)} ms: ${what}`;
  }

  #ask(plan: Scenario['calls'][number]): void {
    const { process, host } = this.fleet.clientAt(plan.client);
    if (process === undefined || host.state !== 'running') return;
    const entry = ask(process, host, this.fleet.ledger, plan, this.fleet.broken);
    this.sim.note(`${entry.key} asks for ${plan.kind}${plan.idempotent ? ', idempotent' : ''}`);
    this.#open.add(entry);
  }

  /** Lets time pass, and looks at everything after each happening. */
  async #pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const { sim } = this;
    let state: 'passing' | 'over' = 'passing';
    const timer = sim.clock.setTimer(() => {
      state = 'over';
    }, ms);
    await sim.runUntil(() => {
      this.#look();
      return this.#violation !== undefined || state === 'over' || until();
    }, ms + 1);
    sim.clock.clearTimer(timer);
  }

  #look(): void {
    const { fleet, sim } = this;
    this.#steps += 1;
    checkStep(fleet);
    for (const entry of this.#open) {
      const { outcome, orphaned, key } = entry;
      if (outcome === undefined && !orphaned) continue;
      this.#open.delete(entry);
      if (outcome !== undefined) {
        const where = `${outcome.started ?? ''} ${outcome.node ?? ''}`;
        sim.note(`${key} ends: ${outcome.code} ${where} after ${entry.executions.length} executions`);
      }
      if (!orphaned) checkEntry(fleet, entry);
    }
  }

  /** Waits until nothing is left of what happened. */
  async #heal(): Promise<void> {
    const { fleet, sim } = this;
    const since = sim.now;
    for (;;) {
      await this.#pass(LOOK_MS);
      if (this.#violation !== undefined) return;
      for (const entry of this.#open) checkDue(fleet, entry, since);
      const wrong = unrest(fleet);
      this.#healedMs = sim.now - since;
      if (wrong.length === 0) return;
      // Attempts may be spent on a dial that was under way when the network was mended.
      if (this.#healedMs < 60_000) fleet.revive();
      if (this.#healedMs > QUIET_MS) return this.#broken(`after ${QUIET_MS} quiet ms: ${wrong.join('; ')}`);
    }
  }

  /** Everybody leaves, and takes everything along. */
  async #stop(): Promise<void> {
    const { fleet, sim } = this;
    const { nodes, clients, hub } = fleet;
    const stopping = Promise.all([
      ...[...clients, ...nodes].flatMap((seat) => [
        seat.process?.stop(),
        ...seat.former.filter(({ host }) => host.state !== 'killed').map(({ process }) => process.stop()),
      ]),
    ]).then(() => hub?.stop());
    await sim.settle(stopping, STOP_MS);
    await sim.settle(fleet.database?.close() ?? Promise.resolve(), STOP_MS);
    // What was planned for hosts that were killed, and sockets that wait for an answer to their close.
    await sim.run(STOP_MS);
    if (sim.planned > 0) this.#broken(`${sim.planned} timers and deliveries are left when all have stopped`);
    if (sim.network.links.length > 0)
      this.#broken(`${sim.network.links.length} links are left when all have stopped`);
    checkSystems(fleet);
  }
}
