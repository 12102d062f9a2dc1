// Runs the simulation over many seeds: `npm run simulate -- --seeds N [--from S] [--minutes M] [--verbose] [--shrink]`.
// Invariant: a seed that fails is named with the command that runs it again, exactly, and the status is 1.
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { drawScenario, withDrains, withStore, type Scenario } from './scenario.ts';
import { runScenario, type Report } from './run.ts';
import { shrink } from './shrink.ts';
import { twins, type TwinName } from './twins.ts';

const USAGE =
  'usage: npm run simulate -- [--seeds N] [--from SEED] [--minutes M] [--verbose] [--shrink] [--store] [--drains] [--twin NAME]\n' +
  '  --seeds N     how many seeds, one after the other (default 100; without end when --minutes is given)\n' +
  '  --from SEED   the first of them (default 1)\n' +
  '  --minutes M   ends after the seed that is running then\n' +
  '  --verbose     prints the whole trace of each seed\n' +
  '  --shrink      looks for the fewest faults and calls with which a failing seed still fails\n' +
  '  --store       every hub has a store, and half of the calls are durable; otherwise those of some seeds\n' +
  '  --drains      nodes are drained at bad times by every seed; otherwise by some\n' +
  `  --twin NAME   a fleet that is broken on purpose: ${Object.keys(twins).join(', ')}\n`;

/** Lines of the trace that are shown of a failing seed. */
const LAST_LINES = 60;
const PROGRESS_MS = 1_000;

interface Settings {
  readonly seeds: number;
  readonly from: number;
  readonly minutes: number;
  readonly verbose: boolean;
  readonly shrink: boolean;
  readonly store: boolean;
  readonly drains: boolean;
  readonly twin: TwinName;
}

function settings(): Settings {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        from: { type: 'string', default: '1' },
        minutes: { type: 'string' },
        verbose: { type: 'boolean', default: false },
        shrink: { type: 'boolean', default: false },
        store: { type: 'boolean', default: false },
        drains: { type: 'boolean', default: false },
        twin: { type: 'string', default: 'none' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const number = (name: string, text: string | undefined, otherwise: number, least: number): number => {
      const value = text === undefined ? otherwise : Number(text);
      if (!(value >= least) || (name !== 'minutes' && value !== Infinity && !Number.isSafeInteger(value)))
        throw new Error(`--${name} is ${text}; give a number from ${least} on`);
      return value;
    };
    const minutes = number('minutes', values.minutes, Infinity, 0);
    if (!Object.hasOwn(twins, values.twin)) throw new Error(`there is no twin ${values.twin}`);
    return {
      seeds: number('seeds', values.seeds, minutes === Infinity ? 100 : Infinity, 1),
      from: number('from', values.from, 1, 0),
      minutes,
      verbose: values.verbose,
      shrink: values.shrink,
      store: values.store,
      drains: values.drains,
      twin: values.twin as TwinName,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

class Tally {
  readonly #since = performance.now();
  readonly #outcomes = new Map<string, number>();
  #shownAt = 0;
  seeds = 0;
  #faults = 0;
  #calls = 0;
  #simulatedMs = 0;

  get minutes(): number {
    return (performance.now() - this.#since) / 60_000;
  }

  add({ faults, calls, simulatedMs, outcomes }: Report): void {
    this.seeds += 1;
    this.#faults += faults;
    this.#calls += calls;
    this.#simulatedMs += simulatedMs;
    for (const [how, count] of Object.entries(outcomes))
      this.#outcomes.set(how, (this.#outcomes.get(how) ?? 0) + count);
  }

  line(): string {
    const perSecond = (this.seeds / (this.minutes * 60)).toFixed(1);
    const hours = (this.#simulatedMs / 3_600_000).toFixed(1);
    return `${this.seeds} seeds, ${perSecond}/s, ${hours} h simulated, ${this.#faults} faults, ${this.#calls} calls`;
  }

  outcomes(): string {
    return [...this.#outcomes].map(([how, count]) => `${count} ${how}`).join(', ');
  }

  progress(): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAt < PROGRESS_MS) return;
    this.#shownAt = now;
    process.stderr.write(`\r\u001B[K${this.line()}`);
  }
}

function scenarioOf(seed: number, { store, drains }: Settings): Scenario {
  const drawn = drawScenario(seed);
  const drained = drains ? withDrains(drawn) : drawn;
  return store ? withStore(drained) : drained;
}

function tell({ seed, violation, trace }: Report, { verbose, twin, store, drains }: Settings): void {
  const shown = verbose ? [] : trace.slice(-LAST_LINES);
  const ofFleet = `${store ? ' --store' : ''}${drains ? ' --drains' : ''}`;
  const ofTwin = `${ofFleet}${twin === 'none' ? '' : ` --twin ${twin}`}`;
  process.stdout.write(
    `${shown.join('\n')}\n\nseed ${seed} fails ${violation}\n` +
      `to run it again: npm run simulate -- --from ${seed} --seeds 1 --verbose${ofTwin}\n`,
  );
}

async function tellShrunk(drawn: Scenario, twin: TwinName): Promise<void> {
  const { scenario, report } = await shrink(drawn, twin);
  const { faults, calls } = scenario;
  process.stdout.write(
    `\nwith ${faults.length} faults and ${calls.length} calls it still fails ${report.violation}\n` +
      `${report.trace.slice(-LAST_LINES).join('\n')}\n` +
      [...faults, ...calls].map((part) => JSON.stringify(part)).join('\n') +
      '\n',
  );
}

const given = settings();
const tally = new Tally();
let failed = 0;
const stopped = new AbortController();
// The seed that is running ends; the second Ctrl-C does not wait for it.
process.once('SIGINT', () => stopped.abort());
for (
  let seed = given.from;
  !stopped.signal.aborted && tally.seeds < given.seeds && tally.minutes < given.minutes;
  seed += 1
) {
  const scenario = scenarioOf(seed, given);
  const report = await runScenario(scenario, given.twin);
  tally.add(report);
  if (given.verbose) process.stdout.write(`${report.trace.join('\n')}\nfingerprint ${report.fingerprint}\n`);
  if (report.violation !== undefined) {
    failed += 1;
    tell(report, given);
    if (given.shrink) await tellShrunk(scenario, given.twin);
  }
  tally.progress();
  await endOfTurn();
}
if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
process.stdout.write(`${tally.line()}\ncalls ended: ${tally.outcomes()}\n${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : stopped.signal.aborted ? 130 : 0;
