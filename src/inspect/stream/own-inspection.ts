// Shows the actors of an application's own process: the page, and its stream, on a port of this machine.
// Invariant: loopback only; nothing is collected while nobody looks.
import type { InspectionEvent } from 'xstate';
import type { Clock, Listener, Log, Page } from '../../ports.ts';
import { Collector, type Source } from './collector.ts';
import type { Payloads } from './redact.ts';
import { serveInspection } from './serve.ts';
import { StreamServer } from './server.ts';
import { XStateSource } from './xstate-source.ts';

export interface InspectionOptions {
  /** What viewers call this process. @default 'app' */
  readonly name?: string | undefined;
  /** 0 chooses a free one. @default 7090 */
  readonly port?: number | undefined;
  /** What viewers see of events, effects and contexts. @default 'redacted': numbers, and texts that look like ids */
  readonly payloads?: Payloads | undefined;
  /** Steps that are shown in a second; of more, some are left out. @default 1000 */
  readonly stepsPerSecond?: number | undefined;
  /** @default a log on standard error */
  readonly log?: Log | undefined;
}

export interface InspectionPorts {
  readonly clock: Clock;
  readonly listener: Listener;
  readonly log: Log;
  /** Unique among all processes. */
  readonly id: string;
  date(): string;
  wallNow(): number;
  site(path: string): Promise<Page | undefined>;
}

export interface OwnInspection extends AsyncDisposable {
  /** Of the page. */
  readonly url: string;
  /** For XState's own `createActor(machine, { inspect })`; actors that it invokes are shown too. */
  readonly inspect: (inspected: InspectionEvent) => void;
  /** Shows the actors of a system (`createSystem`, `node.system`) from now on, until the function that it returns is called. */
  watch(system: Source): () => void;
  /** Ends it; actors go on. Idempotent. */
  close(): Promise<void>;
}

/** @throws the listener's error, such as EADDRINUSE */
export async function openInspection(
  options: InspectionOptions,
  ports: InspectionPorts,
): Promise<OwnInspection> {
  const { clock, log, id, date } = ports;
  const { name = 'app', payloads, stepsPerSecond } = options;
  const hello = { process: `app/${name}/${id.slice(0, 8)}`, role: 'app', name } as const;
  const collector = new Collector({ clock, ...hello });
  const actors = new XStateSource(() => clock.now());
  collector.add(actors);
  const server: StreamServer = new StreamServer({
    clock,
    log,
    hello,
    date,
    admit: () => Promise.resolve([]),
    act: () => Promise.resolve({ ok: false, message: 'nothing here can be acted upon' }),
    begin: ({ contexts }) => collector.start(server.tell, { contexts, payloads, stepsPerSecond }),
    end: () => collector.stop(),
  });
  const served = await serveInspection({
    ...ports,
    port: options.port ?? 7_090,
    of: { kind: 'server-here', server },
  });
  const close = async (): Promise<void> => {
    collector.stop();
    await served.close();
  };
  return {
    url: served.url,
    inspect: actors.inspect,
    watch: (system) => collector.add(system),
    close,
    [Symbol.asyncDispose]: close,
  };
}
