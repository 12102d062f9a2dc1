// The hub as those see it who look at its machines: their stream, the fleet's rows, and what operators may do.
// Invariant: nothing is collected and nobody is asked while no viewer is attached; an act needs the operator's token and is
// logged, whether it worked or not.
import { Collector } from '../inspect/stream/collector.ts';
import { StreamServer } from '../inspect/stream/server.ts';
import { viewerSockets } from '../inspect/stream/viewer.ts';
import type { Clock, Log, TextSockets } from '../ports.ts';
import { type Ask, type Operation } from '../protocol/inspection.ts';
import { equalSecrets } from './admission.ts';
import { Exhibits, type Exhibit, type Inspection } from './exhibits.ts';
import { FleetRows } from './fleet-rows.ts';
import type { Member } from './member.ts';
import type { InspectOptions } from './options.ts';
import { PeerStreams } from './peer-streams.ts';
import type { Hub } from './status.ts';

export interface HubInspectionOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly date: (() => string) | undefined;
  readonly hub: Pick<Hub, 'url' | 'instance' | 'system' | 'status' | 'drain' | 'undrain' | 'disconnect'>;
  readonly hubId: string;
  readonly inspect: InspectOptions;
  /** Whether that token opens the hub. */
  mayLook(token: string | undefined): Promise<boolean>;
  nodes(): readonly Member[];
}

const DONE = { drain: 'drains', undrain: 'takes work again', disconnect: 'was disconnected' } as const;

export class HubInspection implements Inspection {
  readonly collector: Collector;
  readonly server: StreamServer;
  readonly streams: PeerStreams;
  readonly #options: HubInspectionOptions;
  readonly #rows: FleetRows;
  readonly #exhibits = new Exhibits();

  constructor(options: HubInspectionOptions) {
    this.#options = options;
    const { clock, log, hub, hubId } = options;
    const hello = { process: `hub/${hub.instance.slice(0, 8)}`, role: 'hub', name: hubId } as const;
    this.collector = new Collector({ clock, ...hello });
    this.collector.add(hub.system);
    this.#rows = new FleetRows({
      clock,
      hub: () => hub.status(),
      nodes: options.nodes,
      shown: () => this.#exhibits.shown(),
      tell: (message) => this.server.tell(message),
    });
    this.streams = new PeerStreams({
      clock,
      collector: this.collector,
      payloads: options.inspect.payloads,
      known: (machine) => this.server.truth.machines.get(machine),
      tell: (message) => this.server.tell(message),
    });
    this.server = new StreamServer({
      clock,
      log,
      hello,
      date: options.date,
      admit: (open) => this.#admit(open.token, open.operatorToken),
      act: (ask) => Promise.resolve(this.#act(ask)),
      begin: ({ contexts }) => {
        const { payloads, stepsPerSecond } = options.inspect;
        this.collector.start(this.server.tell, { contexts, payloads, stepsPerSecond });
        this.#rows.stop();
        this.#rows.start();
        this.streams.begin({ contexts });
      },
      end: () => {
        this.streams.end();
        this.collector.stop();
        this.#rows.stop();
      },
      also: () => [this.#rows.whole()],
    });
  }

  get url(): string {
    return this.#options.hub.url.replace(/^ws/, 'http');
  }

  get texts(): readonly TextSockets[] {
    return [viewerSockets((incoming) => this.server.accept(incoming))];
  }

  show(exhibit: Exhibit): () => void {
    const remove = this.#exhibits.add(exhibit);
    const end = exhibit.source === undefined ? undefined : this.collector.add(exhibit.source);
    return () => {
      remove();
      end?.();
    };
  }

  async #admit(
    token: string | undefined,
    operatorToken: string | undefined,
  ): Promise<Operation[] | undefined> {
    if (!(await this.#options.mayLook(token))) return undefined;
    const { operatorToken: secret } = this.#options.inspect;
    if (operatorToken === undefined) return [];
    // Whoever shows a wrong one is told, instead of wondering why nothing can be done.
    if (secret === undefined || !equalSecrets(secret, operatorToken)) return undefined;
    return ['drain', 'undrain', 'disconnect', ...this.#exhibits.operations];
  }

  #act({ operation, target }: Ask): { ok: boolean; message: string } {
    if (operation === 'drain' || operation === 'undrain' || operation === 'disconnect') {
      const ok = target !== undefined && this.#options.hub[operation](target);
      return { ok, message: ok ? `${target} ${DONE[operation]}` : `there is no node ${target ?? ''}` };
    }
    return this.#exhibits.act(operation, target);
  }
}
