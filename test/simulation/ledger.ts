// What was asked for, what was executed, and what came of it: the truth that a run is measured by.
// Invariant: it sees more than anybody in the fleet can: executions of instances that were killed, calls whose client is gone.
import type { CallPlan } from './scenario.ts';

interface Execution {
  /** The life of the node that ran it: `n3#2`. */
  readonly by: string;
  readonly attempt: number;
  readonly at: number;
}

export interface Outcome {
  /** `succeeded`, or the code of the error. */
  readonly code: string;
  readonly started: 'notStarted' | 'unknown' | undefined;
  readonly node: string | undefined;
  readonly message: string;
  readonly at: number;
}

/** One call of one life of a client. */
export interface Entry {
  readonly key: string;
  readonly plan: CallPlan;
  /** The life of the client: `c1#1`. */
  readonly by: string;
  readonly askedAt: number;
  readonly executions: Execution[];
  outcome: Outcome | undefined;
  /** Its client was killed: nobody is told what becomes of it. */
  orphaned: boolean;
  /** When its signal was aborted, or its consumer left. */
  cancelledAt: number | undefined;
}

export class Ledger {
  readonly entries = new Map<string, Entry>();
  /** Node ids an instance of which is gone for good, and clients' lives: what may explain that an outcome is unknown. */
  readonly gone = new Map<string, string>();
  /** Since when nodes and clients are online at no hub. */
  readonly #offlineSince = new Map<string, number>();
  /** Calls that have neither ended nor lost their client, by the life of their client. */
  readonly open = new Map<string, number>();
  readonly #broken: (what: string) => void;
  readonly #now: () => number;

  readonly #graceMs: number;

  /** `graceMs`: how long a hub waits for who is away. */
  constructor(now: () => number, graceMs: number, broken: (what: string) => void) {
    this.#now = now;
    this.#graceMs = graceMs;
    this.#broken = broken;
  }

  offline(id: string): void {
    if (!this.#offlineSince.has(id)) this.#offlineSince.set(id, this.#now());
  }

  online(id: string): void {
    if (this.isGone(id)) this.gone.set(id, 'away for longer than its session lasts');
    this.#offlineSince.delete(id);
  }

  /** Whether a hub may have given up an instance of this id. */
  isGone(id: string): boolean {
    return this.gone.has(id) || this.#now() - (this.#offlineSince.get(id) ?? Infinity) >= this.#graceMs;
  }

  ask(by: string, plan: CallPlan): Entry {
    const key = `${by}/${this.entries.size + 1}`;
    const entry: Entry = {
      key,
      plan,
      by,
      askedAt: this.#now(),
      executions: [],
      outcome: undefined,
      orphaned: false,
      cancelledAt: undefined,
    };
    this.entries.set(key, entry);
    this.open.set(by, (this.open.get(by) ?? 0) + 1);
    return entry;
  }

  execute(key: string, by: string, attempt: number): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return this.#broken(`${by} executes ${key}, which nobody asked for`);
    const { executions, plan, outcome } = entry;
    const again = executions.find((earlier) => earlier.attempt === attempt);
    executions.push({ by, attempt, at: this.#now() });
    const told = executions
      .map((it) => `attempt ${it.attempt} on ${it.by} at ${it.at.toFixed(0)}`)
      .join(', ');
    // A hub that starts anew places a durable call that may be repeated anew, as the same attempt.
    const mayRepeat = plan.idempotent && plan.durable;
    if (again !== undefined && !mayRepeat)
      this.#broken(`attempt ${attempt} of ${key} was executed twice: ${told}`);
    else if (!plan.idempotent && executions.length > 1) this.#broken(`${key} was executed twice: ${told}`);
    if (outcome?.started === 'notStarted')
      this.#broken(`${key} ended ${outcome.code} as not started, and was executed: ${told}`);
  }

  settle(entry: Entry, outcome: Outcome): void {
    if (entry.outcome !== undefined) {
      return this.#broken(`${entry.key} ended twice: ${entry.outcome.code}, then ${outcome.code}`);
    }
    entry.outcome = outcome;
    if (!entry.orphaned) this.#close(entry.by);
  }

  orphan(by: string): void {
    for (const entry of this.entries.values()) {
      if (entry.by !== by || entry.outcome !== undefined) continue;
      entry.orphaned = true;
      this.#close(by);
    }
  }

  #close(by: string): void {
    this.open.set(by, (this.open.get(by) ?? 0) - 1);
  }
}
