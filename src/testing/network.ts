// The simulated network: who listens where, who reaches whom, and what goes wrong.
// Invariant: a fault holds until `heal`; every choice of chance comes from the simulation's seed.
import type { Dialer, Incoming, Listener, Listening, ListenOptions, Page, SocketHandlers } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Host, Task, World } from './host.ts';
import { End, Link } from './link.ts';
import type { EndHandlers, LinkInfo, Medium } from './link.ts';
import { Prng } from './prng.ts';

export type LinkFilter = (link: LinkInfo) => boolean;

export interface NetworkOptions {
  /** One-way, in milliseconds. @default 1 */
  readonly latencyMs?: number;
  /** Up to this much is added to each latency, evenly distributed; order is kept. @default 0 */
  readonly jitterMs?: number;
  /** Bytes in one direction that the kernels take before `bufferedBytes` grows. @default 262 144 */
  readonly kernelBytes?: number;
  /** Speed of each direction of each link. @default Infinity */
  readonly bytesPerMs?: number;
}

export interface Network {
  readonly listener: Listener;
  readonly dialer: Dialer;
  /** Changes what was given at the start; for what is sent from now on. */
  shape(options: NetworkOptions): void;
  /** Ends the links that match, once. Both ends hear of it. */
  reset(filter?: LinkFilter): void;
  /** Ends the links that match, and refuses such dials until `heal`. */
  cut(filter?: LinkFilter): void;
  /**
   * Bytes on links that match vanish, both ways, closes too; their sockets stay open, and dials get no answer. A link that lost
   * something stays dead after `heal`: its stream has a gap.
   */
  swallow(filter?: LinkFilter): void;
  heal(): void;
  /** A peer that accepts connections and never says a word; with `upgrade` it completes the WebSocket handshake first. */
  mute(options?: { readonly upgrade?: boolean }): { readonly url: string; close(): void };
  /** GET on a listener's HTTP pages. */
  page(url: string): Promise<Page | undefined>;
  /** Links whose ends are not both closed. */
  readonly links: readonly LinkInfo[];
}

interface Bound {
  readonly host: Host | undefined;
  readonly options: ListenOptions | undefined;
  readonly upgrade: boolean;
}

const everyLink: LinkFilter = () => true;
const FIRST_PORT = 40_001;
const RESET = 'connection reset';

function portOf(url: string): number {
  const port = /^wss?:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(url)?.[1];
  return port === undefined ? -1 : Number(port);
}

export class SimulatedNetwork implements Medium {
  readonly world: World;
  kernelBytes = 262_144;
  bytesPerMs = Infinity;
  readonly #random: Prng;
  readonly #bound = new Map<number, Bound>();
  readonly #links = new Set<Link>();
  #latencyMs = 1;
  #jitterMs = 0;
  #cut: LinkFilter[] = [];
  #swallowed: LinkFilter[] = [];
  #dials = 0;
  #ports = FIRST_PORT;

  constructor(world: World, options: NetworkOptions) {
    this.world = world;
    this.#random = new Prng(world.seed, 'network');
    this.shape(options);
  }

