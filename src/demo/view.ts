// What the demo shows while it runs: a progress bar and the fleet's states on a terminal, plain lines elsewhere.
// Invariant: showing changes nothing, and without a terminal no control character is written.
import type { Fleet, Station } from './fleet.ts';
import { Screen } from './screen.ts';
import type { Work } from './work.ts';

const BAR = 32;
const REDRAW_MS = 100;
const PLAIN_MS = 2_000;

/** Transitions that a person follows; the way in between is left out. */
const WORTH =
  /^(connected → transient_failure|reconnecting in|registering → connected|gave up|\S+ (online|suspect) → (suspect|absent))/;

export interface ViewOptions {
  readonly elapsedMs: () => number;
  readonly totalFiles: number;
}

export class View {
  readonly #options: ViewOptions;
  readonly #screen: Screen | undefined;
  #timer: NodeJS.Timeout | undefined;
  #phase: 'open' | 'closed' = 'open';

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#screen = process.stdout.isTTY ? new Screen(process.stdout) : undefined;
  }

  /** A line that stays. */
  say(message: string): void {
    const line = `${(this.#options.elapsedMs() / 1_000).toFixed(1).padStart(5)} s  ${message}`;
    if (this.#screen === undefined) process.stdout.write(`${line}\n`);
    else this.#screen.print(line);
  }

  /** A line of a process's log, if it is worth a person's while. */
  heard(who: string, message: string): void {
    if (this.#phase === 'open' && WORTH.test(message)) this.say(`${who.padEnd(6)} ${message}`);
  }

  /** Shows progress and fleet until `close`. */
  watch(fleet: Fleet, work: Work, clientState: () => string): void {
    const show = (): void => {
      const { filesDone, inFlight } = work;
      if (this.#screen === undefined) {
        const nodes = [...fleet.stations.values()].map((it) => `${it.id} ${stateOf(it)}`).join(', ');
        this.say(
          `${filesDone}/${this.#options.totalFiles} files, ${inFlight} calls in flight; ${nodes}; client ${clientState()}`,
        );
      } else {
        this.#screen.draw(this.#picture(fleet, work, clientState()));
      }
    };
    this.#timer = setInterval(show, this.#screen === undefined ? PLAIN_MS : REDRAW_MS);
  }

  close(): void {
    this.#phase = 'closed';
    clearInterval(this.#timer);
    this.#screen?.close();
  }

  #picture(fleet: Fleet, { filesDone, inFlight }: Work, client: string): string[] {
    const { totalFiles, elapsedMs } = this.#options;
    const done = Math.floor((BAR * filesDone) / Math.max(1, totalFiles));
    const bar = '█'.repeat(done) + '░'.repeat(BAR - done);
    const hub = fleet.hub?.life === 'running' ? `process ${fleet.hub.pid}` : 'killed';
    return [
      '',
      `${bar} ${filesDone}/${totalFiles} files  ${(elapsedMs() / 1_000).toFixed(1)} s`,
      `hub     ${hub}`,
      `client  ${client.padEnd(18)} ${inFlight} calls in flight`,
      ...[...fleet.stations.values()].map((it) => rowOf(it)),
    ];
  }
}

function stateOf({ member, link }: Station): string {
  if (member.life === 'gone') return 'KILLED';
  return member.life === 'stopped' ? 'STOPPED' : link;
}

function rowOf(station: Station): string {
  const { id, active, executed, member } = station;
  const numbers = `${String(active).padStart(3)} running  ${String(executed).padStart(5)} executed`;
  return `${id}  ${stateOf(station).padEnd(18)} ${numbers}  process ${member.pid}`;
}
