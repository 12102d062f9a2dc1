// Apps that are watched through `@statelyai/inspect`, each over a connection of its own: which app it is, and what of it was
// heard before.
// Invariant: a message counts once, however often its app sends it; one app's mistakes cost the others nothing.
import type { Told } from '../protocol/inspection.ts';
import { Heard } from './heard.ts';
import { readStatelyEvent, type StatelyEvent } from './stately-event.ts';
import { WatchedApp } from './watched-app.ts';

export interface WatchedAppsOptions {
  /** Monotonic milliseconds, of the process that serves the stream. */
  now(): number;
  /** Milliseconds since 1970: the apps date their messages so. */
  wallNow(): number;
  tell(message: Told): void;
}

export interface AppConnection {
  /** One text message. Refused ones say why; they change nothing. */
  take(text: string): Taken;
  /** The connection ended. The app may come back on another. */
  close(): void;
}

/** `end`: nothing but mistakes came for a while; the connection had better be closed. */
export type Taken = 'taken' | 'repeated' | { readonly refused: string; readonly then: 'go on' | 'end' };

interface Known {
  readonly app: WatchedApp;
  readonly name: string;
  readonly heard: Heard;
}

/** Apps that went away are remembered, in case they come back: so many of them. */
const MOST_GONE = 32;
const MOST_MISTAKES = 100;

export class WatchedApps {
  readonly #options: WatchedAppsOptions;
  /** The one that left last is the last. */
  readonly #gone = new Set<Known>();
  #count = 0;
  #latest = Number.NEGATIVE_INFINITY;

  constructor(options: WatchedAppsOptions) {
    this.#options = options;
  }

  connect(): AppConnection {
    let known: Known | undefined;
    let mistakes = 0;
    const refuse = (refused: string): Taken => {
      mistakes += 1;
      return { refused, then: mistakes < MOST_MISTAKES ? 'go on' : 'end' };
    };
    return {
      take: (text) => {
        const said = readStatelyEvent(text);
        if (typeof said === 'string') return refuse(said);
        known ??= this.#whose(text, said);
        if (known.heard.isRepeated(text, said.type === '@xstate.actor')) return 'repeated';
        const refused = known.app.take(said, this.#at(said));
        if (refused !== undefined) return refuse(refused);
        mistakes = 0;
        return 'taken';
      },
      close: () => {
        if (known !== undefined) this.#left(known);
      },
    };
  }

  /** An app that comes back is known by its first message: the package begins with what it kept from before. */
  #whose(text: string, said: StatelyEvent): Known {
    const known = [...this.#gone].findLast(({ heard }) => heard.knows(text)) ?? this.#newcomer(said);
    const { app, name, heard } = known;
    const returns = this.#gone.delete(known);
    const at = this.#at(said);
    this.#options.tell({ kind: 'process', process: app.process, role: 'app', name, at, state: 'here' });
    if (returns) this.#options.tell(app.present(at));
    heard.begin();
    return known;
  }

  #newcomer(said: StatelyEvent): Known {
    this.#count += 1;
    const name = said.type === '@xstate.actor' ? said.name : 'app';
    const process = `app/${name}/${this.#count}`;
    const { tell } = this.#options;
    return { app: new WatchedApp({ process, tell }), name, heard: new Heard() };
  }

  #left(known: Known): void {
    const { app, name } = known;
    this.#gone.add(known);
    const [oldest] = this.#gone;
    if (this.#gone.size > MOST_GONE && oldest !== undefined) this.#gone.delete(oldest);
    const at = Math.max(this.#options.now(), this.#latest);
    this.#latest = at;
    this.#options.tell({ kind: 'process', process: app.process, role: 'app', name, at, state: 'gone' });
  }

  /** When the app says that it was, by our clock; never before what was told already, and never in the future. */
  #at({ createdAt }: StatelyEvent): number {
    const now = this.#options.now();
    const said = Number(createdAt) - this.#options.wallNow() + now;
    const at = Math.min(now, Number.isFinite(said) ? said : now);
    this.#latest = Math.max(this.#latest, at);
    return this.#latest;
  }
}
