// A fleet in memory: simulated processes on a simulated clock and network, driven by a seed.
// Invariant: two runs by the same seed and the same script are the same, happening by happening.
import type { InspectionRecord } from '../actors/index.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { Host } from './host.ts';
import type { Task, TurnEnd, World } from './host.ts';
import { SimulatedNetwork } from './network.ts';
import type { Network, NetworkOptions } from './network.ts';
import { fnv1a } from './prng.ts';
import { Timeline } from './timeline.ts';

export interface SimulationOptions extends NetworkOptions {
  /** The same seed gives the same run. */
  readonly seed: number;
  /** Lines of the trace that are kept, the latest; all of them count in the fingerprint. @default 10 000 */
  readonly traceLines?: number;
  /** Happenings at one instant, beyond which the run is a loop that never lets time move. @default 1 000 000 */
  readonly maxPerInstant?: number;
}

export interface LogEntry {
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

export interface Simulation {
  readonly seed: number;
  /** Milliseconds since the start. */
  readonly now: number;
  /** Clock and randomness of the host `main`. */
  readonly clock: Clock;
  readonly random: Random;
  /** Its listener and dialer are those of the host `main`. */
  readonly network: Network;
  /** A simulated process, made at first mention; after its `kill()` the name stands for a new one. */
  host(name: string): Host;
  /** A log that keeps its entries. */
  readonly log: Log & { readonly entries: readonly LogEntry[] };
  /** Adds a line to the trace, and so to the fingerprint. */
  note(line: string): void;
  /** For `createSystem({ inspect })`: transitions, effects and crashes go into the trace. */
  inspect(host?: string): (record: InspectionRecord) => void;
  readonly trace: readonly string[];
  /** A hash of the trace so far. */
  readonly fingerprint: string;
  /** Lets `ms` milliseconds pass. Promises that continue meanwhile do so before the next happening. */
  run(ms: number): Promise<void>;
  /**
   * Goes on until `condition` holds.
   * @throws Error, with the seed, when it does not within `maxMs` simulated milliseconds
   */
  runUntil(condition: () => boolean, maxMs: number): Promise<void>;
  /** Goes on until `promise` is settled, and answers as it does. */
  settle<T>(promise: Promise<T>, maxMs: number): Promise<T>;
  /** Timers and deliveries that are planned; those of processes that were killed do not count. */
  readonly planned: number;
}

class FleetSimulation implements Simulation, World {
  readonly seed: number;
  now = 0;
  readonly timeline = new Timeline<Task>();
  turnEnds: TurnEnd[] = [];
  readonly network: Network;
  readonly log: Log & { readonly entries: LogEntry[] };
  readonly #network: SimulatedNetwork;
  readonly #hosts = new Map<string, Host>();
  readonly #maxPerInstant: number;
  readonly #traceLines: number;
  #trace: string[] = [];
  #hash = [0x811c9dc5, 0x2f0b4c47];
  #runs = false;

