// SCXML read as a machine's document: what `toScxml` wrote, and other documents whose structure XState has too.
// Invariant: what has no counterpart in XState is refused with its name; only other namespaces are passed over.
import type { InvokeDocument, MachineDocument, StateDocument, TransitionDocument } from './document.ts';
import type { Named } from './names.ts';
import { EXTRA, readCall, SCXML, unescapeEvent, unescapeName } from './scxml-names.ts';
import { readXml, type Xml } from './xml.ts';

/**
 * The document of a machine for `createMachine(…)`, everything by name. Conditions and executable content that `toScxml`
 * did not write become the names of guards and actions as they stand. An event of SCXML means also those that begin with
 * it and a dot; one of XState only itself.
 * @throws SyntaxError for what is no XML, no SCXML, or has no counterpart in XState
 */
export function fromScxml(text: string): MachineDocument {
  const scxml = readXml(text, SCXML);
  if (scxml.name !== 'scxml') throw new SyntaxError(`<${scxml.name}> is no SCXML document of ${SCXML}`);
  return new Reader(scxml).document();
}

const extra = (xml: Xml, name: string): string | undefined => xml.attributes[`{${EXTRA}}${name}`];

const STATES = new Set(['state', 'parallel', 'final', 'history']);

function elements(xml: Xml): Xml[] {
  return xml.children.flatMap((it) => (typeof it === 'string' ? [] : [it]));
}

function textOf(xml: Xml): string {
  return xml.children.map((it) => (typeof it === 'string' ? it : textOf(it))).join('');
}

/** A state's place: its key, and all keys on the way to it. */
interface Place {
  readonly xml: Xml;
  readonly path: readonly string[];
  readonly id: string;
}

class Reader {
  readonly #scxml: Xml;
  readonly #root: Xml;
  readonly #name: string;
  readonly #places = new Map<string, Place>();

  constructor(scxml: Xml) {
    this.#scxml = scxml;
    this.#root = elements(scxml).find((it) => extra(it, 'root') === 'true') ?? scxml;
    this.#name = unescapeName(scxml.attributes['name'] ?? 'machine');
    this.#place(this.#root, []);
  }

  document(): MachineDocument {
    const data = elements(this.#scxml)
      .filter(({ name }) => name === 'datamodel')
      .flatMap(elements)
      .map(
        (it) =>
          [extra(it, 'name') ?? it.attributes['id'] ?? '', json(it.attributes['expr'] ?? 'null')] as const,
      );
    for (const it of elements(this.#scxml)) {
      if (it.name === 'script') throw new SyntaxError('<script> of the document has no place in a machine');
    }
    const context = data.length === 0 ? {} : { context: Object.fromEntries(data) };
    const { id: _, ...state } = this.#state(this.#root);
    return { id: this.#name, ...context, ...state };
  }

  /** Finds a place for every state, so that targets can be told. */
  #place(xml: Xml, path: readonly string[]): void {
    const id = xml.attributes['id'];
    if (id !== undefined) {
      if (this.#places.has(id)) throw new SyntaxError(`the id ${id} is given twice`);
      this.#places.set(id, { xml, path, id: addressOf(extra(xml, 'id'), this.#name, path) });
    }
    for (const child of statesIn(xml)) this.#place(child, [...path, this.#key(child, xml)]);
  }

  #key(xml: Xml, parent: Xml): string {
    const { id } = xml.attributes;
    const key = extra(xml, 'key');
    if (key !== undefined) return key;
    if (id === undefined) return `${xml.name}${statesIn(parent).indexOf(xml) + 1}`;
    const above = parent === this.#root ? '' : `${parent.attributes['id'] ?? ''}.`;
    // One of ours says the whole way to it; one of others is its own name.
    return id.startsWith(above) ? unescapeName(id.slice(above.length)) : id;
  }

  #at(id: string): Place {
    const place = this.#places.get(id);
    if (place === undefined) throw new SyntaxError(`there is no state ${id}, but it is a target`);
    return place;
  }

  #targets(xml: Xml): string[] {
    const ids = (xml.attributes['target'] ?? '').split(/\s+/).filter((id) => id !== '');
    return ids.map((id) => `#${this.#at(id).id}`);
  }

