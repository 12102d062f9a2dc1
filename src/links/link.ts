// The dialling side of a link to a hub: the connection machine, speaking Holdfast's wire protocol.
// Invariant: call frames reach the user only while the link is registered; whatever is written meanwhile to a link
// that is gone is dropped, because what matters is asked for again on the next one.
import type { connectionMachine } from '../../machines/connection.ts';
import { statePath, type System, type Transition } from '../actors/index.ts';
import type { Dialer, Log, Random, Socket } from '../ports.ts';
import { digestOf } from '../protocol/digest.ts';
import { ProtocolViolation, type HoldfastError } from '../protocol/errors.ts';
import { CloseCode, Flag, FrameType } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/limits.ts';
import {
  readChecked,
  readInspect,
  readDraining,
  readRefused,
  readRegistered,
  readReplaced,
} from '../protocol/messages.ts';
import type { RegisteredMessage } from '../protocol/messages.ts';
import { Outbox } from '../protocol/outbox.ts';
import { copyBytes, readFrames, unexpectedType, type FrameHandler } from '../protocol/read.ts';
import { decodeText } from '../protocol/text.ts';
import { dial, type Connection, type Speaker } from './dialer.ts';
import { endingOf } from './ending.ts';
import type { Identity, LinkInspection } from './identity.ts';
import type { LinkTimes } from './options.ts';

/** Who uses the link: a node's executor or a client's caller. */
export interface LinkUser extends FrameHandler {
  /** Registered: `outbox` leads to the hub until `detached`. */
  attached(outbox: Outbox, registered: RegisteredMessage): void;
  /** A message came in, at this time of the clock; its frames follow. */
  heard(at: number): void;
  detached(): void;
  /** The hub takes no new work on this link. */
  hubDraining(): void;
  drained(): void;
  /** What the hub's application tells joiners; the link acknowledges when it is done. */
  synced(bytes: Uint8Array): void | Promise<void>;
  /** No new work; call `finished` when nothing is in flight. */
  drain(finished: () => void): void;
  ended(error: HoldfastError): void;
}

export interface LinkOptions {
  readonly system: System;
  readonly dialer: Dialer;
  readonly random: Random;
  readonly log: Log;
  readonly url: string;
  readonly times: LinkTimes;
  readonly identity: Identity;
  readonly user: LinkUser;
  /** @default none: nobody can look */
  readonly inspection?: LinkInspection | undefined;
  onTransition?(transition: Transition<typeof connectionMachine>): void;
}

