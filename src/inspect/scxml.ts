// A statechart as SCXML 1.0 (W3C Recommendation, 2015), with the ECMAScript data model.
// Invariant: valid by the W3C's schema, and `fromScxml` makes a machine of it with the same states and transitions. An
// interpreter needs three functions: action(name, params), guard(name, params) and delay(name), which answers `1500ms`.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { bareMachine, nodesBelow, transitionsOf } from './chart.ts';
import { toDocument, type DocumentOptions } from './document.ts';
import { callOf, escapeEvent, escapeName, EXTRA, SCXML } from './scxml-names.ts';
import { writeXml, type Xml } from './xml.ts';

type Attributes = Readonly<Record<string, string | undefined>>;

function element(name: string, attributes: Attributes, children: readonly (Xml | string)[] = []): Xml {
  const given = Object.entries(attributes).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { name, attributes: Object.fromEntries(given), children };
}

/**
 * The SCXML text of a machine. Meta data has no place in it, and neither have transitions by `route`; where XState and
 * SCXML differ in meaning, what is written is what XState does.
 */
export function toScxml(machine: AnyStateMachine, options: DocumentOptions = {}): string {
  const { document } = toDocument(machine, options);
  const xml = new Writer(bareMachine(document).root).document(document.context ?? {});
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeXml(xml)}`;
}

class Writer {
  readonly #root: AnyStateNode;
  readonly #ids = new Map<AnyStateNode, string>();
  /** Ids of all kinds share one space. */
  readonly #taken = new Set<string>();
  readonly #events: readonly string[];

  constructor(root: AnyStateNode) {
    this.#root = root;
    for (const node of [root, ...nodesBelow(root)]) {
      const base = node.parent === undefined ? root.machine.id : node.key;
      const above = node.parent === undefined || node.parent === root ? '' : `${this.#id(node.parent)}.`;
      this.#ids.set(node, this.#take(above + escapeName(base)));
    }
    this.#events = [root, ...nodesBelow(root)].flatMap((node) => [...node.transitions.keys()]);
  }

  document(context: Readonly<Record<string, unknown>>): Xml {
    const root = this.#root;
    // The id of a datum is the name of its variable, which must not hide one of the three functions.
    const data = Object.entries(context).map(([key, value]) => {
      const variable = escapeName(key).replaceAll('-', '_x002D_');
      const id = this.#take(/^(action|guard|delay)$/.test(key) ? `${variable}_` : variable);
      return element('data', { id, expr: JSON.stringify(value), 'hf:name': id === key ? undefined : key });
    });
    const attributes = {
      xmlns: SCXML,
      'xmlns:hf': EXTRA,
      version: '1.0',
      datamodel: 'ecmascript',
      name: escapeName(root.machine.id),
    };
    const model = data.length === 0 ? [] : [element('datamodel', {}, data)];
    if (!isPlain(root))
      return element('scxml', { ...attributes, initial: this.#id(root) }, [...model, ...this.#framed()]);
    const initial = root.initial.target.map((it) => this.#id(it)).join(' ');
    return element('scxml', { ...attributes, initial }, [...model, ...this.#children(root)]);
  }

  /** A root that does something is a state of its own, and a final state beside it ends the document as it ends the machine. */
  #framed(): Xml[] {
    const root = this.#root;
    const end = this.#take(`${this.#id(root)}.end`);
    const over = { event: `done.state.${this.#id(root)}`, target: end, 'hf:end': 'true' };
    const frame = this.#state(root);
    const framed = {
      ...frame,
      attributes: { ...frame.attributes, 'hf:root': 'true' },
      children: [...frame.children, element('transition', over)],
    };
    return [framed, element('final', { id: end, 'hf:end': 'true' })];
  }

  #id(node: AnyStateNode): string {
    return this.#ids.get(node) ?? '';
  }

  #take(proposal: string): string {
    // An id begins with a letter or `_`.
    const base = /^[0-9-]/.test(proposal) ? `_${proposal}` : proposal;
    let id = base;
    for (let n = 2; this.#taken.has(id); n += 1) id = `${base}_${n}`;
    this.#taken.add(id);
    return id;
  }

  #children(node: AnyStateNode): Xml[] {
    return Object.values(node.states).map((child) => this.#state(child));
  }

  #state(node: AnyStateNode): Xml {
    if (node.type === 'history') return this.#history(node);
    const [entry, exit] = [executables(node.entry), executables(node.exit)];
    const timers = this.#timers(node);
    const onentry = [...entry, ...timers.map(({ send }) => send)];
    const onexit = [...exit, ...timers.map(({ cancel }) => cancel)];
    const words = node.description === undefined ? [] : [element('hf:description', {}, [node.description])];
    const invokes = this.#invokes(node);
    const names = new Map(
      [...timers, ...invokes.flatMap(({ events }) => events)].map((it) => [it.type, it.event]),
    );
    const children = [
      ...words,
      ...(onentry.length === 0 ? [] : [element('onentry', {}, onentry)]),
      ...(onexit.length === 0 ? [] : [element('onexit', {}, onexit)]),
      ...invokes.map(({ invoke }) => invoke),
      ...this.#initial(node),
      ...ordered(node).flatMap((it) => this.#transition(node, it, names)),
      ...this.#children(node),
    ];
    return this.#wrapped(node, children);
  }

  #wrapped(node: AnyStateNode, children: readonly Xml[]): Xml {
    const own = node.parent !== undefined && node.id !== [node.machine.id, ...node.path].join('.');
    const attributes = {
      id: this.#id(node),
      'hf:key': escapeName(node.key) === this.#id(node).split('.').at(-1) ? undefined : node.key,
      'hf:id': own ? node.id : undefined,
      'hf:tags': node.tags.length === 0 ? undefined : JSON.stringify(node.tags),
    };
    if (node.type === 'parallel') return element('parallel', attributes, children);
    if (node.type !== 'final') return element('state', attributes, children);
    const output =
      node.output === undefined
        ? []
        : [element('donedata', {}, [element('content', { expr: JSON.stringify(node.output) })])];
    const isRegion = node.parent?.type === 'parallel' || node.parent === undefined;
    // SCXML has no region that is final from the start, and no final state with transitions of its own.
    const quiet = children.every(({ name }) => ['hf:description', 'onentry', 'onexit'].includes(name));
    if (!isRegion && quiet) return element('final', attributes, [...children, ...output]);
    const inner = element('final', { id: this.#take(`${this.#id(node)}.final`) }, output);
    return element('state', { ...attributes, 'hf:final': 'true' }, [...children, inner]);
  }

  /** Which state comes first; with actions it takes an element. */
  #initial(node: AnyStateNode): Xml[] {
    if (node.type !== 'compound') return [];
    const { target, actions } = node.initial;
    return [element('initial', {}, [this.#moving(target, executables(actions))])];
  }

  #moving(target: readonly AnyStateNode[], children: readonly Xml[] = []): Xml {
    return element('transition', { target: target.map((it) => this.#id(it)).join(' ') }, children);
  }

  #history(node: AnyStateNode): Xml {
    const { parent } = node;
    const { target } = node.config as { target?: string };
    const siblings = Object.values(parent?.states ?? {}).filter(({ type }) => type !== 'history');
    const first = parent?.type === 'parallel' ? siblings : (parent?.initial?.target ?? []);
    const goals = target === undefined || parent === undefined ? first : [resolved(parent, target)];
    return element(
      'history',
      {
        id: this.#id(node),
        type: node.history === 'deep' ? 'deep' : 'shallow',
        'hf:id': node.id === [node.machine.id, ...node.path].join('.') ? undefined : node.id,
        'hf:key': escapeName(node.key) === this.#id(node).split('.').at(-1) ? undefined : node.key,
        'hf:default': target === undefined ? 'true' : undefined,
      },
      [this.#moving(goals)],
    );
  }

  #timers(node: AnyStateNode): { type: string; event: string; send: Xml; cancel: Xml }[] {
    const delays = new Map(node.after.map(({ eventType, delay }) => [eventType, delay]));
    return [...delays].map(([type, delay]) => {
      const event = `after.${escapeName(String(delay))}.${this.#id(node)}`;
      const id = this.#take(event);
      const wait =
        typeof delay === 'number' ? { delay: `${delay}ms` } : { delayexpr: callOf('delay', String(delay)) };
      return {
        type,
        event,
        send: element('send', { event, id, ...wait }),
        cancel: element('cancel', { sendid: id }),
      };
    });
  }

  #invokes(node: AnyStateNode): { invoke: Xml; events: { type: string; event: string }[] }[] {
    return node.invoke.map(({ id, src, input, systemId }, index) => {
      const given = (listOf(node.config.invoke)[index] as { id?: string }).id;
      const name = this.#take(`invoke.${index}.${this.#id(node)}`);
      const params =
        input === undefined ? [] : [element('param', { name: 'input', expr: JSON.stringify(input) })];
      const attributes = {
        type: 'xstate',
        src: encodeURIComponent(String(src)),
        id: name,
        'hf:id': given,
        'hf:system': systemId,
      };
      const events = [
        { type: `xstate.done.actor.${id}`, event: `done.invoke.${name}` },
        { type: `xstate.error.actor.${id}`, event: `error.invoke.${name}` },
        { type: `xstate.snapshot.${id}`, event: `snapshot.invoke.${name}` },
      ];
      return { invoke: element('invoke', attributes, params), events };
    });
  }

  #transition(
    node: AnyStateNode,
    transition: AnyTransitionDefinition,
    names: ReadonlyMap<string, string>,
  ): Xml[] {
    const { eventType, target, guard, actions, reenter, description } = transition;
    if (eventType === 'xstate.route') return [];
    const done = eventType === `xstate.done.state.${node.id}` ? `done.state.${this.#id(node)}` : undefined;
    const event = eventType === '' ? undefined : (names.get(eventType) ?? done ?? escapeEvent(eventType));
    const own = names.has(eventType) || done !== undefined;
    // An SCXML event means also those that begin with it; one of XState's means itself.
    const exact = !own && this.#events.some((other) => other.startsWith(`${eventType}.`) && eventType !== '');
    const conditions = [
      ...(exact ? [`_event.name === '${event}'`] : []),
      ...(guard === undefined ? [] : [named('guard', guard)]),
    ];
    const inside = target?.every((it) => it === node || isBelow(it, node)) === true;
    // To a state without children a self-transition that does not re-enter is one without target.
    const stays = inside && !reenter && Object.keys(node.states).length === 0;
    const attributes = {
      event,
      cond: conditions.length === 0 ? undefined : conditions.join(' && '),
      target: target === undefined || stays ? undefined : target.map((it) => this.#id(it)).join(' '),
      type: inside && !reenter && !stays ? 'internal' : undefined,
      'hf:self': stays ? 'true' : undefined,
      'hf:reenter': reenter && !inside ? 'true' : undefined,
      'hf:description': description,
    };
    return [element('transition', attributes, executables(actions))];
  }
}

/** A root that SCXML's own root can stand for: it only holds states, and none of them is a history state. */
function isPlain(root: AnyStateNode): boolean {
  const { type, entry, exit, invoke, tags, description } = root;
  const quiet = [entry, exit, invoke, tags, transitionsOf(root), root.after].every(
    ({ length }) => length === 0,
  );
  const starts = type === 'compound' && root.initial.actions.length === 0;
  const simple = Object.values(root.states).every((child) => child.type !== 'history');
  return quiet && starts && simple && description === undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

/** SCXML tries transitions in the order of the document, XState wildcards last and the longest of them first. */
function ordered(node: AnyStateNode): AnyTransitionDefinition[] {
  const rank = ({ eventType }: AnyTransitionDefinition): number =>
    eventType === '*' ? 0 : eventType.endsWith('.*') ? eventType.length : Infinity;
  return transitionsOf(node).toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
}

function isBelow(node: AnyStateNode, above: AnyStateNode): boolean {
  for (let at = node.parent; at !== undefined; at = at.parent) if (at === above) return true;
  return false;
}

function resolved(from: AnyStateNode, target: string): AnyStateNode {
  if (target.startsWith('#')) return from.machine.getStateNodeById(target.slice(1));
  return target.split('.').reduce((at, key) => at.states[key] ?? at, from);
}

function named(kind: 'action' | 'guard', it: unknown): string {
  if (typeof it === 'string') return callOf(kind, it);
  const { type, params } = it as { type: string; params?: unknown };
  return callOf(kind, type, params);
}

/** Actions; the timers that XState adds for `after` are functions, and written as what they are elsewhere. */
function executables(actions: readonly unknown[]): Xml[] {
  return actions
    .filter((it) => typeof it !== 'function')
    .map((it) => element('script', {}, [named('action', it)]));
}