  get links(): readonly LinkInfo[] {
    return [...this.#links];
  }

  shape(options: NetworkOptions): void {
    this.#latencyMs = options.latencyMs ?? this.#latencyMs;
    this.#jitterMs = options.jitterMs ?? this.#jitterMs;
    this.kernelBytes = options.kernelBytes ?? this.kernelBytes;
    this.bytesPerMs = options.bytesPerMs ?? this.bytesPerMs;
  }

  latencyMs(): number {
    return this.#jitterMs === 0
      ? this.#latencyMs
      : this.#latencyMs + this.#random.fraction() * this.#jitterMs;
  }

  swallows(link: LinkInfo): boolean {
    return this.#swallowed.some((filter) => filter(link));
  }

  reset(filter: LinkFilter = everyLink): void {
    for (const link of [...this.#links]) if (filter(link)) link.reset();
  }

  cut(filter: LinkFilter = everyLink): void {
    this.#cut.push(filter);
    this.reset(filter);
  }

  swallow(filter: LinkFilter = everyLink): void {
    this.#swallowed.push(filter);
  }

  heal(): void {
    // What vanished while a fault held was noted on its link; links that carried nothing meanwhile are whole.
    this.#cut = [];
    this.#swallowed = [];
  }

  mute({ upgrade = false }: { readonly upgrade?: boolean } = {}): { readonly url: string; close(): void } {
    const port = this.#ports++;
    this.#bound.set(port, { host: undefined, options: undefined, upgrade });
    return { url: `ws://127.0.0.1:${port}`, close: () => void this.#bound.delete(port) };
  }

  async page(url: string): Promise<Page | undefined> {
    const bound = this.#bound.get(portOf(url.replace(/^http/, 'ws')));
    const path = /^\w+:\/\/[^/]*(\/[^?#]*)/.exec(url)?.[1] ?? '/';
    if (bound?.options === undefined)
      throw new HoldfastError(`nobody listens at ${url}`, { code: 'not_connected' });
    return bound.options.page(path, { suspicion: undefined });
  }

  async listen(host: Host, options: ListenOptions): Promise<Listening> {
    if (host.state === 'killed') throw new HoldfastError(`${host.name} was killed`, { code: 'stopped' });
    const port = options.port === 0 ? this.#ports++ : options.port;
    if (this.#bound.has(port)) {
      throw new HoldfastError(`port ${port} is in use; choose another, or 0`, { code: 'invalid_option' });
    }
    const bound: Bound = { host, options, upgrade: true };
    this.#bound.set(port, bound);
    const stopAccepting = (): void => {
      if (this.#bound.get(port) === bound) this.#bound.delete(port);
    };
    return {
      host: options.host,
      port,
      url: `${options.tls === undefined ? 'ws' : 'wss'}://${options.host}:${port}`,
      stopAccepting,
      close: async () => {
        stopAccepting();
        for (const link of this.#links) if (link.server && portOf(link.url) === port) link.server.terminate();
      },
    };
  }

  dial(host: Host, url: string, handlers: SocketHandlers): End {
    const link = new Link(this, ++this.#dials, url, host);
    // Code of a process that was killed may still run, since it is all one process here; it reaches nobody.
    if (host.state === 'killed') return link.client;
    link.client.handle(limited(link.client, limits.maxMessageBytes, handlers));
    this.#links.add(link);
    const bound = this.#bound.get(portOf(url));
    link.listener = bound?.host?.name ?? '';
    this.world.note(`link ${link.id} dials ${url} from ${host.name}`);
    this.#plan(undefined, this.latencyMs(), () => this.#arrive(link, handlers));
    return link.client;
  }

  closed(link: Link): void {
    this.#links.delete(link);
  }

  /** The kernel closes the sockets of a process that is killed; a machine that vanishes closes nothing. */
  killed(host: Host, silently: boolean): void {
    for (const [port, bound] of this.#bound) if (bound.host === host) this.#bound.delete(port);
    for (const link of [...this.#links]) {
      if (silently && (link.client.host === host || link.server?.host === host)) link.broken = true;
      // Its kernel had taken the dial, and the process had not.
      if (link.server === undefined && link.listener === host.name) link.client.lose(this.latencyMs(), RESET);
      if (link.client.host === host) link.client.abandon();
      if (link.server?.host === host) link.server.abandon();
      link.over();
    }
  }

  #arrive(link: Link, handlers: SocketHandlers): void {
    const { client } = link;
    if (client.phase !== 'dialling' || link.broken || this.swallows(link)) return;
    const bound = this.#bound.get(portOf(link.url));
    link.listener = bound?.host?.name ?? '';
    if (bound === undefined || this.#cut.some((filter) => filter(link))) {
      client.lose(this.latencyMs(), bound === undefined ? `connect ECONNREFUSED ${link.url}` : RESET);
    } else if (bound.host !== undefined && bound.options !== undefined) {
      const { host, options } = bound;
      this.#plan(host, 0, () => this.#accept(link, handlers, host, options));
    } else if (bound.upgrade) {
      this.#answerAndBeSilent(link, handlers);
    }
  }

  #accept(link: Link, handlers: SocketHandlers, host: Host, options: ListenOptions): void {
    if (link.client.phase !== 'dialling' || link.broken) return;
    const server = new End(link, host);
    link.server = server;
    server.answerUpgrade(() => handlers.opened());
    const incoming: Incoming = {
      remoteAddress: '127.0.0.1',
      socket: server,
      handle: (given) => server.handle(limited(server, options.maxMessageBytes, given)),
    };
    options.accept(incoming);
    if (!server.handled && server.phase === 'open')
      throw new Error('accept() must call handle() in the same turn');
  }

  #plan(host: Host | undefined, delayMs: number, fn: () => void): void {
    const task: Task = { at: 0, seq: 0, index: -1, fn, host, kind: 'input' };
    this.world.timeline.plan(task, this.world.now + delayMs);
  }

  #answerAndBeSilent(link: Link, handlers: SocketHandlers): void {
    const server = new End(link, link.client.host);
    server.handle({ message() {}, drained() {}, closed() {} });
    link.server = server;
    server.answerUpgrade(() => handlers.opened());
  }
}

/** Closes with 1009 instead of handing a longer message on. */
function limited(end: End, maxMessageBytes: number, handlers: EndHandlers): EndHandlers {
  return {
    message(bytes) {
      if (bytes.byteLength > maxMessageBytes) end.close(1009, `a message of ${bytes.byteLength} bytes`);
      else handlers.message(bytes);
    },
    drained: () => handlers.drained(),
    closed: (code, reason) => handlers.closed(code, reason),
  };
}