/** `establishing.registering` → `registering`; what happens inside `connected` and `draining` is theirs. */
function leaf(path: string): string {
  if (path.startsWith('connected')) return 'connected';
  if (path.startsWith('draining')) return 'draining';
  return path.slice(path.lastIndexOf('.') + 1);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export class Link {
  readonly #options: LinkOptions;
  readonly #connection: Connection;
  readonly #log: Log;
  #outbox: Outbox | undefined;
  #registered: RegisteredMessage | undefined;
  #registering = { epoch: 0, registrationEpoch: 0 };
  #syncBytes: Uint8Array | undefined;
  #ended: HoldfastError | undefined;
  #waiters: { ready: () => void; failed: (error: HoldfastError) => void }[] = [];
  #stopWaiters: (() => void)[] = [];

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#log = options.log;
    const { maxRetryAttempts, ...times } = options.times;
    this.#connection = dial(this.#speaker(), {
      system: options.system,
      dialer: options.dialer,
      id: `connection/${options.identity.id}/${options.identity.instance.slice(0, 8)}`,
      url: options.url,
      input: { ...times, maxRetryAttempts, seed: options.random.uint32() },
      onTransition: (transition) => this.#note(transition),
    });
  }

  /** Leaf state of the connection machine, for example `connected` or `backoff`. */
  get state(): string {
    return leaf(statePath(this.#connection.actor.snapshot().value));
  }

  /** Numbers that a person needs to judge the link. */
  status() {
    const { control, ledger } = this.#connection.actor.snapshot().context;
    const silentMs = this.#connection.silentMs();
    return {
      state: this.state,
      attempt: ledger.failures,
      attemptLimit: control.attemptLimit,
      reconnects: ledger.reconnects,
      lastHeartbeatAgeMs: Number.isFinite(silentMs) ? Math.round(silentMs) : undefined,
      hubLagMs: ledger.hubLagMs,
      hub: this.#registered?.hub,
      reason: ledger.reason,
    };
  }

  connect(): void {
    this.#connection.tell({ type: 'connect.requested' });
  }

  /** The network may be back: a link in backoff dials at once, one that is connected is probed. */
  wake(): void {
    this.#connection.tell({ type: 'wake.hinted' });
  }

  /** Functions changed: confirm the registry at the next health check at the latest. @internal */
  get outbox(): Outbox | undefined {
    return this.#outbox;
  }

  /** Resolves when registered; rejects when the link has ended. */
  ready(): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#outbox !== undefined) return Promise.resolve();
    return new Promise((ready, failed) => this.#waiters.push({ ready, failed }));
  }

  /** Drains, then closes. Idempotent; resolves when the link is down. */
  stop(): Promise<void> {
    if (this.#connection.actor.status !== 'active') return Promise.resolve();
    return new Promise((resolve) => {
      this.#stopWaiters.push(resolve);
      this.#connection.tell({ type: 'stop.requested' });
    });
  }

  /** Breaks off with a close code: the peer did what the protocol forbids. */
  violate(error: ProtocolViolation): void {
    this.#log.warn({ code: error.closeCode }, `hub broke the protocol: ${error.message}`);
    this.#connection.socket?.close(error.closeCode, error.message);
  }

  #speaker(): Speaker {
    const { user } = this.#options;
    return {
      register: (socket, registration) => this.#register(socket, registration),
      message: (bytes, at) => this.#message(bytes, at),
      drained: () => {
        this.#outbox?.drained();
        user.drained();
      },
      acknowledgeSync: (registration) => void this.#acknowledgeSync(registration),
      ping: ({ registrationEpoch }) => this.#frames()?.frame(FrameType.PING, 0, 0, registrationEpoch),
      check: ({ registrationEpoch }) => {
        const functions = this.#options.identity.functions();
        const message = { functions: functions.length, digest: digestOf(functions) };
        this.#frames()?.json(FrameType.CHECK, 0, 0, registrationEpoch, message);
      },
      settle: () => this.#detach(),
      drain: (registration) => {
        this.#frames()?.json(FrameType.DEPARTING, 0, 0, 0, registration);
        user.drain(() => {
          // The socket is closed in this turn: what was said to the end must be in it.
          this.#wire?.outbox.flush();
          this.#connection.tell({ type: 'drain.finished' });
        });
      },
      backoff: ({ delayMs, ceilingMs, attempt, attemptLimit }) => {
        const attempts = attemptLimit === 0 ? `attempt ${attempt}` : `attempt ${attempt}/${attemptLimit}`;
        const text = `reconnecting in ${seconds(delayMs)} (of at most ${seconds(ceilingMs)}, ${attempts})`;
        this.#log.info({ delayMs, ceilingMs, attempt, attemptLimit }, text);
      },
      ended: (state, reason) => this.#end(state, reason),
    };
  }

  /** The writer of the present socket, made with it. */
  #wire: { socket: Socket; outbox: Outbox } | undefined;

  #frames(): Outbox | undefined {
    const { socket } = this.#connection;
    if (socket === undefined) return undefined;
    if (this.#wire?.socket !== socket) {
      const { clock } = this.#options.system;
      const port = {
        send: (bytes: Uint8Array) => socket.send(bytes),
        get bufferedBytes() {
          return socket.bufferedBytes;
        },
        endOfTurn: (fn: () => void) => clock.endOfTurn(fn),
      };
      const onOverflow = (waitingBytes: number) => {
        this.#log.warn(
          { waitingBytes },
          `hub does not read: ${waitingBytes} bytes wait; the link is given up`,
        );
        socket.terminate();
      };
      this.#wire = { socket, outbox: new Outbox(port, { onOverflow }) };
    }
    return this.#wire.outbox;
  }

  #register(_socket: Socket, registration: { epoch: number; registrationEpoch: number }): void {
    this.#registering = registration;
    const { role, id, instance, token, labels, maxConcurrent, encodings, functions } = this.#options.identity;
    const { inspection } = this.#options;
    const step = inspection?.stamp();
    this.#detach();
    this.#frames()?.json(FrameType.REGISTER, 0, 0, 0, {
      role,
      id,
      instance,
      ...registration,
      ...(token === undefined ? {} : { token }),
      functions: functions(),
      labels,
      maxConcurrent,
      encodings,
      ordinals: this.#options.identity.ordinals(),
      ...(inspection === undefined ? {} : { inspects: true, step }),
      version: SUBPROTOCOL,
      heartbeatIntervalMs: this.#options.times.heartbeatIntervalMs,
      heartbeatTimeoutMs: this.#options.times.heartbeatTimeoutMs,
    });
  }

  #message(bytes: Uint8Array, at: number): void {
    this.#options.user.heard(at);
    try {
      readFrames(bytes, this.#handler);
    } catch (error) {
      if (error instanceof ProtocolViolation) this.violate(error);
      else this.#fail(error);
    }
  }

  /** A frame made us fail: our own defect, which costs this link and not the process that uses it. */
  #fail(error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined;
    this.#log.error({ stack }, `defect: a frame could not be handled: ${String(error)}`);
    this.#connection.socket?.close(CloseCode.INTERNAL, `${this.#options.identity.role} failed`);
  }

  readonly #handler: FrameHandler = {
    frame: (type, flags, peer, id, bytes, start, end) => {
      if (type === FrameType.INSPECT) return this.#inspected(flags, id, bytes, start, end);
      if (type >= FrameType.CALL) {
        if (type > FrameType.ROSTER) throw unexpectedType(type, 'a hub');
        if (this.#outbox !== undefined) this.#options.user.frame(type, flags, peer, id, bytes, start, end);
        return;
      }
      this.#control(type, flags, peer, id, bytes, start, end);
      this.#options.inspection?.read();
    },
  };

  #inspected(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const { inspection } = this.#options;
    const outbox = this.#frames();
    if (inspection === undefined || outbox === undefined) throw unexpectedType(FrameType.INSPECT, 'a hub');
    if ((flags & Flag.STAMP) !== 0) inspection.stamped(decodeText(bytes, start, end), id);
    else inspection.asked(readInspect(bytes, start, end), outbox);
  }

  #control(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { epoch } = this.#connection;
    const tell = this.#connection.tell;
    switch (type) {
      case FrameType.REGISTERED: {
        const registered = readRegistered(bytes, start, end);
        if (!this.#isCurrent(registered)) return;
        this.#attach(registered);
        tell({ type: 'registration.accepted', epoch, registrationEpoch: registered.registrationEpoch });
        return;
      }
      case FrameType.REFUSED: {
        const { registrationEpoch, terminal, retryAfterMs, reason } = readRefused(bytes, start, end);
        if (terminal) tell({ type: 'registration.forbidden', epoch, registrationEpoch, reason });
        else tell({ type: 'registration.refused', epoch, registrationEpoch, retryAfterMs, reason });
        return;
      }
      case FrameType.SYNC:
        this.#syncBytes = copyBytes(bytes, start, end);
        tell({ type: 'sync.received', epoch, registrationEpoch: id });
        return;
      case FrameType.UNKNOWN:
        // Id 0: the hub could not tell which registration it forgot; on an ordered socket it is the present one.
        tell({
          type: 'node.unknown',
          epoch,
          registrationEpoch: id === 0 ? this.#registering.registrationEpoch : id,
        });
        return;
      case FrameType.PONG:
        return;
      case FrameType.CHECKED: {
        const { ok, lagMs } = readChecked(bytes, start, end);
        if (ok) tell({ type: 'health.confirmed', epoch, registrationEpoch: id, hubLagMs: lagMs });
        else tell({ type: 'health.mismatched', epoch, registrationEpoch: id });
        return;
      }
      case FrameType.DRAINING:
        this.#options.user.hubDraining();
        tell({ type: 'hub.draining', epoch, retryAfterMs: readDraining(bytes, start, end).retryAfterMs });
        return;
      case FrameType.REPLACED:
        tell({ type: 'node.replaced', epoch, reason: readReplaced(bytes, start, end).reason });
        return;
      case FrameType.PEER:
        this.#options.user.frame(type, flags, peer, id, bytes, start, end);
        return;
      default:
        throw unexpectedType(type, 'a hub');
    }
  }

  #isCurrent({ epoch, registrationEpoch }: { epoch: number; registrationEpoch: number }): boolean {
    return epoch === this.#registering.epoch && registrationEpoch === this.#registering.registrationEpoch;
  }

  async #acknowledgeSync(registration: { epoch: number; registrationEpoch: number }): Promise<void> {
    const outbox = this.#frames();
    const bytes = this.#syncBytes ?? new Uint8Array();
    this.#syncBytes = undefined;
    const step = this.#options.inspection?.stamp();
    try {
      await this.#options.user.synced(bytes);
      outbox?.writeStamp(step);
      // A link that ended meanwhile has another outbox, or none: this one drops what it is given.
      outbox?.json(FrameType.SYNCED, 0, 0, 0, registration);
    } catch (error) {
      this.#log.error(
        { error: String(error) },
        `sync failed: ${String(error)}; the hub will not send work here`,
      );
    }
  }

  #attach(registered: RegisteredMessage): void {
    const outbox = this.#frames();
    if (outbox === undefined || this.#outbox === outbox) return;
    this.#outbox = outbox;
    this.#registered = registered;
    this.#options.user.attached(outbox, registered);
    for (const { ready } of this.#waiters.splice(0)) ready();
  }

  #detach(): void {
    if (this.#outbox === undefined) return;
    this.#outbox = undefined;
    this.#options.inspection?.detached();
    this.#options.user.detached();
  }

  #end(state: 'failed' | 'rejected' | 'shutdown', reason: string): void {
    this.#detach();
    const { identity, url, times } = this.#options;
    const error = endingOf(state, reason, { id: identity.id, url, maxRetryAttempts: times.maxRetryAttempts });
    if (state !== 'failed') this.#ended = error;
    this.#options.inspection?.stop();
    for (const { failed } of this.#waiters.splice(0)) failed(error);
    for (const stopped of this.#stopWaiters.splice(0)) stopped();
    this.#options.user.ended(error);
  }

  #note(transition: Transition<typeof connectionMachine>): void {
    const { snapshot } = transition;
    const from = leaf(transition.from);
    const to = leaf(transition.to);
    if (from === to) return;
    const { control, ledger } = snapshot.context;
    const why =
      to === 'transient_failure' || to === 'rejected' || to === 'failed' ? `: ${ledger.reason}` : '';
    const fields = { from, to, epoch: control.epoch, attempts: ledger.failures };
    if (why === '') this.#log.info(fields, `${from} → ${to}`);
    else this.#log.warn(fields, `${from} → ${to}${why}`);
    this.#options.onTransition?.(transition);
  }
}
