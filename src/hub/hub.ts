// The hub: accepts nodes and clients, knows their sessions, routes their calls.
// Invariant: one member for each living instance; the newest instance of an id that acknowledged its sync is the one that counts.
import { createSystem, recordTransitions, type System } from '../actors/index.ts';
import { Router } from '../calls/router.ts';
import type { Clock, Listener, Listening, Log, Metrics, Page, Random, Timer } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { CloseCode, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { RegisterMessage } from '../protocol/messages.ts';
import { Accepted, type AcceptedOptions } from './accepted.ts';
import { Histories } from './histories.ts';
import { Member, type Home } from './member.ts';
import { resolveHubOptions, type HubOptions } from './options.ts';
import { describeMetrics, pageOf } from './pages.ts';
import { Questions } from './questions.ts';
import type { Hub, HubStatus, PeerStatus } from './status.ts';

export interface HubPorts {
  readonly clock: Clock;
  readonly listener: Listener;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LAG_TICK_MS = 500;
const MAX_REPLACED = 10_000;

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
  readonly #links = new Set<Accepted>();
  readonly #members = new Map<string, Member>();
  readonly #numbers = new Set<number>();
  readonly #histories = new Histories();
  readonly #replaced = new Set<string>();
  #nextNumber = 1;
  #listening: Listening | undefined;
  #state: 'listening' | 'draining' | 'stopped' = 'listening';
  #stopping: Promise<void> | undefined;
  #lagMs = 0;
  #lagTimer: Timer | undefined;
  readonly #startedAt: number;
  readonly #closed = { bytesIn: 0, bytesOut: 0 };

  constructor(options: HubOptions, ports: HubPorts) {
    this.#options = options;
    this.#resolved = resolveHubOptions(options);
    this.#ports = ports;
    this.#log = ports.log;
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
    });
    this.#home = this.#makeHome();
    this.#measureLag();
    describeMetrics(ports.metrics, this.#router, () => ({
      status: this.status(),
      nodes: this.#membersOf('node').map((member) => member.state),
      bytesIn: sum(this.#links, (link) => link.bytesIn) + this.#closed.bytesIn,
      bytesOut: sum(this.#links, (link) => link.bytesOut) + this.#closed.bytesOut,
    }));
  }

  get url(): string {
    return this.#listening?.url ?? '';
  }
  get host(): string {
    return this.#listening?.host ?? this.#resolved.host;
  }
  get port(): number {
    return this.#listening?.port ?? this.#resolved.port;
  }

  async listen(): Promise<void> {
    const { host, port, connectionTimeoutMs } = this.#resolved;
    const accepted: AcceptedOptions = {
      clock: this.#ports.clock,
      log: this.#log,
      registrationTimeoutMs: connectionTimeoutMs,
      heard: (at) => this.#router.heard(at),
      afterInput: this.#router.turn.afterInput,
      afterClients: this.#router.turn.afterClients,
      register: (link, message) => this.#register(link, message),
      closed: (link) => {
        this.#links.delete(link);
        this.#closed.bytesIn += link.bytesIn;
        this.#closed.bytesOut += link.bytesOut;
      },
    };
    this.#listening = await this.#ports.listener.listen({
      host,
      port,
      tls: this.#options.tls,
      maxMessageBytes: limits.maxMessageBytes,
      handshakeTimeoutMs: connectionTimeoutMs,
      accept: (incoming) => void this.#links.add(new Accepted(incoming, accepted)),
      page: (path) => this.#page(path),
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
      lagMs: this.#lagMs,
      nodes,
      clients: this.#members.size - nodes,
      connections: this.#links.size,
      waiting: this.#router.waiting,
      running: this.#router.running,
      ended: { ...this.#router.ended },
      unexpectedEvents: this.system.unexpectedEvents,
      deadLetters: this.system.deadLetters,
    };
  }

  nodes(): PeerStatus[] {
    return this.#statuses('node');
  }

  clients(): PeerStatus[] {
    return this.#statuses('client');
  }

  drain(nodeId: string): boolean {
    return this.#each(nodeId, (member) => member.drain());
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
    await this.#idle();
    for (const link of [...this.#links]) link.breakOff(CloseCode.UNAVAILABLE, 'the hub stops');
    await this.#listening?.close();
    this.#router.stop();
    if (this.#lagTimer !== undefined) this.#ports.clock.clearTimer(this.#lagTimer);
    await this.system.stop();
    this.#state = 'stopped';
    this.#log.info({ hub: this.instance }, 'hub stopped');
  }

  /** No call runs any more whose ends are both here, or the time for it is over. */
  #idle(): Promise<void> {
    const { clock } = this.#ports;
    const until = clock.now() + this.#resolved.drainTimeoutMs;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#router.ending === 0 || clock.now() >= until) resolve();
        else clock.setTimer(look, 20);
      };
      look();
    });
  }

  async #register(link: Accepted, message: RegisterMessage): Promise<void> {
    const refuse = (terminal: boolean, reason: string, code: number): void => {
      const { epoch, registrationEpoch } = message;
      const retryAfterMs = terminal ? 0 : this.#resolved.retryAfterMs;
      link.outbox.json(FrameType.REFUSED, 0, 0, 0, {
        epoch,
        registrationEpoch,
        terminal,
        retryAfterMs,
        reason,
      });
      link.breakOff(code, reason);
      this.#log.warn(
        { [message.role]: message.id, from: link.remoteAddress },
        `refused ${message.id}: ${reason}`,
      );
    };
    if (this.#state !== 'listening') return refuse(false, 'the hub drains', CloseCode.UNAVAILABLE);
    const mayJoin = await this.#mayJoin(message);
    // It left meanwhile, or broke a rule.
    if (link.state !== 'open') return;
    if (!mayJoin) return refuse(true, 'wrong token', CloseCode.UNAUTHORIZED);
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
      const number = this.#takeNumber();
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

  async #mayJoin({ role, id, token, labels }: RegisterMessage): Promise<boolean> {
    const { verify, token: secret } = this.#options;
    if (verify === undefined)
      return secret === undefined || (token !== undefined && equalSecrets(secret, token));
    try {
      return await verify({ role, id, token, labels });
    } catch (error) {
      this.#log.error({ [role]: id, error: String(error) }, `verify failed for ${id}: ${String(error)}`);
      return false;
    }
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
      lagMs: () => this.#lagMs,
      prepareSync: ({ role, id, instance, labels }) => this.#options.onSync?.({ role, id, instance, labels }),
      online: (member) => this.#online(member),
      ended: (member, how) => {
        if (how === 'superseded') this.#rememberReplaced(member.instance);
        this.#remove(member);
      },
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
    if (member.role === 'node') this.#router.supersede(member.id, member.instance);
  }

  #remove(member: Member): void {
    if (this.#members.get(member.instance) !== member) return;
    this.#members.delete(member.instance);
    this.#numbers.delete(member.number);
  }

  #rememberReplaced(instance: string): void {
    this.#replaced.add(instance);
    if (this.#replaced.size > MAX_REPLACED) this.#replaced.delete(first(this.#replaced));
  }

  #takeNumber(): number | undefined {
    if (this.#numbers.size >= limits.maxPeers) return undefined;
    while (this.#numbers.has(this.#nextNumber)) this.#nextNumber = (this.#nextNumber % limits.maxPeers) + 1;
    const number = this.#nextNumber;
    this.#numbers.add(number);
    this.#nextNumber = (number % limits.maxPeers) + 1;
    return number;
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

  #page(path: string): Promise<Page | undefined> {
    return pageOf(path, this.#ports.metrics, () => this.status());
  }

  #measureLag(): void {
    const { clock } = this.#ports;
    const dueAt = clock.now() + LAG_TICK_MS;
    this.#lagTimer = clock.setTimer(() => {
      this.#lagMs = Math.round(Math.max(0, clock.now() - dueAt) * 10) / 10;
      this.#measureLag();
    }, LAG_TICK_MS);
  }
}

/** Compares in a time that does not tell how much of the secret was right. */
function equalSecrets(secret: string, given: string): boolean {
  let difference = secret.length ^ given.length;
  for (let i = 0; i < secret.length; i++)
    difference |= secret.charCodeAt(i) ^ (given.charCodeAt(i % (given.length || 1)) || 0);
  return difference === 0;
}

function first<T>(items: Iterable<T>): T {
  for (const item of items) return item;
  throw new HoldfastError('there is no first of nothing', { code: 'invalid_argument' });
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
