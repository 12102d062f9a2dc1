// A client: calls functions of a fleet, wherever they run, through whatever happens to its link.
// Invariant: every call settles exactly once.
import { callMachine } from '../../machines/call.ts';
import { createSystem, recordTransitions, type System } from '../actors/index.ts';
import { Caller } from '../calls/caller.ts';
import type { Call, CallOptions } from '../calls/pending.ts';
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
import { HoldfastError } from '../protocol/errors.ts';
import { FrameType } from '../protocol/frames.ts';
import { defaults, limits } from '../protocol/limits.ts';
import { readAnswer, type AnswerMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import type { Encoding } from '../protocol/values.ts';

export interface ClientOptions extends Partial<LinkTimes & ExecutionTimes> {
  /** For example `ws://127.0.0.1:7070`. */
  readonly hub: string;
  /** @default a random one */
  readonly id?: string | undefined;
  /** @default none */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The hub's join token. @default none */
  readonly token?: string | undefined;
  /** @default none */
  readonly preset?: Preset | undefined;
  /** Calls that may wait for the link. @default 100000 */
  readonly maxQueueSize?: number | undefined;
  /** Attempts of one call, the first included. @default 8 */
  readonly maxCallAttempts?: number | undefined;
  /** Of arguments. @default 'json' */
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

export interface ClientPorts {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly random: Random;
  readonly log: Log;
}

export interface ClientStatus {
  readonly id: string;
  readonly state: string;
  readonly attempt: number;
  readonly reconnects: number;
  readonly lastHeartbeatAgeMs: number | undefined;
  /** Calls that have not settled. */
  readonly inFlight: number;
  /** Attempts after the first, of all calls. */
  readonly retries: number;
  readonly hub: string | undefined;
  readonly reason: string;
}

/** The same functions, as a caller sees them: everything is a promise. */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** A node as the hub describes it. */
export type NodeDescription = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly state: string;
};

export interface Client {
  readonly id: string;
  readonly system: System;
  /** Calls a function. @throws HoldfastError by one of the ways in which a call can end */
  call<R = unknown>(name: string, args?: readonly unknown[], options?: CallOptions): Promise<R>;
  /** Calls a function whose result is a stream, with backpressure; leaving the loop cancels it. */
  stream<R = unknown>(
    name: string,
    args?: readonly unknown[],
    options?: CallOptions,
  ): AsyncIterableIterator<R>;
  /** `client.functions<{ add(a: number, b: number): number }>().add(1, 2)` */
  functions<T extends object>(options?: CallOptions): Remote<T>;
  /** The nodes that the hub knows. */
  nodes(): Promise<NodeDescription[]>;
  /** What the hub says of itself. */
  hubStatus(): Promise<Readonly<Record<string, unknown>>>;
  status(): ClientStatus;
  /** Resolves when registered. @throws HoldfastError when the hub refuses for good, or attempts are spent */
  ready(): Promise<void>;
  /** Dials again after `failed`; the network is back. */
  connect(): void;
  /** Takes no new calls, waits for those in flight, then leaves. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Question {
  readonly ask: object;
  readonly resolve: (answer: AnswerMessage) => void;
  readonly reject: (error: HoldfastError) => void;
}

/** @throws HoldfastError `invalid_option` */
export function startClient(options: ClientOptions, ports: ClientPorts): Client {
  const times = resolveTimes(options, options.preset);
  const id = options.id ?? `client-${ports.random.id().slice(0, 8)}`;
  const instance = ports.random.id();
  const run = instance.slice(0, 8);
  const inspect = recordTransitions(options.transitions, run);
  const system = createSystem({ clock: ports.clock, log: ports.log, inspect });
  const encoding = options.encoding ?? 'json';
  const transitions = observeTable<Call>(options.transitions, {
    machine: callMachine,
    run,
    id: (_call, n) => `call/${id}/${run}/${n}`,
    now: () => ports.clock.now(),
  });
  const caller = new Caller({
    clock: ports.clock,
    encoding,
    executionTimeoutMs: times.executionTimeoutMs,
    maxCallAttempts: wholeNumber(
      'maxCallAttempts',
      options.maxCallAttempts ?? defaults.maxCallAttempts,
      1,
      1_000,
    ),
    maxQueueSize: wholeNumber('maxQueueSize', options.maxQueueSize ?? limits.maxClientQueue, 0),
    observer: transitions,
  });
  const questions = new Map<number, Question>();
  let nextQuestion = 1;
  let present: Outbox | undefined;
  /** Why nothing is asked any more. */
  let end: HoldfastError | undefined;

  const user: LinkUser = {
    attached: (outbox, registered) => {
      present = outbox;
      caller.attached(outbox, registered);
      // Questions change nothing, so they are simply asked again.
      for (const [number, { ask }] of questions) outbox.json(FrameType.ASK, 0, 0, number, ask);
    },
    heard: (at) => caller.heard(at),
    detached: () => {
      present = undefined;
      caller.detached();
    },
    hubDraining: () => caller.hubDraining(),
    drained: () => undefined,
    synced: () => undefined,
    drain: (finished) => caller.drained(finished),
    ended: (error) => {
      end = error;
      caller.ended(error);
      for (const { reject } of questions.values()) reject(error);
      questions.clear();
      options.onEnded?.(error);
    },
    frame: (type, flags, peer, number, bytes, start, end) => {
      if (type !== FrameType.ANSWER) return caller.frame(type, flags, peer, number, bytes, start, end);
      const answer = readAnswer(bytes, start, end);
      questions.get(number)?.resolve(answer);
      questions.delete(number);
    },
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
      role: 'client',
      id,
      instance,
      token: options.token,
      labels: options.labels ?? {},
      maxConcurrent: 0,
      encodings: [encoding],
      functions: () => [],
      ordinals: () => [],
    },
    user,
    inspection,
  });
  link.connect();

  function forward(): Forwarder {
    let unsent = 0;
    const { clock } = ports;
    const collector = new Collector({ clock, process: `client/${id}/${run}`, role: 'client', name: id });
    collector.add(system);
    collector.addSampled(
      new TableSample<Call>({
        clock,
        machine: callMachine,
        observe: (observer) => caller.machine.observe(observeBy(transitions, observer)),
        // Its first attempt; a call that ends without one is counted.
        key: ({ attempt, state, context }) => {
          if (context.control.epoch > 1) return undefined;
          if (attempt !== 0) return attempt;
          return caller.machine.final[state] === true ? (unsent += 1) : undefined;
        },
        id: ({ attempt }) => (attempt === 0 ? `call/unsent/${unsent}` : `call/${attempt}`),
      }),
    );
    return new Forwarder(clock, collector);
  }

  function question(ask: object): Promise<AnswerMessage> {
    return new Promise((resolve, reject) => {
      if (end !== undefined) return reject(end);
      if (questions.size >= limits.maxQuestions) {
        const message = `${questions.size} questions to the hub wait for their answer already; await some of them`;
        return reject(new HoldfastError(message, { code: 'queue_full', retryable: true }));
      }
      const number = nextQuestion;
      nextQuestion += 1;
      questions.set(number, { ask, resolve, reject });
      present?.json(FrameType.ASK, 0, 0, number, ask);
    });
  }

  async function nodes(): Promise<NodeDescription[]> {
    const all: NodeDescription[] = [];
    for (;;) {
      const { nodes: page, total } = await question({ ask: 'nodes', from: all.length });
      if (page === undefined || total === undefined) throw notAnswered('nodes');
      all.push(...page);
      if (page.length === 0 || all.length >= total) return all;
    }
  }

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    caller.refuse(new HoldfastError(`${id} was stopped`, { code: 'stopped' }));
    return (stopping ??= link.stop().then(() => system.stop()));
  };
  const call = (name: string, args: readonly unknown[] = [], callOptions?: CallOptions) =>
    caller.call(name, args, callOptions);
  return {
    id,
    system,
    call: call as Client['call'],
    stream: ((name: string, args: readonly unknown[] = [], callOptions?: CallOptions) =>
      caller.stream(name, args, callOptions)) as Client['stream'],
    functions: <T extends object>(callOptions?: CallOptions) =>
      new Proxy(Object.create(null) as Remote<T>, {
        // A promise would look for `then`: a typed client is none.
        get: (_, name) =>
          typeof name === 'string' && name !== 'then'
            ? (...args: unknown[]) => caller.call(name, args, callOptions)
            : undefined,
      }),
    nodes,
    hubStatus: async () => {
      const { status } = await question({ ask: 'status' });
      if (status === undefined) throw notAnswered('status');
      return status;
    },
    status: () => {
      const { state, attempt, reconnects, lastHeartbeatAgeMs, hub, reason } = link.status();
      const { inFlight, retries } = caller;
      return { id, state, attempt, reconnects, lastHeartbeatAgeMs, inFlight, retries, hub, reason };
    },
    ready: () => link.ready(),
    connect: () => {
      // Only a link whose attempts are spent can come back.
      if (link.state === 'failed') {
        caller.revived();
        end = undefined;
      }
      link.connect();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function notAnswered(ask: string): HoldfastError {
  const message = `the hub's answer has no ${ask}; is it of another version?`;
  return new HoldfastError(message, { code: 'protocol_violation', blame: 'remote' });
}
