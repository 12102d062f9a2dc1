// The hub: accepts nodes and clients, knows their sessions, routes their calls.
// Invariant: one member for each living instance; the newest instance of an id that acknowledged its sync is the one that counts.
import { createSystem, recordTransitions, type System } from '../actors/index.ts';
import { Router } from '../calls/router.ts';
import type { Dialer, Listening, Log, Page, PageRequest, Timer } from '../ports.ts';
import { CloseCode } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { RegisterMessage } from '../protocol/messages.ts';
import type { Accepted } from './accepted.ts';
import { mayJoin, refuseRegistration } from './admission.ts';
import { Connections } from './connections.ts';
import { Histories } from './histories.ts';
import { callsAtRest } from './idle.ts';
import type { Inspection } from './exhibits.ts';
import { HubInspection } from './inspection.ts';
import { Member, type Home } from './member.ts';
import { Numbers } from './numbers.ts';
import { resolveHubOptions, type HubOptions, type HubPorts } from './options.ts';
import { describeMetrics, pageOf } from './pages.ts';
import { Questions } from './questions.ts';
import { Records } from './records.ts';
import { Replaced } from './replaced.ts';
import type { Hub, HubStatus, PeerStatus } from './status.ts';
import { Ticker } from './ticker.ts';
import { NodeWatchers, type NodeListener } from './watchers.ts';

/** Between two looks at the event loop's lag, and at what is new for the records. */
const TICK_MS = 500;

export async function startHub(options: HubOptions, ports: HubPorts): Promise<Hub> {
  const hub = new RunningHub(options, ports);
  try {
    await hub.listen();
  } catch (error) {
    // The timers of a hub that cannot listen would keep its process alive.
    await hub.stop();
    throw error;
  }
  return hub;
}

class RunningHub implements Hub {
  readonly instance: string;
  readonly system: System;
  readonly #options: HubOptions;
  readonly #resolved: ReturnType<typeof resolveHubOptions>;
  readonly #ports: HubPorts;
  readonly #log: Log;
  readonly #router: Router;
  readonly #home: Home;
  readonly #connections: Connections;
  readonly #members = new Map<string, Member>();
  readonly #numbers = new Numbers();
  readonly #histories = new Histories();
  readonly #replaced = new Replaced();
  readonly #watchers: NodeWatchers;
  readonly #inspection: HubInspection | undefined;
  #listening: Listening | undefined;
  #state: 'listening' | 'draining' | 'stopped' = 'listening';
  #stopping: Promise<void> | undefined;
  readonly #whenStopped = Promise.withResolvers<void>();
  readonly #ticker: Ticker;
  #graceTimer: Timer | undefined;
  readonly #startedAt: number;
  #records: Records | undefined;

