// Endpoints and their failure queue, composed as a pool composes them; requests, probes, operators and time may do anything.
// Invariant: the witness knows only what happened; what the machines think is read from them alone.
import type { AnyStateMachine } from 'xstate';
import { endpointEffects, endpointInput, endpointMachine } from '../../../machines/endpoint.ts';
import {
  failureQueueEffects,
  failureQueueInput,
  failureQueueMachine,
  noFailures,
} from '../../../machines/failure-queue.ts';
import { defineSystem, model } from '../../../src/checker/index.ts';
import type { Choice, Message, Output, SystemDefinition } from '../../../src/checker/index.ts';

export const QUEUE = 'queue';
export const WITNESS = 'witness';

export const THRESHOLD = 2;

interface OfEndpoint {
  readonly endpoint: string;
  readonly epoch: number;
}

interface Probe extends OfEndpoint {
  /** `abandoned`: nobody waits for it any more; its answer may come all the same. */
  readonly phase: 'running' | 'abandoned';
}

/** What happened to one endpoint. */
interface Known extends OfEndpoint {
  readonly service: 'in' | 'out';
  /** Failures in a row of its present epoch. */
  readonly streak: number;
  /** Probes in a row that succeeded, since it is out. */
  readonly proof: number;
}

/** Of attempts that have ended. */
export interface Counts {
  readonly ended: number;
  readonly failed: number;
  readonly late: number;
  readonly streak: number;
}

export interface Testimony {
  readonly open: readonly OfEndpoint[];
  readonly probes: readonly Probe[];
  readonly known: readonly Known[];
  readonly counts: Counts;
  /** The first thing that should not have happened. */
  readonly wrong: string;
}

/** Each happens as often as its budget says. Requests and times that end do so any number of times where none is given. */
export type Happening = 'requests' | 'elapse' | 'retry' | 'clear' | 'remove';

export interface PoolOptions {
  /** @default ['a'] */
  readonly names?: readonly string[];
  /** @default 1 */
  readonly slots?: number;
  /** @default 2 */
  readonly rise?: number;
  readonly maxVerifications?: number;
  /** Attempts of one endpoint that are under way at once. @default 2 */
  readonly atOnce?: number;
  readonly endpoint?: AnyStateMachine;
  readonly queue?: AnyStateMachine;
  readonly budgets?: Partial<Record<Happening, number>>;
  /** Whether ledgers are compared, and seen by properties. @default 'no' */
  readonly ledgers?: 'yes' | 'no';
  /** Probes that nobody waits for whose answer may come, of each endpoint. @default 2 */
  readonly abandoned?: number;
  /** Ends of attempts. @default success and failure */
  readonly ends?: readonly string[];
}

/** Who began first does not matter. */
const sorted = <T extends OfEndpoint>(all: readonly T[]): readonly T[] =>
  all.toSorted((one, other) =>
    one.endpoint === other.endpoint ? one.epoch - other.epoch : one.endpoint < other.endpoint ? -1 : 1,
  );

const nothing: Counts = { ended: 0, failed: 0, late: 0, streak: 0 };
const is = (one: OfEndpoint) => (other: OfEndpoint) =>
  other.endpoint === one.endpoint && other.epoch === one.epoch;

function without<T extends OfEndpoint>(all: readonly T[], one: OfEndpoint): readonly T[] {
  const index = all.findIndex(is(one));
  return all.toSpliced(index, 1);
}

class Witness {
  readonly #options: PoolOptions;
  now: Testimony;
  readonly out: Output[] = [];

  constructor(options: PoolOptions, before: Testimony) {
    this.#options = options;
    this.now = before;
  }

