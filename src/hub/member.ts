// One instance of a node or client, as the hub holds it: its session machine, its socket, its place in the router.
// Invariant: the session machine decides; this only does what it says and tells it what happened.
import {
  sessionEffects,
  sessionMachine,
  type SessionEvent,
  type SessionTimes,
} from '../../machines/session.ts';
import type { Unstamped } from '../../machines/types.ts';
import { statePath, type Actor, type System } from '../actors/index.ts';
import { createAsking, type Asking, type Running } from '../calls/roster.ts';
import type { Router } from '../calls/router.ts';
import { drive } from '../engine/drive.ts';
import type { Log } from '../ports.ts';
import { digestOf } from '../protocol/digest.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, FrameType } from '../protocol/frames.ts';
import { readAsk, readCheck, readDeparting, readSynced } from '../protocol/messages.ts';
import type { RegisterMessage } from '../protocol/messages.ts';
import { hex } from '../protocol/read.ts';
import type { Encoding } from '../protocol/values.ts';
import type { Accepted, Owner } from './accepted.ts';
import type { History } from './histories.ts';
import type { PeerStreams } from './peer-streams.ts';
import type { Questions } from './questions.ts';
import { noteSession } from './session-log.ts';
import { encodeSync } from './sync.ts';

/** What members need of the hub. */
export interface Home {
  readonly system: System;
  readonly router: Router;
  readonly log: Log;
  readonly hubInstance: string;
  readonly encoding: Encoding;
  readonly heartbeatTimeoutMs: number;
  readonly retryAfterMs: number;
  readonly times: SessionTimes;
  lagMs(): number;
  /** What the application tells a joiner; undefined for nothing. */
  prepareSync(member: Member): unknown;
  online(member: Member): void;
  moved(member: Member, session: string): void;
  ended(member: Member, how: 'expired' | 'superseded', reason: string): void;
  readonly questions: Questions;
  /** Undefined when nobody can look. */
  readonly streams: PeerStreams | undefined;
}

export class Member implements Owner {
  readonly role: 'node' | 'client';
  readonly id: string;
  readonly instance: string;
  readonly number: number;
  readonly history: History;
  readonly actor: Actor<typeof sessionMachine>;
  readonly #home: Home;
  #times: SessionTimes;
  readonly #node: Running | undefined;
  readonly #client: Asking | undefined;
  #functions: readonly string[] = [];
  /** Of `#functions`; made when a CHECK asks for it. */
  #digest: string | undefined;
  labels: Readonly<Record<string, string>> = {};
  /** The registration that is being decided. */
  #pending: { link: Accepted; message: RegisterMessage } | undefined;
  #link: Accepted | undefined;
  #sync: Uint8Array = new Uint8Array();
  /** How often it registered. */
  #registrations = 0;
  /** Registered anew since it was last online: what the peer knew of others is forgotten. */
  #registration: 'new' | 'routed' = 'new';
  /** How the session ends, if it ends now: while effects are performed the actor's snapshot is still the one before. */
  #ending: 'expired' | 'superseded' = 'expired';

