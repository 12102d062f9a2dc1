// A machine as a document: its config with every action, guard, delay and actor by name, and nothing but JSON.
// Invariant: a machine made from the document takes the same transitions as the original, given the same implementations.
import type { AnyStateMachine } from 'xstate';
import { Names, type Implementations, type Named } from './names.ts';

export interface TransitionDocument {
  /** As the author wrote it: a sibling's key, `.child`, or `#id`; several only for parallel states. */
  readonly target?: string | readonly string[];
  readonly guard?: Named;
  readonly actions?: Named | readonly Named[];
  readonly reenter?: boolean;
  readonly description?: string;
  readonly meta?: unknown;
}

/** One transition, several that are tried in order, or only a target. An explicit ignore is `{}`. */
export type Transitions = string | TransitionDocument | readonly (string | TransitionDocument)[];

export interface InvokeDocument {
  readonly id?: string;
  readonly systemId?: string;
  readonly src: string;
  readonly input?: unknown;
  readonly onDone?: Transitions;
  readonly onError?: Transitions;
  readonly onSnapshot?: Transitions;
}

/** A state. Fields always come in this order; states and events in the order of the machine. */
export interface StateDocument {
  readonly id?: string;
  readonly description?: string;
  readonly type?: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly history?: 'shallow' | 'deep' | boolean;
  /** Where a history state leads at first. */
  readonly target?: string;
  readonly initial?: string | TransitionDocument;
  readonly tags?: string | readonly string[];
  readonly entry?: Named | readonly Named[];
  readonly exit?: Named | readonly Named[];
  readonly invoke?: InvokeDocument | readonly InvokeDocument[];
  readonly always?: Transitions;
  readonly after?: Readonly<Record<string, Transitions>>;
  readonly on?: Readonly<Record<string, Transitions>>;
  readonly onDone?: Transitions;
  readonly route?: TransitionDocument;
  readonly states?: Readonly<Record<string, StateDocument>>;
  readonly output?: unknown;
  readonly meta?: unknown;
}

/** The root, which has the machine's id, its version if it has one, and its context at the start. */
export interface MachineDocument extends StateDocument {
  readonly id: string;
  readonly version?: string;
  readonly context?: Readonly<Record<string, unknown>>;
}

export interface DocumentOptions {
  /**
   * Events that a state ignores explicitly (`'event': {}`). One that keeps a wildcard or an outer state from handling
   * the event is part of the behaviour and always stays. @default 'hidden'
   */
  readonly ignores?: 'hidden' | 'shown' | undefined;
  /** The input that the context at the start is computed from, where a function computes it. @default undefined */
  readonly input?: unknown;
}

export interface Documented {
  readonly document: MachineDocument;
  /** The machine's implementations, and those that had no name under the names that they have in the document. */
  readonly implementations: Implementations & { readonly delays: Readonly<Record<string, unknown>> };
  /** What has no name and no value in JSON, in words: functions of context, input and output. */
  readonly leftOut: readonly string[];
}

type Raw = Readonly<Record<string, unknown>>;

/** The document of a machine, and what is needed to make the same machine from it. */
export function toDocument(machine: AnyStateMachine, options: DocumentOptions = {}): Documented {
  const writer = new Writer(machine, options);
  const document = writer.machine(machine);
  const delays = machine.implementations.delays as Readonly<Record<string, unknown>>;
  return {
    document,
    implementations: { ...writer.names.implementations(), delays },
    leftOut: writer.leftOut,
  };
}

class Writer {
  readonly names: Names;
  readonly leftOut: string[] = [];
  readonly #options: DocumentOptions;

  constructor(machine: AnyStateMachine, options: DocumentOptions) {
    this.names = new Names(machine);
    this.#options = options;
  }

  machine(machine: AnyStateMachine): MachineDocument {
    const config = machine.config as Raw;
    const context = this.#context(config['context']);
    const { description, ...rest } = this.#state(config, machine.id, []);
    const version = typeof config['version'] === 'string' ? { version: config['version'] } : {};
    const head = { id: machine.id, ...version, ...(description === undefined ? {} : { description }) };
    return { ...head, ...context, ...rest };
  }

  #context(context: unknown): { context?: Raw } {
    if (context === undefined) return {};
    if (typeof context !== 'function') return { context: json(context) as Raw };
    try {
      const at = { spawn: () => ({}), input: this.#options.input, self: {} };
      return { context: json((context as (at: object) => unknown)(at)) as Raw };
    } catch (error) {
      this.leftOut.push(`the context at the start (it needs another input: ${(error as Error).message})`);
      return {};
    }
  }