  hear(event: Message): void {
    const { endpoint, epoch } = event as unknown as OfEndpoint;
    const one = { endpoint, epoch };
    if (event.type === 'opened') return this.#opened();
    const known = this.now.known.find((each) => each.endpoint === endpoint);
    if (known === undefined) throw new Error(`${event.type} of ${endpoint} before it was opened`);
    switch (event.type) {
      case 'begin':
        return this.set({ open: sorted([...this.now.open, { endpoint, epoch: known.epoch }]) });
      case 'end':
        return this.#end(known, one, event['how'] as string);
      case 'ejected':
        return this.#ejected(known, one);
      case 'recovered':
        if (known.proof < (this.#options.rise ?? 2))
          this.#wrong('it serves again and was not proven healthy');
        return this.#serves(known, epoch);
      case 'released':
        return this.#serves(known, epoch);
      case 'probe':
        if (this.now.probes.some((probe) => probe.endpoint === endpoint && probe.phase === 'running'))
          this.#wrong('two probes run at a time');
        this.#learn(known, { epoch });
        return this.set({ probes: sorted([...this.now.probes, { ...one, phase: 'running' }]) });
      case 'aborted':
        return this.#aborted(endpoint);
      case 'probed':
        return this.#probed(known, one, event['how'] as string);
      default:
        throw new Error(`the witness does not know ${event.type}`);
    }
  }

  set(change: Partial<Testimony>): void {
    this.now = { ...this.now, ...change };
  }

  /** The oldest answers are lost, if they are too many. */
  #aborted(endpoint: string): void {
    const { abandoned = 2 } = this.#options;
    const others = this.now.probes.filter((probe) => probe.endpoint !== endpoint);
    const its = this.now.probes.filter((probe) => probe.endpoint === endpoint);
    const left = its.map((probe): Probe => ({ ...probe, phase: 'abandoned' }));
    this.set({ probes: sorted([...others, ...left.slice(left.length - abandoned)]) });
  }

  #opened(): void {
    const { names = ['a'] } = this.#options;
    this.set({
      known: names.map((endpoint) => ({ endpoint, epoch: 0, service: 'in', streak: 0, proof: 0 })),
    });
  }

  #learn(known: Known, change: Partial<Known>): void {
    this.set({
      known: this.now.known.map((each) => (each.endpoint === known.endpoint ? { ...each, ...change } : each)),
    });
  }

  #wrong(what: string): void {
    if (this.now.wrong === '') this.set({ wrong: what });
  }

  #end(known: Known, one: OfEndpoint, how: string): void {
    const isLate = one.epoch !== known.epoch;
    this.set({ open: without(this.now.open, one) });
    if (!isLate && how === 'succeeded') this.#learn(known, { streak: 0 });
    if (!isLate && how === 'failed') this.#learn(known, { streak: Math.min(THRESHOLD, known.streak + 1) });
    const { counts } = this.now;
    const inRow = how === 'failed' ? counts.streak + 1 : how === 'succeeded' ? 0 : counts.streak;
    if (this.#options.ledgers === 'yes')
      this.set({
        counts: {
          ended: counts.ended + 1,
          failed: counts.failed + (how === 'failed' ? 1 : 0),
          late: counts.late + (isLate ? 1 : 0),
          streak: isLate ? counts.streak : inRow,
        },
      });
    const more = how === 'failed' ? { retryAfterMs: 0, room: 1 } : { latencyMs: 0 };
    this.out.push({ tell: one.endpoint, event: { type: `attempt.${how}`, epoch: one.epoch, ...more } });
  }

  #ejected(known: Known, { epoch }: OfEndpoint): void {
    if (known.service === 'in' && known.streak < THRESHOLD) this.#wrong('it was ejected without a reason');
    this.#learn(known, { epoch, service: 'out', streak: 0, proof: 0 });
  }

  #serves(known: Known, epoch: number): void {
    this.#learn(known, { epoch, service: 'in', streak: 0, proof: 0 });
    this.set({ counts: { ...this.now.counts, streak: 0 } });
  }

  #probed(known: Known, one: OfEndpoint, how: string): void {
    const probe = this.now.probes.find(is(one));
    if (probe?.phase === 'running' && how === 'succeeded')
      this.#learn(known, { proof: Math.min(this.#options.rise ?? 2, known.proof + 1) });
    this.set({ probes: without(this.now.probes, one) });
    this.out.push({ tell: one.endpoint, event: { type: `probe.${how}`, epoch: one.epoch } });
  }
}

function choicesOf({ open, probes, known }: Testimony, options: PoolOptions): Choice[] {
  const { atOnce = 2, budgets = {}, ends = ['succeeded', 'failed'] } = options;
  const spending = budgets.requests === undefined ? {} : { budget: 'requests' };
  return [
    ...known
      .map(({ endpoint }) => endpoint)
      .filter((endpoint) => open.filter((one) => one.endpoint === endpoint).length < atOnce)
      .map((endpoint): Choice => ({
        event: { type: 'begin', endpoint },
        label: `an attempt on ${endpoint} begins`,
        fault: true,
        ...spending,
      })),
    ...open.flatMap((one) =>
      ends.map((how): Choice => ({
        event: { type: 'end', ...one, how },
        label: `an attempt on ${one.endpoint} ends: ${how}`,
        fault: true,
      })),
    ),
    ...probes.flatMap(({ phase, ...one }) =>
      ['succeeded', 'failed'].map((how): Choice => ({
        event: { type: 'probed', ...one, how },
        label: `a probe of ${one.endpoint} that is ${phase} ends: ${how}`,
        fault: phase === 'abandoned' || how === 'failed',
      })),
    ),
  ];
}

type Told = Record<string, unknown>;

