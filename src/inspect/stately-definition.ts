// The definition that `@statelyai/inspect` sends of a machine, as a document: whatever a stranger wrote there.
// Invariant: what comes out has the shape of a document; what does not fit it is left out.
import type { InvokeDocument, MachineDocument, StateDocument, TransitionDocument } from './document.ts';
import type { Named } from './names.ts';
import { inspectLimits } from '../protocol/inspection.ts';
import { isHarmless } from '../protocol/messages.ts';
import { isFields } from './stately-event.ts';

type Raw = Readonly<Record<string, unknown>>;

/** More states than a person reads or a page lays out. */
const MOST_STATES = 2_000;
const TYPES = new Set(['atomic', 'compound', 'parallel', 'final', 'history']);

/** @returns undefined for what is no machine: a promise, a callback, a text that is not JSON */
export function readDefinition(definition: string | undefined, name: string): MachineDocument | undefined {
  if (definition === undefined) return undefined;
  let config: unknown;
  try {
    config = JSON.parse(definition);
  } catch {
    return undefined;
  }
  if (!isFields(config) || !isHarmless(config, inspectLimits.maxDepth) || !isFields(config['states']))
    return undefined;
  const reader = new Reader();
  const { id: _id, ...root } = reader.state(config);
  const id = text(config['id']) ?? name;
  const context = isFields(config['context']) ? { context: config['context'] } : {};
  return { id, ...context, ...root };
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
const listOf = (value: unknown): readonly unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value];

class Reader {
  #states = 0;

  state(config: Raw): StateDocument {
    const type = text(config['type']);
    const history = config['history'];
    return defined({
      id: text(config['id']),
      description: text(config['description']),
      type: type !== undefined && TYPES.has(type) ? type : undefined,
      history: ['shallow', 'deep', true, false].includes(history as string) ? history : undefined,
      target: text(config['target']),
      initial: text(config['initial']) ?? this.#initial(config['initial']),
      tags: filled(listOf(config['tags']).flatMap((tag) => text(tag) ?? [])),
      entry: filled(listOf(config['entry']).flatMap(named)),
      exit: filled(listOf(config['exit']).flatMap(named)),
      invoke: filled(listOf(config['invoke']).flatMap((one) => (isFields(one) ? invocation(one) : []))),
      always: transitions(config['always']),
      after: entries(config['after'], transitions),
      on: entries(config['on'], transitions),
      onDone: transitions(config['onDone']),
      states: entries(config['states'], (one) => this.#child(one)),
    }) as StateDocument;
  }

  #initial(value: unknown): TransitionDocument | undefined {
    return isFields(value) ? transition(value) : undefined;
  }

  /** What the sender's own limit of depth cut off stands there as a text: the state itself is still one. */
  #child(value: unknown): StateDocument | undefined {
    this.#states += 1;
    if (this.#states > MOST_STATES) return undefined;
    return isFields(value) ? this.state(value) : {};
  }
}

/** A function came as `{ type: its name }`, and most have none. */
function named(value: unknown): Named | [] {
  if (typeof value === 'string') return value;
  if (!isFields(value)) return [];
  const type = text(value['type']) ?? 'inline';
  return isFields(value['params']) ? { type, params: value['params'] } : type;
}

function invocation(value: Raw): InvokeDocument {
  const src = value['src'];
  return defined({
    id: text(value['id']),
    systemId: text(value['systemId']),
    src: text(src) ?? (isFields(src) ? text(src['id']) : undefined) ?? text(value['id']) ?? 'inline',
    onDone: transitions(value['onDone']),
    onError: transitions(value['onError']),
    onSnapshot: transitions(value['onSnapshot']),
  }) as unknown as InvokeDocument; // src is always there
}

function transitions(value: unknown): readonly TransitionDocument[] | undefined {
  if (value === undefined || value === null) return undefined;
  const all = listOf(value).flatMap((one) =>
    typeof one === 'string' ? { target: one } : isFields(one) ? transition(one) : [],
  );
  return all.length > 0 || Array.isArray(value) ? all : undefined;
}

function transition(value: Raw): TransitionDocument {
  const targets = listOf(value['target']).flatMap((one) => text(one) ?? []);
  const [guard] = listOf(value['guard']).flatMap(named);
  return defined({
    target: targets.length > 1 ? targets : targets[0],
    guard,
    actions: filled(listOf(value['actions']).flatMap(named)),
    reenter: typeof value['reenter'] === 'boolean' ? value['reenter'] : undefined,
    description: text(value['description']),
  }) as TransitionDocument;
}

function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function entries<T>(value: unknown, read: (one: unknown) => T | undefined): Record<string, T> | undefined {
  if (!isFields(value)) return undefined;
  const all = Object.entries(value).flatMap(([key, one]) => {
    const it = read(one);
    return it === undefined ? [] : [[key, it] as const];
  });
  return all.length === 0 ? undefined : Object.fromEntries(all);
}

function defined(fields: Raw): Raw {
  return Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== undefined));
}
