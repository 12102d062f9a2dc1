// The demo `words`: a fleet of processes does a real job while its processes are killed, stopped and restarted.
// Invariant: every process is known to the fleet, and the client is stopped before its hub.
import { createClient, type Client } from '../../index.ts';
import { Fleet } from '../fleet.ts';
import { times } from '../role.ts';
import { View } from '../view.ts';
import { perform, type Act, type Stage, type Verdict } from '../stage.ts';
import { listDocuments, nodeModules, type Documents } from './documents.ts';
import { CLIENT, NODES, runFaults } from './faults.ts';
import { readLedgers } from './ledger.ts';
import type { DocumentsConfig } from './node-role.ts';
import { wordsScene } from './scene.ts';
import { judge, plainRun } from './verdict.ts';
import { Work } from './work.ts';

export interface WordsOptions {
  /** Folder whose text files are worked on. @default the project's node_modules */
  readonly input?: string;
  readonly maxFiles: number;
}

const LIMIT_MS = 60_000;
/** Calls that have not ended by then are cancelled: the summary still comes within the limit. */
const GIVE_UP_MS = 52_000;
const START_MS = 15_000;
const SPAN_MS = 26_000;

/** Runs it and prints its summary. Resolves with the exit status: 0 only if everything held, 130 if interrupted. */
export function runWords({ input, maxFiles }: WordsOptions): Promise<number> {
  const documents = listDocuments(input ?? nodeModules(), maxFiles);
  return perform({
    giveUpMs: GIVE_UP_MS,
    applause:
      'All of it holds: every call ended once, nothing was lost that must not be, the result is right.',
    begin: (stage) => new Run(stage, documents),
  });
}

class Run implements Act {
  readonly #ledgers: string;
  readonly #startedAt: number;
  readonly #signal: AbortSignal;
  readonly #documents: Documents;
  readonly #mishaps: string[] = [];
  #fleet: Fleet | undefined;
  #view: View | undefined;
  #client: Client | undefined;
  #workStartedAt: number;

  constructor({ scratch, startedAt, signal }: Stage, documents: Documents) {
    this.#ledgers = scratch;
    this.#startedAt = startedAt;
    this.#signal = signal;
    this.#documents = documents;
    this.#workStartedAt = startedAt;
  }

  async complete(): Promise<Verdict | undefined> {
    const documents = this.#documents;
    const { paths, found, root } = documents;
    if (paths.length === 0)
      throw new Error(`there are no text files below ${root}; name another folder with --input`);
    const elapsedMs = (): number => performance.now() - this.#workStartedAt;
    const view = (this.#view = new View(elapsedMs));
    const fleet = (this.#fleet = new Fleet({
      demo: import.meta.url,
      scratch: this.#ledgers,
      nodeConfig: (): DocumentsConfig => ({ root, ledgers: this.#ledgers }),
      now: elapsedMs,
      said: (who, message) => view.heard(who, message),
      died: (who, how) => {
        if (this.#signal.aborted) return;
        this.#mishaps.push(`${who} ended by itself (${how})`);
        view.say(`${who} ended by itself: ${how}`);
      },
    }));
    view.say(
      `${paths.length} of ${found} text files below ${root}; starting a hub and ${NODES.length} nodes`,
    );
    const client = await this.#start(fleet, view);
    if (client === undefined) return undefined;

    this.#workStartedAt = performance.now();
    const work = new Work({ client, paths, spanMs: SPAN_MS, elapsedMs, signal: this.#signal });
    view.watch(
      wordsScene({
        fleet,
        work,
        totalFiles: paths.length,
        elapsedMs,
        clientState: () => client.status().state,
      }),
    );
    const done = work.run();
    const faults = await runFaults({
      fleet,
      elapsedMs,
      clientConnected: () => client.status().state === 'connected',
      say: (message) => view.say(message),
      signal: this.#signal,
    });
    work.faultsThrough();
    await done;
    view.close();
    if (this.#signal.reason === 'interrupted') return undefined;

    const { retries } = client.status();
    await client.stop();
    for (const who of await fleet.end()) this.#mishaps.push(`${who} did not end when it was asked to`);
    const plain = plainRun(documents);
    return judge({
      documents,
      work,
      plain,
      retries,
      faults,
      reconnects: fleet.reconnects,
      ledgers: readLedgers(this.#ledgers),
      unexpectedEvents: fleet.unexpectedEvents + client.system.unexpectedEvents,
      hubSaw: fleet.hubSaw,
      mishaps: this.#mishaps,
      tookMs: performance.now() - this.#startedAt,
      limitMs: LIMIT_MS,
    });
  }

  /** Undefined when it was interrupted meanwhile. */
  async #start(fleet: Fleet, view: View): Promise<Client | undefined> {
    const listens = await fleet.startHub(this.#signal);
    if (this.#signal.aborted) return undefined;
    if (!listens) throw new Error(`the hub did not start: ${this.#mishaps.join('; ')}`);
    view.say(`watch its machines at ${fleet.page}`);
    for (const id of NODES) fleet.startNode(id);
    const write = (fields: object, message: string): void => {
      const { from, to } = fields as { from?: unknown; to?: unknown };
      view.heard(CLIENT, message);
      // The demo's own link is one of those that are watched.
      if (typeof from === 'string' && typeof to === 'string') fleet.linkChanged(CLIENT, from, to);
    };
    const client = createClient({
      hub: fleet.url,
      id: CLIENT,
      ...times,
      drainTimeoutMs: 3_000,
      maxCallAttempts: 50,
      log: { debug: () => undefined, info: write, warn: write, error: write },
    });
    this.#client = client;
    const whole = (): boolean => fleet.connected === NODES.length && client.status().state === 'connected';
    const started = await fleet.until(whole, START_MS, this.#signal);
    if (this.#signal.aborted) return undefined;
    if (!started)
      throw new Error(`the fleet did not start within ${START_MS} ms: ${this.#mishaps.join('; ')}`);
    return client;
  }

  async cleanUp(): Promise<void> {
    this.#view?.close();
    await this.#fleet?.kill();
    await this.#client?.stop();
  }

  leaveNothing(): void {
    this.#fleet?.killNow();
  }
}
