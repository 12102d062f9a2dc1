// A node: offers functions to a fleet, and comes back by itself.
// Invariant: no global state: two nodes in one process know nothing of each other.
import { executionMachine } from '../../machines/execution.ts';
import { createSystem, recordTransitions, type System } from '../actors/index.ts';
import type { Execution } from '../calls/execution.ts';
import { Executor } from '../calls/executor.ts';
import { checkFunctions, type NodeFunctions } from '../calls/functions.ts';
import { observeBy, observeTable } from '../engine/table-records.ts';
import type { TransitionSink } from '../engine/transition-record.ts';
import { Link, type LinkUser } from '../links/link.ts';
import {
  checkUrl,
  resolveTimes,
  wholeNumber,
  type ExecutionTimes,
  type LinkTimes,
  type Preset,
} from '../links/options.ts';
import type { Clock, Dialer, Log, Random } from '../ports.ts';
import { Collector } from '../inspect/stream/collector.ts';
import { TableSample } from '../inspect/stream/table-sample.ts';
import { Forwarder } from '../inspect/stream/forwarder.ts';
import type { HoldfastError } from '../protocol/errors.ts';
import { defaults, limits } from '../protocol/limits.ts';
import { decodeValue, type Encoding } from '../protocol/values.ts';

export interface NodeOptions extends Partial<LinkTimes & ExecutionTimes> {
  /** For example `ws://127.0.0.1:7070`. */
  readonly hub: string;
  readonly functions: NodeFunctions;
  /** Another instance with the same id takes this one's place. @default a random one */
  readonly id?: string | undefined;
  /** @default none */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The hub's join token. @default none */
  readonly token?: string | undefined;
  /** @default none */
  readonly preset?: Preset | undefined;
  /** Functions that run at once; more wait at the hub. @default 1024 */
  readonly maxConcurrent?: number | undefined;
  /** Outcomes kept until their callers acknowledge them. @default 10000 */
  readonly maxRetainedResults?: number | undefined;
  /** @default 67108864 */
  readonly maxRetainedBytes?: number | undefined;
  /** Called with what the hub's application tells joiners; the node takes work when it is done. @default nothing */
  readonly onSync?: ((value: unknown) => void | Promise<void>) | undefined;
  /** Of results. @default 'json' */
  readonly encoding?: Encoding | undefined;
  /** The link ended and will not come back by itself. @default nothing but a line in the log */
  readonly onEnded?: ((error: HoldfastError) => void) | undefined;
  /** @default a log on standard error */
  readonly log?: Log | undefined;
  /** Whether viewers of the hub may see its machines, as the hub shows them. @default true */
  readonly inspect?: boolean | undefined;
  /**
   * Gets a record of each event that an actor of it took; it must read the record at once. `createTransitionFile` keeps
   * them, and `holdfast conform` checks them. @default none, which costs nothing
   */
  readonly transitions?: TransitionSink | undefined;
}

export interface NodePorts {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly random: Random;
  readonly log: Log;
}

export interface NodeStatus {
  readonly id: string;
  readonly instance: string;
  /** State of its connection. */
  readonly state: string;
  /** Failed attempts since the link was last stable. */
  readonly attempt: number;
  readonly reconnects: number;
  /** Milliseconds since anything was heard from the hub; undefined without a socket. */
  readonly lastHeartbeatAgeMs: number | undefined;
  readonly activeExecutions: number;
  readonly waitingExecutions: number;
  readonly retainedResults: number;
  readonly totalExecuted: number;
  readonly hubLagMs: number;
  /** Why the link was last given up. */
  readonly reason: string;
}

