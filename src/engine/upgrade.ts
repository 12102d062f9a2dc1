// Does every record that the old version of a durable machine can leave start a legal actor of the new one?
// Invariant: a record goes through JSON before the new version sees it, as it would on disk.
import type { AnyMachineSnapshot } from 'xstate';
import { explore, textOf, type AnyDurable, type Exploration } from './durable.ts';
import { statePath } from './state-path.ts';
import { createStepper, type Step } from './step.ts';

/** A record from which no legal actor starts. */
export interface FailedRecord {
  readonly record: unknown;
  readonly what: string;
  readonly remedy: string;
}

export interface Upgrade {
  readonly old: Exploration;
  readonly new: Exploration;
  readonly failed: readonly FailedRecord[];
}

export interface UpgradeOptions {
  /** States of each version that are explored. @default 10 000 */
  readonly maxStates?: number | undefined;
}

const DEFAULT_MAX_STATES = 10_000;

/**
 * Explores the old version with its examples, its delays and restarts, and starts the new version from every record found.
 * @throws Error when a version fails on its own: when it cannot start, or crashes on one of its own examples
 */
export function checkUpgrade(
  old: AnyDurable,
  next: AnyDurable,
  { maxStates = DEFAULT_MAX_STATES }: UpgradeOptions = {},
): Upgrade {
  const before = explore(old, maxStates, 'old');
  const after = explore(next, maxStates, 'new');
  const judge = new Judge(next, after);
  const failed = [...before.records.values()].flatMap((record) => {
    const fault = judge.fault(record);
    return fault === undefined ? [] : [{ record, ...fault }];
  });
  return { old: before, new: after, failed };
}

type Fault = Omit<FailedRecord, 'record'>;

class Judge {
  readonly #durable: AnyDurable;
  readonly #kinds: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #rests: ReadonlySet<string>;
  readonly #start: (input: unknown) => Step;

  constructor(durable: AnyDurable, { rests }: Exploration) {
    this.#durable = durable;
    this.#kinds = kindsOf(rests.map(({ context }) => context as unknown));
    this.#rests = new Set(rests.map(({ value }) => statePath(value)));
    this.#start = createStepper(durable.machine).start;
  }

  fault(record: unknown): Fault | undefined {
    const unkept = unkeepable(record, 'record');
    if (unkept !== undefined) {
      return {
        what: `${unkept}, which a file cannot give back`,
        remedy:
          'keep numbers, texts, lists and plain objects in records, and convert in record(context) and input(record)',
      };
    }
    const kept: unknown = record === undefined ? undefined : JSON.parse(textOf(record));
    let input: unknown;
    try {
      input = this.#durable.input(kept);
    } catch (error) {
      return {
        what: `input(record) of the new version throws ${String(error)}`,
        remedy:
          'let input(record) take the records of the old version too, for example with defaults for fields that are new',
      };
    }
    let step: Step;
    try {
      step = this.#start(input);
    } catch (error) {
      return {
        what: `the new version crashes when it starts: ${String(error)}`,
        remedy:
          'let input(record) turn the old record into an input that the new context and its guards understand',
      };
    }
    return this.#ofStart(step);
  }

  #ofStart({ snapshot, timers }: Step): Fault | undefined {
    const hole = this.#hole(snapshot.context);
    if (hole !== undefined) {
      return {
        what: hole,
        remedy: 'map the field in input(record): it was renamed, or it is new and old records need a default',
      };
    }
    for (const timer of timers) {
      if ('cleared' in timer || timer.delayMs >= 0) continue;
      return {
        what: `the new version sets delay ${timer.name} to ${timer.delayMs} ms`,
        remedy: 'compute the delay from fields that old records have, or give them defaults in input(record)',
      };
    }
    return (
      this.#stuck(
        snapshot,
        timers.some((timer) => 'set' in timer),
      ) ?? this.#unlawful(snapshot)
    );
  }

  /** A field that all actors of the new version have, and this one has not, or not of that kind. */
  #hole(context: unknown): string | undefined {
    for (const [path, kinds] of this.#kinds) {
      const kind = kindOf(at(context, path));
      if (kinds.has(kind)) continue;
      return `context.${path} is ${kind}; in actors of the new version it is ${[...kinds].join(' or ')}`;
    }
    return undefined;
  }

  #stuck(snapshot: AnyMachineSnapshot, waits: boolean): Fault | undefined {
    if (snapshot.status !== 'active') return undefined;
    const state = statePath(snapshot.value);
    const nodes = snapshot._nodes;
    const ways = nodes.flatMap((node) => [...node.transitions]).filter(([, some]) => some.some(changes));
    const passing = nodes.some((node) => (node.always?.length ?? 0) > 0);
    const remedy =
      'let input(record) translate states that were dropped, or give the starting state a last way on without a guard';
    if (!waits && ways.length === 0)
      return { what: `the actor rests in ${state}, where nothing can happen any more`, remedy };
    if (!passing || this.#rests.has(state)) return undefined;
    return {
      what: `the actor stays in ${state}, which actors of the new version pass at once: no guard of it holds`,
      remedy,
    };
  }

  #unlawful(snapshot: AnyMachineSnapshot): Fault | undefined {
    const { legal, record } = this.#durable;
    const why = legal?.(snapshot.context, snapshot.value);
    if (why !== undefined) {
      return {
        what: `legal() of the new version refuses the actor in ${statePath(snapshot.value)}: ${why}`,
        remedy: 'let input(record) turn the old record into a legal start',
      };
    }
    try {
      const again = unkeepable(record(snapshot.context), 'record');
      if (again === undefined) return undefined;
      return {
        what: `the record of the started actor is broken: ${again}`,
        remedy: 'give the field a default in input(record)',
      };
    } catch (error) {
      return {
        what: `record(context) of the started actor throws ${String(error)}`,
        remedy: 'let input(record) fill in what record(context) reads',
      };
    }
  }
}

const changes = ({
  target,
  actions,
}: {
  target?: readonly unknown[] | undefined;
  actions: readonly unknown[];
}) => (target?.length ?? 0) > 0 || actions.length > 0;

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : 'a number';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, key) => (isPlain(inner) ? inner[key] : undefined), value);

/** Paths that hold a value in one of the contexts, with all kinds that they hold in any. */
function kindsOf(contexts: readonly unknown[]): Map<string, Set<string>> {
  const paths = new Set(contexts.flatMap((context) => pathsOf(context, '')));
  return new Map(
    [...paths].map((path) => [path, new Set(contexts.map((context) => kindOf(at(context, path))))]),
  );
}

function pathsOf(value: unknown, prefix: string): string[] {
  if (!isPlain(value)) return [];
  // A name with a dot in it would be taken for two.
  return Object.keys(value)
    .filter((key) => !key.includes('.'))
    .flatMap((key) => [`${prefix}${key}`, ...pathsOf(value[key], `${prefix}${key}.`)]);
}

/** What in a value does not survive a file, and where; undefined when all does. */
function unkeepable(value: unknown, path: string): string | undefined {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean')
    return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (!Array.isArray(value) && !isPlain(value)) return `${path} is ${nameOf(value)}`;
  for (const [key, inner] of Object.entries(value)) {
    const inside = unkeepable(inner, `${path}.${key}`);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function nameOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? `a ${value.constructor.name}` : `a ${typeof value}`;
}
