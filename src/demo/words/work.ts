// The job of the demo: for each file one idempotent call and one that is not, with a bounded number in flight.
// Invariant: each call is counted exactly once, by how it ended.
import { HoldfastError, type Client } from '../../index.ts';
import type { Receipt } from './ledger.ts';
import { Tally, type Statistics } from './statistics.ts';

const IN_FLIGHT = 64;
const TICK_MS = 10;
const DEADLINE_MS = 30_000;
/** Calls kept back until the faults are through, so that each of them meets work. */
const KEPT_BACK = 0.08;

export interface WorkOptions {
  readonly client: Client;
  readonly paths: readonly string[];
  /** The calls are spread evenly over this time; an outage is made up for as fast as they get through. */
  readonly spanMs: number;
  /** Milliseconds since the work began. */
  elapsedMs(): number;
  readonly signal: AbortSignal;
}

/** A call that did not end with a result. */
export interface Failure {
  readonly path: string;
  /** `lost (unknown)`, `timed_out`, … */
  readonly outcome: string;
  readonly node: string | undefined;
  readonly startedMs: number;
  readonly message: string;
}

export class Work {
  readonly #options: WorkOptions;
  readonly tally = new Tally();
  readonly receipts: Receipt[] = [];
  readonly statsFailures: Failure[] = [];
  readonly appendFailures: Failure[] = [];
  /** Promises that settled; more than there are calls would mean that one ended twice. */
  settled = 0;
  #next = 0;
  #inFlight = 0;
  #faults: 'ahead' | 'through' = 'ahead';
  #finished: (() => void) | undefined;

  constructor(options: WorkOptions) {
    this.#options = options;
  }

  get calls(): number {
    return 2 * this.#options.paths.length;
  }
  get inFlight(): number {
    return this.#inFlight;
  }
  get filesDone(): number {
    return Math.floor(this.settled / 2);
  }

  /** The rest may be done now. */
  faultsThrough(): void {
    this.#faults = 'through';
  }

  /** Resolves when every call has ended. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve) => void (this.#finished = resolve));
    const ticker = setInterval(() => this.#fill(), TICK_MS);
    this.#fill();
    await finished;
    clearInterval(ticker);
  }

  #fill(): void {
    const { elapsedMs, spanMs, signal } = this.#options;
    const most = this.#faults === 'through' ? this.calls : Math.floor(this.calls * (1 - KEPT_BACK));
    const due = signal.aborted ? 0 : Math.min(most, Math.ceil((this.calls * elapsedMs()) / spanMs));
    while (this.#next < due && this.#inFlight < IN_FLIGHT) {
      const path = this.#options.paths[Math.floor(this.#next / 2)] ?? '';
      void this.#one(this.#next % 2 === 0 ? 'stats' : 'append', path);
      this.#next += 1;
    }
    const over = signal.aborted ? this.#inFlight === 0 : this.settled === this.calls;
    if (over) this.#finished?.();
  }

  async #one(kind: 'stats' | 'append', path: string): Promise<void> {
    const { client, signal, elapsedMs } = this.#options;
    const startedMs = elapsedMs();
    this.#inFlight += 1;
    try {
      if (kind === 'stats') {
        const options = { idempotent: true, deadlineMs: DEADLINE_MS, signal };
        this.tally.add(path, await client.call<Statistics>('stats', [path], options));
      } else {
        this.receipts.push(await client.call<Receipt>('append', [path], { deadlineMs: DEADLINE_MS, signal }));
      }
    } catch (error) {
      const failures = kind === 'stats' ? this.statsFailures : this.appendFailures;
      failures.push({ path, startedMs, ...describe(error) });
    }
    this.#inFlight -= 1;
    this.settled += 1;
    this.#fill();
  }
}

function describe(error: unknown): Pick<Failure, 'outcome' | 'node' | 'message'> {
  if (!(error instanceof HoldfastError)) return { outcome: 'error', node: undefined, message: String(error) };
  const { code, started, node, message } = error;
  return { outcome: code === 'lost' ? `lost (${started})` : code, node, message };
}