function routeEndpoint(endpoint: string, type: string, payload: Told): Output[] | undefined {
  const { epoch } = payload;
  const witness = (what: string): Output => ({ tell: WITNESS, event: { type: what, endpoint, epoch } });
  const queue = (what: string, more: Told = {}): Output => ({
    tell: QUEUE,
    event: { type: `endpoint.${what}`, endpoint, epoch, ...more },
  });
  switch (type) {
    case 'announceEjected':
      return [witness('ejected'), queue('ejected', { waitMs: 0, ejections: 0 })];
    case 'announceRecovered':
      return [witness('recovered'), queue('recovered')];
    case 'announceReleased':
      return [witness('released')];
    case 'announceRemoved':
      return [{ tell: QUEUE, event: { type: 'endpoint.removed', endpoint } }];
    case 'startProbe':
      return [witness('probe')];
    case 'abortProbe':
      return [witness('aborted')];
    default:
      return undefined;
  }
}

function routeQueue(type: string, payload: Told, options: PoolOptions): Output[] | undefined {
  const spending = options.budgets?.elapse === undefined ? {} : { budget: 'elapse' };
  switch (type) {
    case 'grantSlots':
      return (payload['grants'] as OfEndpoint[]).map(({ endpoint, epoch }) => ({
        tell: endpoint,
        event: { type: 'slot.granted', epoch },
      }));
    case 'releaseEndpoints':
      return (payload['endpoints'] as string[]).map((endpoint) => ({
        tell: endpoint,
        event: { type: 'release.requested' },
      }));
    case 'readTime':
      return [{ tell: QUEUE, event: { type: 'time.read' } }];
    case 'reportElapsed':
      // Whether its time is over, nobody here knows: it is so some time.
      return (payload['waiting'] as OfEndpoint[]).map(({ endpoint, epoch }) => ({
        later: [
          {
            event: { type: 'wait.elapsed', endpoint, epoch },
            label: `the time of ${endpoint} is over`,
            ...spending,
          },
        ],
        key: `wait of ${endpoint}`,
      }));
    case 'keepRecord':
      return [];
    default:
      return undefined;
  }
}

export function pool(options: PoolOptions = {}): SystemDefinition {
  const { names = ['a'], slots = 1, rise = 2, maxVerifications = 0, budgets = {} } = options;
  const none = { retry: 0, clear: 0, remove: 0 };
  const seen = options.ledgers === 'yes' ? { projection: ['control', 'ledger'] } : {};
  const input = { ...endpointInput, failureThreshold: THRESHOLD, rise, ejectionMs: 0, probeIntervalMs: 0 };
  const endpoint = {
    machine: options.endpoint ?? endpointMachine,
    effects: endpointEffects,
    input,
    ...seen,
  };
  const witness = model<Testimony>({
    initial: {
      open: [],
      probes: [],
      known: [],
      counts: nothing,
      wrong: '',
    },
    step(before, event) {
      const turn = new Witness(options, before);
      turn.hear(event);
      return { state: turn.now, outputs: turn.out };
    },
    choices: (testimony) => choicesOf(testimony, options),
  });
  const start: Output[] = [
    ...names.map((name) => ({ tell: name, event: { type: 'endpoint.opened' } })),
    { tell: QUEUE, event: { type: 'queue.opened' } },
    { tell: WITNESS, event: { type: 'opened' } },
  ];
  const operator = (name: string, type: string, budget: Happening, to = QUEUE): [string, object] => [
    name,
    { outputs: [{ tell: to, event: { type, endpoint: to } }], budget },
  ];
  return defineSystem({
    actors: {
      ...Object.fromEntries(names.map((name) => [name, endpoint])),
      [QUEUE]: {
        machine: options.queue ?? failureQueueMachine,
        effects: failureQueueEffects,
        input: { ...failureQueueInput, slots, maxVerifications, record: noFailures },
      },
      [WITNESS]: witness,
    },
    actions: {
      'the pool is opened': { outputs: start, budget: 'opening', fault: false },
      ...Object.fromEntries([
        ...names.map((name): [string, object] => [
          `an operator has ${name} probed`,
          { outputs: [{ tell: QUEUE, event: { type: 'retry.requested', endpoint: name } }], budget: 'retry' },
        ]),
        ...names.map((name) => operator(`${name} is taken away`, 'removal.requested', 'remove', name)),
        operator('an operator clears the queue', 'clear.requested', 'clear'),
      ]),
    },
    epochFamily: (_field, holder, part) => String(holder['endpoint'] ?? part),
    budgets: { ...none, ...budgets, opening: 1 },
    route: (actor, { type, payload }) =>
      actor === QUEUE
        ? routeQueue(type, payload as Told, options)
        : routeEndpoint(actor, type, payload as Told),
  });
}
