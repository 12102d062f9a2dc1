// What a demo shows while it runs: a picture that is drawn again on a terminal, plain lines elsewhere.
// Invariant: showing changes nothing, and without a terminal no control character is written.
import type { Station } from './fleet.ts';
import { Screen } from './screen.ts';

const BAR = 32;
const REDRAW_MS = 100;
const PLAIN_MS = 2_000;

/** Transitions that a person follows; the way in between is left out. */
const WORTH =
  /^(connected → transient_failure|reconnecting in|registering → connected|gave up|\S+ (online|suspect) → (suspect|absent))/;

/** What goes on, as one line and as a picture of several. */
export interface Scene {
  line(): string;
  picture(): string[];
}

export class View {
  readonly #elapsedMs: () => number;
  readonly #screen: Screen | undefined;
  #timer: NodeJS.Timeout | undefined;
  #phase: 'open' | 'closed' = 'open';

  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs;
    this.#screen = process.stdout.isTTY ? new Screen(process.stdout) : undefined;
  }

  /** A line that stays. */
  say(message: string): void {
    const line = `${(this.#elapsedMs() / 1_000).toFixed(1).padStart(5)} s  ${message}`;
    if (this.#screen === undefined) process.stdout.write(`${line}\n`);
    else this.#screen.print(line);
  }

  /** A line of a process's log, if it is worth a person's while. */
  heard(who: string, message: string): void {
    if (this.#phase === 'open' && WORTH.test(message)) this.say(`${who.padEnd(6)} ${message}`);
  }

  /** Shows the scene until `close`. */
  watch(scene: Scene): void {
    const screen = this.#screen;
    if (screen === undefined) this.#timer = setInterval(() => this.say(scene.line()), PLAIN_MS);
    else this.#timer = setInterval(() => screen.draw(scene.picture()), REDRAW_MS);
  }

  close(): void {
    this.#phase = 'closed';
    clearInterval(this.#timer);
    this.#screen?.close();
  }
}

export function bar(done: number, all: number): string {
  const full = Math.floor((BAR * done) / Math.max(1, all));
  return '█'.repeat(full) + '░'.repeat(BAR - full);
}

/** Of a node: its link, or what was done to its process. */
export function stateOf({ member, link }: Station): string {
  if (member.life === 'gone') return 'KILLED';
  return member.life === 'stopped' ? 'STOPPED' : link;
}