  #state(xml: Xml): StateDocument {
    if (xml.name === 'history') return this.#history(xml);
    const children = statesIn(xml);
    const first = this.#initial(xml, children);
    const isFinal = xml.name === 'final' || extra(xml, 'final') === 'true';
    const type = xml.name === 'parallel' ? 'parallel' : isFinal ? 'final' : undefined;
    const inner = isFinal ? elements(xml).find(({ name }) => name === 'final') : undefined;
    const description = elements(xml).find(({ name }) => name === `{${EXTRA}}description`);
    const tags = extra(xml, 'tags');
    const own = extra(xml, 'id');
    return {
      ...(own === undefined ? {} : { id: own }),
      ...(description === undefined ? {} : { description: textOf(description) }),
      ...(type === undefined ? {} : { type }),
      ...(first === undefined || type !== undefined ? {} : { initial: first }),
      ...(tags === undefined ? {} : { tags: json(tags) as string[] }),
      ...this.#doings(xml),
      ...(children.length === 0
        ? {}
        : { states: Object.fromEntries(children.map((it) => [this.#key(it, xml), this.#state(it)])) }),
      ...output(inner ?? xml),
    };
  }

  #initial(xml: Xml, children: readonly Xml[]): string | TransitionDocument | undefined {
    const given = elements(xml).find(({ name }) => name === 'initial');
    const move = given === undefined ? undefined : elements(given).find(({ name }) => name === 'transition');
    const [id, ...more] = ((move ?? xml).attributes[move === undefined ? 'initial' : 'target'] ?? '').split(
      /\s+/,
    );
    const [start] = children.filter(({ name }) => name !== 'history');
    if (start === undefined) return undefined;
    const child = id === undefined || id === '' ? start : children.find((it) => it.attributes['id'] === id);
    if (child === undefined || more.length > 0)
      throw new SyntaxError(
        `the initial state ${[id, ...more].join(' ')} is no child, and XState starts in a child`,
      );
    const actions = move === undefined ? [] : elements(move).map(actionOf);
    const target = this.#key(child, xml);
    return actions.length === 0 ? target : { target, actions };
  }

  #history(xml: Xml): StateDocument {
    const move = elements(xml).find(({ name }) => name === 'transition');
    const [goal, ...more] = (move?.attributes['target'] ?? '').split(/\s+/).filter((id) => id !== '');
    const own = extra(xml, 'id');
    const implied = goal === undefined || extra(xml, 'default') === 'true';
    if (!implied && more.length > 0) throw new SyntaxError('a history state of XState has one target');
    return {
      ...(own === undefined ? {} : { id: own }),
      type: 'history',
      history: xml.attributes['type'] === 'deep' ? 'deep' : 'shallow',
      ...(implied ? {} : { target: `#${this.#at(goal).id}` }),
    };
  }

  /** Entry, exit, actors and transitions. A timer is an event that is sent on entry and answered by the same state. */
  #doings(xml: Xml): StateDocument {
    const parts = (name: string): Xml[] => elements(xml).filter((it) => it.name === name);
    const moves = parts('transition').filter((it) => extra(it, 'end') !== 'true');
    const answered = new Set(moves.map((it) => it.attributes['event']));
    const onentry = parts('onentry').flatMap(elements);
    const timers = onentry.filter((it) => isTimer(it) && answered.has(it.attributes['event']));
    const sent = new Set(timers.map((it) => it.attributes['id']));
    const entry = onentry.filter((it) => !timers.includes(it)).map(actionOf);
    const exit = parts('onexit').flatMap(elements);
    const kept = exit
      .filter((it) => it.name !== 'cancel' || !sent.has(it.attributes['sendid']))
      .map(actionOf);
    const of = (event: string | undefined): TransitionDocument[] =>
      moves.filter((it) => it.attributes['event'] === event).map((it) => this.#transition(it, xml));
    const invoke = parts('invoke').map((it): InvokeDocument => invoked(it, of));
    const done = `done.state.${xml.attributes['id'] ?? ''}`;
    const taken = new Set([undefined, done, ...timers.map((it) => it.attributes['event'])]);
    for (const it of parts('invoke')) for (const event of eventsOf(it)) taken.add(event);
    const events = [...answered].filter((event) => event !== undefined).filter((event) => !taken.has(event));
    const on = events.flatMap((event) =>
      event.split(/\s+/).map((one) => [unescapeEvent(one === '.*' ? '*' : one), of(event)] as const),
    );
    const after = timers.map((it) => [delayOf(it), of(it.attributes['event'])] as const);
    return {
      ...(entry.length === 0 ? {} : { entry }),
      ...(kept.length === 0 ? {} : { exit: kept }),
      ...(invoke.length === 0 ? {} : { invoke }),
      ...(of(undefined).length === 0 ? {} : { always: of(undefined) }),
      ...(after.length === 0 ? {} : { after: Object.fromEntries(after) }),
      ...(on.length === 0 ? {} : { on: Object.fromEntries(on) }),
      ...(of(done).length === 0 ? {} : { onDone: of(done) }),
    };
  }

  #transition(xml: Xml, source: Xml): TransitionDocument {
    const { cond, event } = xml.attributes;
    const self = extra(xml, 'self') === 'true' ? [`#${this.#at(source.attributes['id'] ?? '').id}`] : [];
    const target = [...this.#targets(xml), ...self];
    const guard = cond === undefined ? undefined : guardOf(cond, event);
    const actions = elements(xml).map(actionOf);
    const description = extra(xml, 'description');
    return {
      ...(target.length === 0 ? {} : { target }),
      ...(guard === undefined ? {} : { guard }),
      ...(actions.length === 0 ? {} : { actions }),
      ...(target.length > 0 && this.#reenters(xml, source) ? { reenter: true } : {}),
      ...(description === undefined ? {} : { description }),
    };
  }

  /** SCXML leaves and enters the source again unless it is told not to; XState the other way round. */
  #reenters(xml: Xml, source: Xml): boolean {
    if (extra(xml, 'reenter') === 'true') return true;
    if (extra(xml, 'self') === 'true' || xml.attributes['type'] === 'internal') return false;
    const from = source === this.#scxml ? [] : this.#at(source.attributes['id'] ?? '').path;
    const targets = (xml.attributes['target'] ?? '').split(/\s+/).filter((id) => id !== '');
    return targets.every((id) => from.every((key, i) => this.#at(id).path[i] === key));
  }
}

/** How XState is told of a state: dots inside of names are not those between them. */
function addressOf(own: string | undefined, name: string, path: readonly string[]): string {
  const names = own === undefined ? [name, ...path] : [own];
  return names.map((it) => it.replace(/[\\.]/g, '\\$&')).join('.');
}

function statesIn(xml: Xml): Xml[] {
  if (extra(xml, 'final') === 'true') return [];
  return elements(xml).filter((it) => STATES.has(it.name) && extra(it, 'end') !== 'true');
}

function isTimer(xml: Xml): boolean {
  const { event, delay, delayexpr } = xml.attributes;
  return xml.name === 'send' && event !== undefined && (delay !== undefined || delayexpr !== undefined);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds as text, or the name of a delay. */
function delayOf({ attributes }: Xml): string {
  const { delay = '', delayexpr } = attributes;
  if (delayexpr !== undefined) return readCall('delay', delayexpr)?.name ?? delayexpr;
  const [, amount, unit = ''] = /^(\d*(?:\.\d+)?)(ms|s|m|h|d)$/.exec(delay) ?? [];
  const factor = UNITS_MS[unit];
  if (amount === undefined || factor === undefined)
    throw new SyntaxError(`${delay} is no delay; write 500ms or 1.5s`);
  return String(Number(amount) * factor);
}

function eventsOf({ attributes }: Xml): [done: string, error: string, snapshot: string] {
  const { id = '' } = attributes;
  return [`done.invoke.${id}`, `error.invoke.${id}`, `snapshot.invoke.${id}`];
}

function invoked(xml: Xml, of: (event: string) => TransitionDocument[]): InvokeDocument {
  const { id, src, srcexpr, type = 'scxml' } = xml.attributes;
  const [onDone, onError, onSnapshot] = eventsOf(xml).map((event) => (id === undefined ? [] : of(event)));
  const input = elements(xml).find(
    ({ name, attributes }) => name === 'param' && attributes['name'] === 'input',
  );
  const [own, systemId] = [extra(xml, 'id') ?? (type === 'xstate' ? undefined : id), extra(xml, 'system')];
  return {
    ...(own === undefined ? {} : { id: own }),
    ...(systemId === undefined ? {} : { systemId }),
    src: type === 'xstate' ? decodeURIComponent(src ?? '') : (src ?? srcexpr ?? type),
    ...(input === undefined ? {} : { input: json(input.attributes['expr'] ?? 'null') }),
    ...(onDone === undefined || onDone.length === 0 ? {} : { onDone }),
    ...(onError === undefined || onError.length === 0 ? {} : { onError }),
    ...(onSnapshot === undefined || onSnapshot.length === 0 ? {} : { onSnapshot }),
  };
}

function output(xml: Xml): { output?: unknown } {
  const done = elements(xml).find(({ name }) => name === 'donedata');
  const content = done === undefined ? undefined : elements(done).find(({ name }) => name === 'content');
  return content === undefined
    ? {}
    : { output: json(content.attributes['expr'] ?? JSON.stringify(textOf(content))) };
}

function guardOf(cond: string, event: string | undefined): Named | undefined {
  const exact = `_event.name === '${event}'`;
  if (cond === exact) return undefined;
  const rest = cond.startsWith(`${exact} && `) ? cond.slice(exact.length + 4) : cond;
  const call = readCall('guard', rest);
  return call === undefined ? rest : namedBy(call);
}

function namedBy({ name, params }: { name: string; params?: unknown }): Named {
  return params === undefined ? name : { type: name, params };
}

/** Executable content as an action; what is not a call of ours is named by what it says. */
function actionOf(xml: Xml): Named {
  const text = textOf(xml).trim();
  const call = xml.name === 'script' ? readCall('action', text) : undefined;
  if (call !== undefined) return namedBy(call);
  if (elements(xml).length > 0)
    throw new SyntaxError(`<${xml.name}> holds more than the name of an action can say; move it into one`);
  const said = Object.values(xml.attributes).join(' ');
  return xml.name === 'script' && text !== '' ? text : `${xml.name} ${said}`.trim();
}

/** A value: JSON, or the expression as a text where it is more than that. */
function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
