// Runs a connection machine over a socket port: dial, measure silence, terminate, release. What is said over the
// socket is the speaker's business.
// Invariant: events of a socket carry the epoch of its dial, whatever the machine has moved on to since.
import {
  connectionEffects,
  connectionMachine,
  type ConnectionEvent,
  type ConnectionInput,
} from '../../machines/connection.ts';
import type { Unstamped } from '../../machines/types.ts';
import type { Actor, System, Transition } from '../actors/index.ts';
import { drive } from '../engine/drive.ts';
import type { Dialer, Socket } from '../ports.ts';
import { closeText, isTerminal } from '../protocol/frames.ts';

type Registration = { readonly epoch: number; readonly registrationEpoch: number };
type Announced = ReturnType<typeof connectionEffects.announceBackoff>;

/** What is said over a link: the protocol above the socket. */
export interface Speaker {
  /** Introduce yourself on the open socket; answer by `tell` with `registration.accepted`, `.refused` or `.forbidden`. */
  register(socket: Socket, registration: Registration): void;
  /** `at`: when it came in. */
  message(bytes: Uint8Array, at: number): void;
  drained(): void;
  acknowledgeSync(registration: Registration): void;
  ping(registration: Registration): void;
  check(registration: Registration): void;
  /** The link is gone: keep or settle what was in flight. */
  settle(): void;
  /** Say goodbye, and `tell` `drain.finished` when nothing is in flight. */
  drain(registration: Registration): void;
  backoff(announced: Announced): void;
  /** The link will not come back by itself. */
  ended(state: 'failed' | 'rejected' | 'shutdown', reason: string): void;
  closeReason?(): { code: number; reason: string };
}

export interface DialerOptions {
  readonly system: System;
  readonly dialer: Dialer;
  /** Address of the actor in the system. */
  readonly id: string;
  readonly url: string;
  readonly input: ConnectionInput;
  onTransition(transition: Transition<typeof connectionMachine>): void;
}

export interface Connection {
  readonly actor: Actor<typeof connectionMachine>;
  tell(event: Unstamped<ConnectionEvent>): void;
  /** Milliseconds since anything was heard; Infinity without a socket. */
  silentMs(): number;
  readonly socket: Socket | undefined;
  readonly epoch: number;
}

export function dial(speaker: Speaker, options: DialerOptions): Connection {
  const { system, dialer } = options;
  const { clock } = system;
  const { heartbeatIntervalMs, heartbeatTimeoutMs } = options.input;
  let socket: Socket | undefined;
  let socketEpoch = 0;
  let lastInboundAt = 0;

  const tell = (event: Unstamped<ConnectionEvent>) => actor.send(event);

  function openSocket({ epoch }: { epoch: number }): void {
    const owned = (): boolean => socketEpoch === epoch && socket !== undefined;
    socketEpoch = epoch;
    lastInboundAt = clock.now();
    socket = dialer.dial(options.url, {
      opened() {
        lastInboundAt = clock.now();
        tell({ type: 'socket.opened', epoch });
      },
      message(bytes) {
        if (!owned()) return;
        lastInboundAt = clock.now();
        speaker.message(bytes, lastInboundAt);
      },
      drained() {
        if (owned()) speaker.drained();
      },
      closed(code, reason) {
        if (socketEpoch === epoch) socket = undefined;
        if (actor.status !== 'active') return;
        if (isTerminal(code)) tell({ type: 'node.replaced', epoch, reason });
        tell({ type: 'socket.closed', epoch, reason: closeText(code, reason) });
      },
    });
  }

  function measureSilence({ epoch }: { epoch: number }): void {
    // After a stall the answer may lie unread in the kernel: let this turn's input come first.
    clock.endOfTurn(() => {
      if (actor.status !== 'active') return;
      const silentMs = clock.now() - lastInboundAt;
      if (silentMs >= heartbeatTimeoutMs) tell({ type: 'heartbeat.overdue', epoch, silentMs });
      else if (silentMs >= heartbeatIntervalMs) tell({ type: 'link.silent', epoch, silentMs });
      else tell({ type: 'link.active', epoch, silentMs });
    });
  }

  function terminateSocket({ epoch }: { epoch: number }): void {
    const old = socket;
    socket = undefined;
    old?.terminate();
    if (actor.status === 'active') tell({ type: 'socket.released', epoch });
  }

  function closeSocket(): void {
    const old = socket;
    socket = undefined;
    const { code, reason } = speaker.closeReason?.() ?? { code: 1000, reason: 'stopped' };
    old?.close(code, reason);
    stopListening();
    speaker.ended('shutdown', reason);
  }

  const actor = system.spawn(
    drive(connectionMachine, connectionEffects, {
      openSocket,
      sendRegister: (registration) => {
        if (socket !== undefined) speaker.register(socket, registration);
      },
      acknowledgeSync: (registration) => speaker.acknowledgeSync(registration),
      measureSilence,
      sendPing: (registration) => speaker.ping(registration),
      sendHealthCheck: (registration) => speaker.check(registration),
      terminateSocket,
      closeSocket,
      settleInFlight: () => speaker.settle(),
      announceBackoff: (announced) => speaker.backoff(announced),
      announceFailed: ({ reason }) => speaker.ended('failed', reason),
      announceRejected: ({ reason }) => {
        stopListening();
        speaker.ended('rejected', reason);
      },
      announceDrain: (registration) => speaker.drain(registration),
    }),
    { id: options.id, input: options.input, onTransition: options.onTransition },
  );
  const stopListening = clock.onJump(() => {
    if (actor.status === 'active') tell({ type: 'wake.hinted' });
  });

  return {
    actor,
    tell: (event) => {
      if (actor.status === 'active') tell(event);
    },
    silentMs: () => (socket === undefined ? Infinity : clock.now() - lastInboundAt),
    get socket() {
      return socket;
    },
    get epoch() {
      return socketEpoch;
    },
  };
}