  /** `outer` are the configs around, the nearest first. */
  #state(config: Raw, place: string, outer: readonly Raw[]): StateDocument {
    const around = [config, ...outer];
    const state = {
      id: config['id'],
      description: config['description'],
      type: config['type'],
      history: config['history'],
      target: config['target'],
      initial: this.#initial(config['initial'], place),
      tags: config['tags'],
      entry: this.#all('actions', config['entry'], place),
      exit: this.#all('actions', config['exit'], place),
      invoke: eachOf(config['invoke'], (it) => this.#invoke(it as Raw, place)),
      always: this.#transitions(config['always'], place),
      after: entriesOf(config['after'], (it) => this.#transitions(it, place)),
      on: this.#on(config, place, outer),
      onDone: this.#transitions(config['onDone'], place),
      route: config['route'] === undefined ? undefined : this.#transition(config['route'], place),
      states: entriesOf(config['states'], (it, key) => this.#state(it as Raw, key, around)),
      output: this.#value(config['output'], `the output of ${place}`),
      meta: json(config['meta']),
    };
    return defined(state) as StateDocument;
  }

  #on(config: Raw, place: string, outer: readonly Raw[]): unknown {
    const on = (config['on'] ?? {}) as Raw;
    const kept = Object.entries(on).filter(
      ([event, it]) => this.#options.ignores === 'shown' || !isIgnore(it) || shadows(event, on, outer),
    );
    if (kept.length === 0) return undefined;
    return Object.fromEntries(kept.map(([event, it]) => [event, this.#transitions(it ?? {}, place)]));
  }

  #initial(initial: unknown, place: string): unknown {
    return typeof initial === 'object' && initial !== null ? this.#transition(initial, place) : initial;
  }

  #transitions(value: unknown, place: string): unknown {
    return eachOf(value, (it) => (typeof it === 'string' ? it : this.#transition(it ?? {}, place)));
  }

  #transition(value: unknown, place: string): TransitionDocument {
    const it = value as Raw;
    return defined({
      target: it['target'],
      guard: it['guard'] === undefined ? undefined : this.names.of('guards', it['guard'], place),
      actions: this.#all('actions', it['actions'], place),
      reenter: it['reenter'],
      description: it['description'],
      meta: json(it['meta']),
    }) as TransitionDocument;
  }

  #all(kind: 'actions' | 'guards', value: unknown, place: string): unknown {
    return eachOf(value, (it) => this.names.of(kind, it, place));
  }

  #invoke(invoke: Raw, place: string): InvokeDocument {
    const src = this.names.actor(invoke['src'], place);
    return defined({
      id: invoke['id'],
      systemId: invoke['systemId'],
      src,
      input: this.#value(invoke['input'], `the input of ${src} in ${place}`),
      onDone: this.#transitions(invoke['onDone'], place),
      onError: this.#transitions(invoke['onError'], place),
      onSnapshot: this.#transitions(invoke['onSnapshot'], place),
    }) as InvokeDocument;
  }

  #value(value: unknown, what: string): unknown {
    if (typeof value !== 'function') return json(value);
    this.leftOut.push(`${what} (a function computes it)`);
    return undefined;
  }
}

/** Whether a state's answer to an event is to do nothing. An empty list is no answer: outer states are asked. */
function isIgnore(value: unknown): boolean {
  if (value === undefined) return true;
  const [only, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (typeof only !== 'object' || only === null || more.length > 0) return false;
  const { target, guard, actions, reenter } = only as Raw;
  const acts = Array.isArray(actions) ? actions.length > 0 : actions !== undefined;
  return target === undefined && guard === undefined && reenter === undefined && !acts;
}

/** Whether ignoring `event` changes something: else a wildcard beside it, or a state around it, would handle it. */
function shadows(event: string, on: Raw, outer: readonly Raw[]): boolean {
  const others = Object.entries(on).filter(([other]) => other !== event);
  if (others.some(([other, it]) => isWildcard(other) && overlaps(event, other) && !isIgnore(it))) return true;
  // A wildcard keeps outer states from their own timers and from what their children and actors end with, too.
  const own = event === '*' || event.startsWith('xstate.');
  for (const config of outer) {
    if (own && ['after', 'onDone', 'invoke', 'route'].some((part) => config[part] !== undefined)) return true;
    const entries = Object.entries((config['on'] ?? {}) as Raw).filter(([other]) => overlaps(event, other));
    if (entries.some(([, it]) => !isIgnore(it))) return true;
    if (entries.some(([other]) => other === event)) return false;
  }
  return false;
}

function isWildcard(descriptor: string): boolean {
  return descriptor === '*' || descriptor.endsWith('.*');
}

/** Whether some event matches both descriptors: exact ones, `noun.*`, or `*`. */
function overlaps(a: string, b: string): boolean {
  if (a === b || a === '*' || b === '*') return true;
  const within = (event: string, descriptor: string): boolean =>
    isWildcard(descriptor) && `${event}.`.startsWith(descriptor.slice(0, -1));
  return within(a, b) || within(b, a);
}

/** What JSON can say of a value; undefined for what it cannot. */
function json(value: unknown): unknown {
  const text = JSON.stringify(value, (_key, it: unknown) => (typeof it === 'bigint' ? String(it) : it)) as
    | string
    | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, it]) => it !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** The same shape as the author's: one, or a list. */
function eachOf(value: unknown, map: (it: unknown) => unknown): unknown {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.map(map) : map(value);
}

function entriesOf(value: unknown, map: (it: unknown, key: string) => unknown): unknown {
  if (value === undefined) return undefined;
  return Object.fromEntries(Object.entries(value as Raw).map(([key, it]) => [key, map(it, key)]));
}
