// The inspector alone: the page and its stream on one port, of apps, of a recording, or of another server.
// Invariant: it listens on loopback only; nothing is sent anywhere but to those who dialled, and where the user says.
import type { Clock, Dialer, Listener, Log, Page, TextSockets } from '../../ports.ts';
import { CloseCode } from '../../protocol/frames.ts';
import { INSPECT_VERSION, readTold, type Hello, type Told } from '../../protocol/inspection.ts';
import { decodeText, utf8Encoder } from '../../protocol/text.ts';
import { WatchedApps } from '../watched-apps.ts';
import { appDoor } from './app-door.ts';
import { Journal } from './journal.ts';
import { Relay } from './relay.ts';
import type { StreamServer } from './server.ts';
import { Show } from './show.ts';
import { StatelyOut, type StatelyOutOptions } from './stately-out.ts';
import { viewerSockets } from './viewer.ts';

export interface ServeInspectionOptions {
  readonly listener: Listener;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds since 1970. */
  wallNow(): number;
  /** The date in ISO 8601, for people. */
  date(): string;
  /** Unique among all processes. */
  readonly id: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** Files of the page. */
  site(path: string): Promise<Page | undefined>;
  readonly of: InspectionOf;
  /** Stately's inspector is told as well. @default undefined: nobody is told */
  readonly stately?: { readonly url: string; readonly dialer: Dialer } | undefined;
}

/** Apps that dial in; a recording, which begins with a hello; what this process tells; or the `/inspect` of another server. */
export type InspectionOf =
  | { readonly kind: 'apps' }
  | { readonly kind: 'server-here'; readonly server: Pick<StreamServer, 'accept' | 'close'> }
  | { readonly kind: 'recording'; readonly messages: readonly Told[] }
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly dialer: Dialer;
      readonly token: string | undefined;
    };

export interface ServedInspection {
  /** Of the page. */
  readonly url: string;
  /** Where apps dial that use `@statelyai/inspect`; undefined when none are watched. */
  readonly appUrl: string | undefined;
  close(): Promise<void>;
}

interface Shown {
  readonly doors: readonly TextSockets[];
  close(): void;
}

/** @throws the listener's error, such as EADDRINUSE */
export async function serveInspection(options: ServeInspectionOptions): Promise<ServedInspection> {
  const shown = shownOf(options);
  const { listener, port, site } = options;
  const listening = await listener
    .listen({
      host: '127.0.0.1',
      port,
      maxMessageBytes: 1_024,
      texts: shown.doors,
      accept: ({ socket, handle }) => {
        handle({ message: () => {}, drained: () => {}, closed: () => {} });
        socket.close(CloseCode.SUBPROTOCOL, 'this is an inspector and no hub');
      },
      page: async (path, { suspicion }) =>
        suspicion === undefined
          ? site(path)
          : { status: 403, contentType: 'text/plain; charset=utf-8', body: `${suspicion}\n` },
    })
    .catch((error: unknown) => {
      shown.close();
      throw error;
    });
  return {
    url: `http://127.0.0.1:${listening.port}/`,
    appUrl: options.of.kind === 'apps' ? `ws://127.0.0.1:${listening.port}` : undefined,
    close: () => {
      shown.close();
      return listening.close();
    },
  };
}

function shownOf(options: ServeInspectionOptions): Shown {
  const { of } = options;
  if (of.kind === 'server') return relayed(options, of);
  if (of.kind !== 'server-here') return told(options, of);
  return {
    doors: [viewerSockets((incoming) => of.server.accept(incoming))],
    close: () => of.server.close(CloseCode.UNAVAILABLE, 'the inspector ends'),
  };
}

type ToldHere = Extract<InspectionOf, { kind: 'apps' | 'recording' }>;

function told(options: ServeInspectionOptions, of: ToldHere): Shown {
  const { clock, log } = options;
  const show = new Show({ clock, log, hello: helloOf(options, of) });
  const stately = statelyOut(options, () => show.retold());
  const tell = (message: Told): void => {
    show.tell(message);
    stately?.tell(message);
  };
  const viewers = viewerSockets((incoming) => show.accept(incoming));
  const close = (): void => {
    show.close(CloseCode.UNAVAILABLE, 'the inspector ends');
    stately?.close();
  };
  if (of.kind === 'recording') {
    for (const message of of.messages.slice(1)) tell(message);
    return { doors: [viewers], close };
  }
  const apps = new WatchedApps({ now: () => clock.now(), wallNow: options.wallNow, tell });
  return { doors: [viewers, appDoor(apps, log)], close };
}

function helloOf({ clock, date, id }: ServeInspectionOptions, of: ToldHere): () => Hello {
  if (of.kind === 'recording') {
    const [first] = of.messages;
    if (first?.kind !== 'hello') throw new TypeError('a recording begins with a hello');
    return () => ({ ...first, may: [] });
  }
  const who = { process: `inspect/${id}`, role: 'app', name: 'apps' } as const;
  return () => ({
    kind: 'hello',
    version: INSPECT_VERSION,
    ...who,
    at: clock.now(),
    may: [],
    wallTime: date(),
  });
}

function relayed(options: ServeInspectionOptions, of: Extract<InspectionOf, { kind: 'server' }>): Shown {
  const relay = new Relay({ clock: options.clock, ...of });
  const journal = new Journal();
  const stately = statelyOut(options, () => journal.retold());
  // One viewer more, which speaks to Stately's inspector.
  const socket =
    stately &&
    of.dialer.dial(of.url, {
      opened: () => {
        const open = { kind: 'open', contexts: true, ...(of.token === undefined ? {} : { token: of.token }) };
        socket?.send(utf8Encoder.encode(JSON.stringify(open)));
      },
      message: (bytes) => {
        for (const message of readTold(decodeText(bytes, 0, bytes.length))) {
          journal.tell(message);
          stately.tell(message);
        }
      },
      drained: () => {},
      closed: (code, reason) => options.log.warn({ code }, `Stately’s inspector is told no more: ${reason}`),
    });
  return {
    doors: [viewerSockets((incoming) => relay.accept(incoming))],
    close: () => {
      relay.close(CloseCode.UNAVAILABLE, 'the inspector ends');
      stately?.close();
      socket?.terminate();
    },
  };
}

function statelyOut(
  { clock, log, wallNow, stately }: ServeInspectionOptions,
  retold: StatelyOutOptions['retold'],
): StatelyOut | undefined {
  return stately && new StatelyOut({ clock, log, wallNow, retold, ...stately });
}