  constructor({ seed, traceLines = 10_000, maxPerInstant = 1_000_000, ...network }: SimulationOptions) {
    this.seed = seed;
    this.#traceLines = traceLines;
    this.#maxPerInstant = maxPerInstant;
    this.#network = new SimulatedNetwork(this, network);
    const main = this.host('main');
    const of = this.#network;
    this.network = {
      listener: main.listener,
      dialer: main.dialer,
      shape: (options) => of.shape(options),
      reset: (filter) => of.reset(filter),
      cut: (filter) => of.cut(filter),
      swallow: (filter) => of.swallow(filter),
      heal: () => of.heal(),
      mute: (options) => of.mute(options),
      page: (url) => of.page(url),
      get links() {
        return of.links;
      },
    };
    const entries: LogEntry[] = [];
    const add = (level: LogEntry['level']) => (fields: object, message: string) =>
      void entries.push({ at: this.now, level, fields, message });
    this.log = { entries, debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
  }

  get clock(): Clock {
    return this.host('main').clock;
  }

  get random(): Random {
    return this.host('main').random;
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  get fingerprint(): string {
    return this.#hash.map((part) => part.toString(16).padStart(8, '0')).join('');
  }

  get planned(): number {
    const living = [...this.timeline].filter(({ host }) => host?.state !== 'killed');
    return living.length + this.turnEnds.length;
  }

  host(name: string): Host {
    const known = this.#hosts.get(name);
    if (known !== undefined && known.state !== 'killed') return known;
    const network = this.#network;
    const host: Host = new Host(
      this,
      name,
      {
        listener: { listen: (options) => network.listen(host, options) },
        dialer: { dial: (url, handlers) => network.dial(host, url, handlers) },
      },
      (killed, silently) => network.killed(killed, silently),
    );
    this.#hosts.set(name, host);
    return host;
  }

  note(line: string): void {
    const full = `${this.now.toFixed(3)} ${line}`;
    this.#hash = this.#hash.map((part) => fnv1a(full, part));
    this.#trace.push(full);
    if (this.#trace.length > 2 * this.#traceLines) this.#trace = this.#trace.slice(-this.#traceLines);
  }

  inspect(host = 'main'): (record: InspectionRecord) => void {
    return (record) => {
      const who = `${host} ${record.actor}`;
      if (record.kind === 'transition')
        this.note(`${who} ${record.from} -> ${record.to} by ${record.event.type}`);
      else if (record.kind === 'effect') this.note(`${who} does ${record.effect}`);
      else if (record.kind === 'crashed') this.note(`${who} crashed: ${String(record.error)}`);
    };
  }

  run(ms: number): Promise<void> {
    return this.#advance(this.now + ms, () => false).then(() => {});
  }

  async runUntil(condition: () => boolean, maxMs: number): Promise<void> {
    if (await this.#advance(this.now + maxMs, condition)) return;
    throw new Error(
      `${String(condition)} did not hold within ${maxMs} ms; at ${this.now} ms, seed ${this.seed}`,
    );
  }

  async settle<T>(promise: Promise<T>, maxMs: number): Promise<T> {
    let state: 'pending' | 'settled' = 'pending';
    const settled = (): void => {
      state = 'settled';
    };
    promise.then(settled, settled);
    if (await this.#advance(this.now + maxMs, () => state === 'settled')) return promise;
    throw new Error(`the promise did not settle within ${maxMs} ms; at ${this.now} ms, seed ${this.seed}`);
  }

  /** Whether `done` held before `until` was over. */
  async #advance(until: number, done: () => boolean): Promise<boolean> {
    if (this.#runs) throw new Error('the simulation is running already; await its run first');
    this.#runs = true;
    const rest = new Rest();
    try {
      await rest.turn();
      let perInstant = 0;
      for (;;) {
        if (done()) return true;
        perInstant += 1;
        if (perInstant > this.#maxPerInstant) throw new Error(`time stands still: ${perInstant} happenings`);
        const { next } = this.timeline;
        if (this.turnEnds.length > 0 && (next === undefined || next.at > this.now)) {
          this.#endTurn();
        } else if (next === undefined || next.at > until) {
          this.now = until;
          return false;
        } else {
          if (next.at > this.now) perInstant = 0;
          this.now = next.at;
          this.timeline.remove(next);
          this.#happen(next);
        }
        await rest.turn();
      }
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`the simulation failed at ${this.now} ms, seed ${this.seed}: ${what}`, {
        cause: error,
      });
    } finally {
      this.#runs = false;
      rest.over();
    }
  }

  #happen(task: Task): void {
    const { host } = task;
    if (host?.state === 'killed') return;
    if (host?.state === 'stopped') host.keep(task);
    else task.fn();
  }

  #endTurn(): void {
    const ends = this.turnEnds;
    this.turnEnds = [];
    for (const end of ends) {
      if (end.host.state === 'stopped') end.host.keep(end);
      else if (end.host.state === 'running') end.fn();
    }
  }
}

/** Gives every promise that can continue the time to do so: a message to oneself comes after all of them. */
class Rest {
  readonly #channel = new MessageChannel();
  #resume: () => void = () => {};

  constructor() {
    this.#channel.port1.onmessage = () => this.#resume();
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#channel.port2.postMessage(0);
    });
  }

  over(): void {
    this.#channel.port1.close();
  }
}

export function createSimulation(options: SimulationOptions): Simulation {
  return new FleetSimulation(options);
}