  constructor(home: Home, number: number, message: RegisterMessage, history: History) {
    this.#home = home;
    this.#times = home.times;
    this.role = message.role;
    this.id = message.id;
    this.instance = message.instance;
    this.number = number;
    this.history = history;
    const { id, instance, maxConcurrent, labels } = message;
    if (this.role === 'client') {
      const bufferedBytes = () => this.#link?.socket.bufferedBytes ?? 0;
      const past = message.registrationEpoch === 1 ? 'here' : 'elsewhere';
      this.#client = home.router.durables.back(instance) ?? createAsking({ number, id, instance });
      Object.assign(this.#client, { bufferedBytes, past });
      home.router.addClient(this.#client);
    } else {
      const facts = { number, id, instance, functions: new Map(), labels, maxConcurrent };
      this.#node = home.router.addNode(facts, history);
    }
    this.actor = this.#spawn(message);
  }

  /** Leaf state of the session machine. */
  get state(): string {
    return statePath(this.actor.snapshot().value).split('.')[0] ?? '';
  }

  get functions(): readonly string[] {
    return this.#functions;
  }

  get link(): Accepted | undefined {
    return this.#link;
  }

  get tasksExecuted(): number {
    return this.history.totalTasksExecuted;
  }

  status() {
    const { ledger } = this.actor.snapshot().context;
    const now = this.#home.system.clock.now();
    return {
      id: this.id,
      instance: this.instance,
      role: this.role,
      state: this.state,
      labels: this.labels,
      functions: this.#functions,
      running: this.#node?.running ?? 0,
      queued: this.#node?.queued ?? this.#client?.calls.size ?? 0,
      totalTasksExecuted: this.tasksExecuted,
      latencyMs: Math.round((this.#node?.latencyMs ?? 0) * 100) / 100,
      lastHeardMs: this.#link === undefined ? null : Math.round(now - this.#link.lastInboundAt),
      firstSeenMs: Math.round(now - this.history.firstSeenAt),
      registrations: ledger.registrations,
      reason: ledger.reason,
    };
  }

  register(link: Accepted, message: RegisterMessage): void {
    this.#pending = { link, message };
    const { epoch, registrationEpoch } = message;
    const tell = (): void => this.#tell({ type: 'registration.received', epoch, registrationEpoch });
    if (this.#home.streams === undefined) tell();
    else this.#home.streams.registering(this, link, message, tell);
    this.#pending = undefined;
  }

  #tell(event: Unstamped<SessionEvent>): void {
    if (this.actor.status === 'active') this.actor.send(event);
  }

  drain(): void {
    this.#tell({ type: 'drain.requested' });
  }

  undrain(): void {
    this.#tell({ type: 'undrain.requested' });
  }

  disconnect(): void {
    this.#tell({ type: 'disconnect.requested' });
  }

  replace(): void {
    this.#tell({ type: 'session.replaced' });
  }

  /** As if the hub had restarted: the session goes, the socket stays, and its next frame is answered by UNKNOWN. */
  forget(): void {
    this.#link?.disown();
    this.#link = undefined;
    this.actor.stop();
    this.#leave();
  }

  heard(): void {
    if (this.#link === undefined) return;
    this.#link.liveness = 'fine';
    this.#tell({ type: 'link.active', epoch: this.#link.epoch, silentMs: 0 });
  }

  drained(): void {
    if (this.#client !== undefined) this.#home.router.clientDrained(this.#client);
    if (this.#node !== undefined) this.#home.router.nodeDrained(this.#node);
  }

  closed(how: 'farewell' | 'loss', reason: string): void {
    const link = this.#link;
    if (link !== undefined) this.#tell({ type: 'socket.closed', epoch: link.epoch, how, reason });
  }

  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if ((type >= FrameType.DEFINE && type <= FrameType.FATE) || type === FrameType.ROSTER) {
      if (this.#client !== undefined)
        this.#home.router.clientFrame(this.#client, type, flags, peer, id, bytes, start, end);
      else if (this.#node !== undefined)
        this.#home.router.nodeFrame(this.#node, type, flags, peer, id, bytes, start, end);
      return;
    }
    const { streams } = this.#home;
    if (type === FrameType.INSPECT) return streams?.received(this, flags, id, bytes, start, end);
    streams?.reading(this);
    const link = this.#link;
    if (link === undefined) return;
    switch (type) {
      case FrameType.PING:
        link.outbox.frame(FrameType.PONG, 0, 0, id);
        return;
      case FrameType.SYNCED:
        this.#tell({ type: 'sync.acknowledged', ...readSynced(bytes, start, end) });
        return;
      case FrameType.CHECK: {
        const { functions, digest } = readCheck(bytes, start, end);
        this.#digest ??= digestOf(this.#functions);
        const ok = functions === this.#functions.length && digest === this.#digest;
        link.outbox.json(FrameType.CHECKED, 0, 0, id, { ok, lagMs: this.#home.lagMs() });
        return;
      }
      case FrameType.DEPARTING:
        this.#tell({ type: 'departure.announced', ...readDeparting(bytes, start, end) });
        return;
      case FrameType.ASK:
        this.#home.questions.ask(link, id, readAsk(bytes, start, end));
        return;
      default:
        throw new ProtocolViolation(
          CloseCode.OUT_OF_ORDER,
          `frame type ${hex(type)} is not expected from a registered ${this.role}`,
        );
    }
  }

  #spawn(message: RegisterMessage): Actor<typeof sessionMachine> {
    const home = this.#home;
    // A peer that says it speaks more seldom is not given up earlier than it said.
    const times = {
      ...home.times,
      heartbeatIntervalMs: Math.max(home.times.heartbeatIntervalMs, message.heartbeatIntervalMs),
      heartbeatTimeoutMs: Math.max(home.times.heartbeatTimeoutMs, message.heartbeatTimeoutMs),
    };
    this.#times = times;
    return home.system.spawn(
      drive(sessionMachine, sessionEffects, {
        attachSocket: () => this.#attach(),
        dismissSocket: () =>
          this.#pending?.link.breakOff(CloseCode.OBSOLETE, 'a newer socket of this instance is registered'),
        sendRegistered: () => this.#sendRegistered(),
        prepareSync: (registration) => void this.#prepareSync(registration),
        sendSync: ({ registrationEpoch }) =>
          this.#link?.outbox.frame(FrameType.SYNC, 0, 0, registrationEpoch, this.#sync),
        announceOnline: () => this.#goOnline(),
        announceSuspect: ({ silentMs }) => {
          if (this.#link !== undefined) this.#link.liveness = 'suspect';
          this.#takeNothingNew();
          home.log.warn(
            { [this.role]: this.id, silentMs },
            `${this.id} is silent for ${Math.round(silentMs)} ms`,
          );
        },
        announceAbsent: () => this.#detach(),
        announceDraining: () => this.#takeNothingNew(),
        announceExpired: ({ reason }) => {
          this.#detach();
          this.#leave();
          home.ended(this, this.#ending, reason);
        },
        measureSilence: ({ epoch }) => this.#measureSilence(epoch),
        terminateSocket: () => {
          const link = this.#link;
          this.#link = undefined;
          link?.disown();
          link?.terminate();
        },
        sendDrain: () =>
          this.#link?.outbox.json(FrameType.DRAINING, 0, 0, 0, { retryAfterMs: home.retryAfterMs }),
        sendReplaced: () => {
          this.#ending = 'superseded';
          const reason = `another instance of ${this.id} took over`;
          const link = this.#link;
          link?.outbox.json(FrameType.REPLACED, 0, 0, 0, { reason });
          link?.disown();
          link?.breakOff(CloseCode.REPLACED, reason);
          this.#link = undefined;
        },
      }),
      {
        // The number tells apart instances whose names begin alike, or that hold slashes.
        id: `session/${this.role}/${this.id}/${this.number}`,
        input: { ...times, ...this.history },
        onTransition: noteSession(home.log, this, (state) => home.moved(this, state)),
      },
    );
  }

  #attach(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const { link, message } = pending;
    const before = this.#link;
    this.#detach();
    if (before !== undefined && before !== link) {
      // Two sockets of one instance never live side by side.
      before.disown();
      before.terminate();
    }
    this.#link = link;
    link.epoch = message.epoch;
    link.registrationEpoch = message.registrationEpoch;
    link.own(this, this.role);
    this.#functions = message.functions;
    this.#digest = undefined;
    this.labels = message.labels;
    this.#registration = 'new';
    this.#registrations += 1;
    if (this.#node !== undefined) {
      this.#node.functions = new Map(message.functions.map((name, number) => [name, number]));
      this.#node.labels = message.labels;
      this.#node.maxConcurrent = Math.max(1, message.maxConcurrent);
      this.#home.router.nodeRegistered(this.#node, message.ordinals);
    }
    if (this.#client !== undefined) this.#home.router.clientAttached(this.#client, link.outbox);
  }

  /** The router stops counting on it. */
  #detach(): void {
    if (this.#node !== undefined && this.#node.state !== 'away') this.#home.router.nodeAway(this.#node);
    if (this.#client !== undefined) this.#home.router.clientDetached(this.#client);
  }

  /** It will not come back: what it had in flight is settled. */
  #leave(): void {
    if (this.#node !== undefined) this.#home.router.removeNode(this.#node);
    if (this.#client !== undefined) this.#home.router.removeClient(this.#client);
  }

  #sendRegistered(): void {
    if (this.#pending === undefined) return;
    const { link, message } = this.#pending;
    link.outbox.json(FrameType.REGISTERED, 0, 0, 0, {
      hub: this.#home.hubInstance,
      session: this.number,
      epoch: message.epoch,
      registrationEpoch: message.registrationEpoch,
      resumed: this.#registrations > 1,
      encoding: message.encodings.includes(this.#home.encoding) ? this.#home.encoding : 'json',
      heartbeatTimeoutMs: this.#home.heartbeatTimeoutMs,
      sessionGraceMs: this.#home.times.sessionGraceMs,
      // Only to those that take part in rosters.
      ...(message.ordinals !== undefined && this.#client !== undefined
        ? { roster: this.#home.router.greet(this.#client) }
        : {}),
      ...(message.ordinals !== undefined && this.#node !== undefined ? { ordinal: this.#node.ordinal } : {}),
    });
  }

  async #prepareSync(registration: { epoch: number; registrationEpoch: number }): Promise<void> {
    try {
      this.#sync = encodeSync(await this.#home.prepareSync(this));
      this.#tell({ type: 'sync.prepared', ...registration });
    } catch (error) {
      const fields = { [this.role]: this.id, error: String(error) };
      this.#home.log.error(fields, `no sync for ${this.id}: ${String(error)}`);
      this.#link?.breakOffOf(registration, CloseCode.UNAVAILABLE, 'the hub could not prepare the sync');
    }
  }

  #goOnline(): void {
    const link = this.#link;
    if (link === undefined) return;
    link.liveness = 'fine';
    this.#home.online(this);
    if (this.#node !== undefined) this.#home.router.nodeOnline(this.#node, link.outbox, this.#registration);
    this.#registration = 'routed';
  }

  /** What runs at the node goes on. After a new registration it is asked what that is. */
  #takeNothingNew(): void {
    if (this.#node === undefined || this.#link === undefined) return;
    this.#home.router.nodeLeaving(this.#node, this.#link.outbox, this.#registration);
    this.#registration = 'routed';
  }

  #measureSilence(epoch: number): void {
    const { clock } = this.#home.system;
    clock.endOfTurn(() => {
      const link = this.#link;
      const silentMs = link === undefined ? Infinity : clock.now() - link.lastInboundAt;
      const { heartbeatTimeoutMs, heartbeatIntervalMs } = this.#times;
      if (silentMs >= heartbeatTimeoutMs) this.#tell({ type: 'heartbeat.overdue', epoch, silentMs });
      else if (silentMs >= 2 * heartbeatIntervalMs) this.#tell({ type: 'link.silent', epoch, silentMs });
      else this.#tell({ type: 'link.active', epoch, silentMs });
    });
  }
}
