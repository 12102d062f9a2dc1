// A machine as the one literal TypeScript file that Stately Studio's importer takes: setup(…).createMachine({ … }).
// Invariant: the argument of createMachine holds literals only (the importer reads the text and runs nothing), and every
// action, guard, delay and actor that it names has a stub, so that the file also type-checks and runs as it stands.
import type { AnyStateMachine } from 'xstate';
import { toDocument, type DocumentOptions, type MachineDocument } from './document.ts';

/** The file's text. Stubs do nothing, guards say yes, actors never answer; delays are those of the context at the start. */
export function toStately(machine: AnyStateMachine, options: DocumentOptions = {}): string {
  const { document, implementations } = toDocument(machine, options);
  const used = usedNames(document);
  const { context } = document;
  const delayOf = (name: string): number => stubDelayMs(implementations.delays[name], context);
  const groups = [
    group('types', [
      `context: {} as ${context === undefined ? 'Record<string, unknown>' : typeOf(context)}`,
      `events: {} as ${eventTypes(used.events)}`,
    ]),
    group(
      'actions',
      [...used.actions].map((name) => `${keyOf(name)}: (${parameters(name, used)}) => {}`),
    ),
    group(
      'guards',
      [...used.guards].map((name) => `${keyOf(name)}: (${parameters(name, used)}) => true`),
    ),
    group(
      'delays',
      [...used.delays].map((name) => `${keyOf(name)}: ${delayOf(name)}`),
    ),
    group(
      'actors',
      [...used.actors].map((name) => `${keyOf(name)}: fromCallback<AnyEventObject, any>(() => {})`),
    ),
  ];
  const withActors = used.actors.size > 0;
  return [
    `import { ${withActors ? 'type AnyEventObject, fromCallback, ' : ''}setup } from 'xstate';`,
    '',
    `export const ${machineName(document.id)} = setup({`,
    ...groups.flat(),
    `}).createMachine(${literal(document)});`,
    '',
  ].join('\n');
}

/** `connection` is `connectionMachine`, `order-form` is `orderFormMachine`. */
export function machineName(id: string): string {
  const [first = '', ...more] = id.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const name = first + more.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
  if (name === '' || /^\d/.test(name)) return `machine${name}`;
  return /machine$/i.test(name) ? name : `${name}Machine`;
}

function group(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`  ${name}: {`, ...lines.map((line) => `    ${line},`), '  },'];
}

interface Used {
  readonly events: Set<string>;
  readonly actions: Set<string>;
  readonly guards: Set<string>;
  readonly delays: Set<string>;
  readonly actors: Set<string>;
  /** Actions and guards that take parameters somewhere. */
  readonly withParams: Set<string>;
}

type Json = Readonly<Record<string, unknown>>;

const listOf = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];

/** All names that a document speaks of. */
function usedNames(document: MachineDocument): Used {
  const used: Used = {
    events: new Set(),
    actions: new Set(),
    guards: new Set(),
    delays: new Set(),
    actors: new Set(),
    withParams: new Set(),
  };
  const name = (named: unknown): string => {
    if (typeof named === 'string') return named;
    const { type } = named as { type: string };
    used.withParams.add(type);
    return type;
  };
  const transitions = (value: unknown): void => {
    for (const it of listOf(value)) {
      if (typeof it === 'string') continue;
      const { actions, guard } = it as Json;
      for (const action of listOf(actions)) used.actions.add(name(action));
      if (guard !== undefined) used.guards.add(name(guard));
    }
  };
  const visit = (state: Json): void => {
    for (const action of [...listOf(state['entry']), ...listOf(state['exit'])])
      used.actions.add(name(action));
    for (const value of [state['initial'], state['always'], state['onDone'], state['route']])
      transitions(value);
    for (const [event, value] of Object.entries((state['on'] ?? {}) as Json)) {
      if (event !== '*' && !event.endsWith('.*')) used.events.add(event);
      transitions(value);
    }
    for (const [delay, value] of Object.entries((state['after'] ?? {}) as Json)) {
      if (Number.isNaN(Number(delay))) used.delays.add(delay);
      transitions(value);
    }
    for (const invoke of listOf(state['invoke']) as readonly Json[]) {
      used.actors.add(String(invoke['src']));
      for (const value of [invoke['onDone'], invoke['onError'], invoke['onSnapshot']]) transitions(value);
    }
    for (const child of Object.values((state['states'] ?? {}) as Json)) visit(child as Json);
  };
  visit(document as unknown as Json);
  return used;
}

function parameters(name: string, { withParams }: Used): string {
  return withParams.has(name) ? '_: unknown, _params: unknown' : '';
}

/** The delay at the start, or a second where it depends on more than the context. In milliseconds. */
function stubDelayMs(delay: unknown, context: unknown): number {
  try {
    const at = { context, event: { type: 'xstate.init' } };
    const ms =
      typeof delay === 'function'
        ? (delay as (at: object, params: unknown) => unknown)(at, undefined)
        : delay;
    return typeof ms === 'number' && Number.isFinite(ms) ? ms : 1_000;
  } catch {
    return 1_000;
  }
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

function keyOf(name: string): string {
  return IDENTIFIER.test(name) ? name : quoted(name);
}

/** A string literal. JSON's escapes are TypeScript's. */
function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** JSON as a TypeScript literal: short things on one line. */
export function literal(value: unknown, indent = ''): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((it: unknown) => literal(it, inner))
    : Object.entries(value).map(([key, it]) => `${keyOf(key)}: ${literal(it, inner)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (parts.length === 0) return open + close;
  const line = Array.isArray(value) ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`;
  if (line.length + indent.length < 80 && !line.includes('\n')) return line;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join('')}${indent}${close}`;
}

/** The TypeScript type of a JSON value. */
function typeOf(value: unknown): string {
  if (value === null) return 'unknown';
  if (Array.isArray(value)) {
    const types = [...new Set(value.map((it: unknown) => typeOf(it)))];
    return types.length === 0 ? 'unknown[]' : `(${types.join(' | ')})[]`;
  }
  if (typeof value !== 'object') return typeof value;
  const fields = Object.entries(value).map(([key, it]) => `${keyOf(key)}: ${typeOf(it)}`);
  return fields.length === 0 ? 'Record<string, unknown>' : `{ ${fields.join('; ')} }`;
}

function eventTypes(events: ReadonlySet<string>): string {
  if (events.size === 0) return '{ type: string }';
  return [...events].map((event) => `{ type: ${quoted(event)} }`).join(' | ');
}