/** A node of the fleet. It dials as soon as it is made. */
export interface FleetNode {
  readonly id: string;
  readonly instance: string;
  readonly system: System;
  status(): NodeStatus;
  /** Resolves when registered. @throws HoldfastError when the hub refuses for good, or attempts are spent */
  ready(): Promise<void>;
  /** Dials again after `failed`; the network is back. */
  connect(): void;
  /** Takes no new calls, finishes those that run, then leaves. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws HoldfastError `invalid_option` */
export function startNode(options: NodeOptions, ports: NodePorts): FleetNode {
  const times = resolveTimes(options, options.preset);
  const functions = checkFunctions(options.functions);
  const names = [...functions.keys()];
  const id = options.id ?? `node-${ports.random.id().slice(0, 8)}`;
  const instance = ports.random.id();
  const maxConcurrent = wholeNumber(
    'maxConcurrent',
    options.maxConcurrent ?? defaults.maxConcurrentExecutions,
    1,
    limits.maxExecutions,
  );
  const run = instance.slice(0, 8);
  const inspect = recordTransitions(options.transitions, run);
  const system = createSystem({ clock: ports.clock, log: ports.log, inspect });
  const encoding = options.encoding ?? 'json';
  const transitions = observeTable<Execution>(options.transitions, {
    machine: executionMachine,
    run,
    id: ({ client, attempt }) =>
      `execution/${id}/${run}/${client.id}/${client.instance.slice(0, 8)}/${attempt}`,
    now: () => ports.clock.now(),
  });
  const executor = new Executor({
    clock: ports.clock,
    encoding,
    functions,
    maxConcurrent,
    executionTimeoutMs: times.executionTimeoutMs,
    maxRetainedResults: wholeNumber(
      'maxRetainedResults',
      options.maxRetainedResults ?? limits.maxRetainedResults,
      1,
    ),
    maxRetainedBytes: wholeNumber('maxRetainedBytes', options.maxRetainedBytes ?? limits.maxRetainedBytes, 1),
    clientGraceMs: 2 * defaults.sessionGraceMs,
    observer: transitions,
  });
  /** By which hubs find out whether it may have the calls of one before. */
  let ordinals: { readonly hub: string; readonly ordinal: number }[] = [];
  const user: LinkUser = {
    attached: (outbox, { sessionGraceMs, hub, ordinal }) => {
      if (ordinal !== undefined) {
        const others = ordinals.filter((place) => place.hub !== hub || place.ordinal !== ordinal);
        ordinals = [...others, { hub, ordinal }].slice(-limits.maxFormerHubs);
      }
      executor.attached(outbox, sessionGraceMs);
    },
    heard: (at) => executor.heard(at),
    detached: () => executor.detached(),
    hubDraining: () => undefined,
    drained: () => undefined,
    synced: (bytes) => options.onSync?.(decodeValue(bytes, 0, bytes.length, false)),
    drain: (finished) => executor.drained(finished),
    ended: (error) => {
      executor.ended();
      options.onEnded?.(error);
    },
    frame: (type, flags, peer, number, bytes, start, end) =>
      executor.frame(type, flags, peer, number, bytes, start, end),
  };
  const inspection = options.inspect === false ? undefined : forward();
  const link = new Link({
    system,
    dialer: ports.dialer,
    random: ports.random,
    log: ports.log,
    url: checkUrl('hub', options.hub),
    times,
    identity: {
      role: 'node',
      id,
      instance,
      token: options.token,
      labels: options.labels ?? {},
      maxConcurrent,
      encodings: [encoding],
      functions: () => names,
      ordinals: () => ordinals,
    },
    user,
    inspection,
  });
  link.connect();

  function forward(): Forwarder {
    const { clock } = ports;
    const collector = new Collector({ clock, process: `node/${id}/${run}`, role: 'node', name: id });
    collector.add(system);
    collector.addSampled(
      new TableSample<Execution>({
        clock,
        machine: executionMachine,
        observe: (observer) => executor.machine.observe(observeBy(transitions, observer)),
        key: ({ attempt }) => attempt,
        id: ({ client, attempt }) => `execution/${client.id}/${client.instance.slice(0, 8)}/${attempt}`,
      }),
    );
    return new Forwarder(clock, collector);
  }

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= link.stop().then(() => system.stop()));
  return {
    id,
    instance,
    system,
    status: () => {
      const { state, attempt, reconnects, lastHeartbeatAgeMs, hubLagMs, reason } = link.status();
      return {
        id,
        instance,
        state,
        attempt,
        reconnects,
        lastHeartbeatAgeMs,
        activeExecutions: executor.active,
        waitingExecutions: executor.waiting,
        retainedResults: executor.retained,
        totalExecuted: executor.executed,
        hubLagMs,
        reason,
      };
    },
    ready: () => link.ready(),
    connect: () => link.connect(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