  constructor(options: HubOptions, ports: HubPorts) {
    this.#options = options;
    this.#resolved = resolveHubOptions(options);
    this.#ports = ports;
    this.#log = ports.log;
    this.#watchers = new NodeWatchers(ports.log);
    this.instance = ports.random.id();
    this.#startedAt = ports.clock.now();
    const inspect = recordTransitions(options.transitions, this.instance.slice(0, 8));
    this.system = createSystem({ clock: ports.clock, log: ports.log, inspect });
    const { balance, maxQueueSize, failoverAfterMs, noNodeAfterMs, sessionGraceMs } = this.#resolved;
    this.#router = new Router({
      clock: ports.clock,
      balance,
      random: () => ports.random.uint32(),
      maxQueueSize,
      failoverAfterMs,
      noNodeAfterMs,
      sessionGraceMs,
      hub: this.instance,
    });
    this.#inspection = this.#makeInspection();
    this.#home = this.#makeHome();
    this.#connections = this.#makeConnections();
    this.#ticker = new Ticker(ports.clock);
    this.#ticker.start(TICK_MS, () => this.#records?.look(this.#membersOf('node')));
    describeMetrics(ports.metrics, this.#router, () => ({
      status: this.status(),
      nodes: this.#membersOf('node').map((member) => member.state),
      bytesIn: this.#connections.bytesIn,
      bytesOut: this.#connections.bytesOut,
    }));
  }

  get url(): string {
    return this.#listening?.url ?? '';
  }
  get stopped(): Promise<void> {
    return this.#whenStopped.promise;
  }
  get epoch(): number {
    return this.#records?.epoch ?? 1;
  }
  get host(): string {
    return this.#listening?.host ?? this.#resolved.host;
  }
  get port(): number {
    return this.#listening?.port ?? this.#resolved.port;
  }

  get dialer(): Dialer {
    return this.#connections.dialer;
  }

  get inspection(): Inspection | undefined {
    return this.#inspection;
  }

  async listen(): Promise<void> {
    this.#records = await this.#openRecords();
    const { host, port, connectionTimeoutMs } = this.#resolved;
    this.#listening = await this.#ports.listener.listen({
      host,
      port,
      tls: this.#options.tls,
      maxMessageBytes: limits.maxMessageBytes,
      handshakeTimeoutMs: connectionTimeoutMs,
      accept: (incoming) => void this.#connections.accept(incoming),
      page: (path, request) => this.#page(path, request),
      texts: this.#inspection?.texts,
    });
    const guarded = this.#options.token === undefined && this.#options.verify === undefined;
    const note = guarded ? '; no token is set, so it listens on loopback only' : '';
    this.#log.info({ url: this.url, hub: this.instance }, `hub listens at ${this.url}${note}`);
  }
  status(): HubStatus {
    const nodes = this.#membersOf('node').length;
    return {
      instance: this.instance,
      url: this.url,
      state: this.#state,
      uptimeMs: Math.round(this.#ports.clock.now() - this.#startedAt),
      lagMs: this.#ticker.lagMs,
      nodes,
      clients: this.#members.size - nodes,
      connections: this.#connections.size,
      waiting: this.#router.book.waiting,
      running: this.#router.book.running,
      ended: { ...this.#router.book.ended },
      unexpectedEvents: this.system.unexpectedEvents,
      deadLetters: this.system.deadLetters,
    };
  }

  nodes(): PeerStatus[] {
    const now = this.#ports.clock.now();
    const here = this.#statuses('node');
    return [...here, ...(this.#records?.awaited(here, now) ?? [])];
  }

  clients(): PeerStatus[] {
    return this.#statuses('client');
  }

  watchNodes(listener: NodeListener): () => void {
    return this.#watchers.watch(listener);
  }

  drain(nodeId: string): boolean {
    return this.#each(nodeId, (member) => member.drain());
  }

  undrain(nodeId: string): boolean {
    return this.#each(nodeId, (member) => member.undrain());
  }

  disconnect(nodeId: string): boolean {
    return this.#each(nodeId, (member) => member.disconnect());
  }

  forget(nodeId: string): boolean {
    return this.#each(nodeId, (member) => {
      member.forget();
      this.#remove(member);
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#state = 'draining';
    this.#listening?.stopAccepting();
    // Who is away is not given up: it may come back to the next hub, and to its calls.
    for (const member of [...this.#members.values()]) if (member.state !== 'absent') member.drain();
    this.#router.stopAccepting();
    await callsAtRest(this.#router, this.#ports.clock, this.#resolved.drainTimeoutMs);
    this.#connections.breakOff(CloseCode.UNAVAILABLE, 'the hub stops');
    // After the peers: they go on telling, and the next hub hears how they came back.
    this.#inspection?.server.close(CloseCode.UNAVAILABLE, 'the hub stops');
    await this.#listening?.close();
    this.#router.stop();
    this.#ticker.stop();
    if (this.#graceTimer !== undefined) this.#ports.clock.clearTimer(this.#graceTimer);
    await this.#records?.close(this.#membersOf('node'));
    await this.#ports.closeStore?.();
    await this.system.stop();
    this.#state = 'stopped';
    this.#log.info({ hub: this.instance }, 'hub stopped');
    this.#whenStopped.resolve();
  }

  async #register(link: Accepted, message: RegisterMessage): Promise<void> {
    const refuse = (terminal: boolean, reason: string, code: number): void => {
      const retryAfterMs = terminal ? 0 : this.#resolved.retryAfterMs;
      refuseRegistration(link, message, { terminal, retryAfterMs, reason, code }, this.#log);
    };
    if (this.#state !== 'listening') return refuse(false, 'the hub drains', CloseCode.UNAVAILABLE);
    const admitted =
      this.#connections.isFromWithin(link) || (await mayJoin(message, this.#options, this.#log));
    // It left meanwhile, or broke a rule.
    if (link.state !== 'open') return;
    if (!admitted) return refuse(true, 'wrong token', CloseCode.UNAUTHORIZED);
    if (link.owner !== undefined && link.owner.instance !== message.instance) {
      return refuse(true, `this socket speaks for instance ${link.owner.instance}`, CloseCode.OUT_OF_ORDER);
    }
    if (this.#replaced.has(message.instance)) {
      return refuse(true, `another instance of ${message.id} took over`, CloseCode.REPLACED);
    }
    let member = this.#members.get(message.instance);
    if (member !== undefined && (member.id !== message.id || member.role !== message.role)) {
      return refuse(
        true,
        `instance ${message.instance} is registered as ${member.role} ${member.id}`,
        CloseCode.OUT_OF_ORDER,
      );
    }
    if (member === undefined) {
      const number = this.#numberFor(message);
      if (number === undefined)
        return refuse(false, `the hub has ${limits.maxPeers} peers already`, CloseCode.UNAVAILABLE);
      member = new Member(
        this.#home,
        number,
        message,
        this.#histories.of(message.role, message.id, this.#ports.clock.now()),
      );
      this.#members.set(message.instance, member);
    }
    member.register(link, message);
  }

  #makeInspection(): HubInspection | undefined {
    const { inspect, hubId } = this.#resolved;
    if (inspect === 'off') return undefined;
    const { clock, date } = this.#ports;
    const log = this.#log;
    return new HubInspection({
      clock,
      date,
      log,
      hubId,
      inspect,
      hub: this,
      mayLook: (token) => mayJoin({ role: 'client', id: 'viewer', token, labels: {} }, this.#options, log),
      nodes: () => this.#membersOf('node'),
    });
  }

  #makeConnections(): Connections {
    const options = {
      clock: this.#ports.clock,
      log: this.#log,
      registrationTimeoutMs: this.#resolved.connectionTimeoutMs,
      heard: (at: number) => this.#router.heard(at),
      afterInput: this.#router.turn.afterInput,
      afterClients: this.#router.turn.afterClients,
      register: (link: Accepted, message: RegisterMessage) => this.#register(link, message),
    };
    return new Connections(options, () => this.#state === 'listening');
  }

  #makeHome(): Home {
    const { heartbeatIntervalMs, heartbeatTimeoutMs, sessionGraceMs, connectionTimeoutMs } = this.#resolved;
    return {
      system: this.system,
      router: this.#router,
      log: this.#log,
      hubInstance: this.instance,
      encoding: this.#resolved.encoding,
      heartbeatTimeoutMs,
      retryAfterMs: this.#resolved.retryAfterMs,
      times: { heartbeatIntervalMs, heartbeatTimeoutMs, sessionGraceMs, syncTimeoutMs: connectionTimeoutMs },
      lagMs: () => this.#ticker.lagMs,
      prepareSync: ({ role, id, instance, labels }) => this.#options.onSync?.({ role, id, instance, labels }),
      online: (member) => this.#online(member),
      moved: (member, session) => this.#watchers.moved(member, session),
      ended: (member, how) => {
        if (how === 'superseded') this.#replaced.add(member.instance);
        this.#remove(member);
      },
      streams: this.#inspection?.streams,
      questions: new Questions({
        clock: this.#ports.clock,
        status: () => this.status(),
        nodes: () => this.#membersOf('node'),
      }),
    };
  }

  /** Of several instances of one id, the one that acknowledged last is the one: the others are told, for good. */
  #online(member: Member): void {
    for (const other of [...this.#members.values()]) {
      if (other !== member && other.id === member.id && other.role === member.role) other.replace();
    }
    if (member.role !== 'node') return;
    this.#router.supersede(member.id, member.instance);
    // The session's state is the new one when its effects are done.
    this.#ports.clock.endOfTurn(() => this.#records?.node(member));
  }

  async #openRecords(): Promise<Records | undefined> {
    const { clock, log, store } = this.#ports;
    if (store === undefined) return undefined;
    const { hubId, sessionGraceMs } = this.#resolved;
    const records = await Records.open({
      store,
      clock,
      log,
      hubId,
      instance: this.instance,
      sessionGraceMs,
      superseded: () => {
        log.error(
          { hub: hubId },
          `another hub with the id ${hubId} has started on this store; this one stops`,
        );
        void this.stop();
      },
    });
    for (const [id, { ageMs, totalTasksExecuted }] of records.nodes)
      this.#histories.know('node', id, { firstSeenAt: clock.now() - ageMs, totalTasksExecuted });
    const { durables } = this.#router;
    durables.open(records.calls, await records.calls.read(), () => this.#numbers.take(), sessionGraceMs);
    this.#graceTimer = clock.setTimer(() => {
      for (const client of durables.giveUp()) {
        this.#router.removeClient(client);
        this.#numbers.free(client.number);
      }
    }, sessionGraceMs);
    return records;
  }

  /** A client whose durable calls were taken up again keeps the number under which nodes know it. */
  #numberFor({ role, instance }: RegisterMessage): number | undefined {
    return (role === 'client' ? this.#router.durables.numberOf(instance) : undefined) ?? this.#numbers.take();
  }

  #remove(member: Member): void {
    if (this.#members.get(member.instance) !== member) return;
    this.#members.delete(member.instance);
    this.#numbers.free(member.number);
    this.#watchers.gone(member);
    this.#inspection?.streams.gone(member);
  }

  #membersOf(role: 'node' | 'client'): Member[] {
    return [...this.#members.values()].filter((member) => member.role === role);
  }

  #statuses(role: 'node' | 'client'): PeerStatus[] {
    return this.#membersOf(role).map((member) => member.status());
  }

  #each(nodeId: string, act: (member: Member) => void): boolean {
    const members = this.#membersOf('node').filter(({ id }) => id === nodeId);
    for (const member of members) act(member);
    return members.length > 0;
  }

  async #page(path: string, { suspicion }: PageRequest): Promise<Page | undefined> {
    const { metrics, site } = this.#ports;
    const page = await pageOf(path, metrics, () => this.status());
    if (page !== undefined || this.#inspection === undefined) return page;
    if (suspicion !== undefined) return { status: 403, contentType: 'text/plain', body: `${suspicion}\n` };
    return site?.(path);
  }
}
