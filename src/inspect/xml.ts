// XML, as much of it as SCXML needs: elements, attributes, text and namespaces.
// Invariant: a document type is refused, so no entity is ever expanded but XML's own five and characters by number.

export interface Xml {
  /** Local name for the namespace that the reader was asked for, `{namespace}name` for every other. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (Xml | string)[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function escaped(text: string): string {
  // Line ends and tabs in attributes would be read as spaces; other control characters are none of XML's.
  return text
    .replace(/[&<>"]/g, (it) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[it] ?? '&quot;')
    .replace(/[\t\n\r]/g, (it) => `&#${it.charCodeAt(0)};`)
    .replace(/[^\P{Cc}\t\n\r]|\p{Cs}|[\uFFFE\uFFFF]/gu, '\uFFFD');
}

/** An element with what is in it, one element a line; text stays on the line of its element. */
export function writeXml({ name, attributes, children }: Xml, indent = ''): string {
  const given = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const open = `${indent}<${name}${given.join('')}`;
  if (children.length === 0) return `${open}/>\n`;
  const inner = children.map((it) => (typeof it === 'string' ? escaped(it) : writeXml(it, `${indent}  `)));
  return children.some((it) => typeof it === 'string')
    ? `${open}>${inner.join('')}</${name}>\n`
    : `${open}>\n${inner.join('')}${indent}</${name}>\n`;
}

/** What a tag may hold; a `>` inside quotes does not end it. */
const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s<>/=!?]+)((?:[^<>"']|"[^"<]*"|'[^'<]*')*?)(\/?)>|[^<]+/gy;
const ATTRIBUTE = /\s+([^\s=<>"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gy;

interface Open {
  readonly tag: string;
  readonly element: { name: string; attributes: Record<string, string>; children: (Xml | string)[] };
  readonly namespaces: Readonly<Record<string, string>>;
}

/**
 * Reads a document; names of `namespace` lose their prefix.
 * @throws SyntaxError with the line
 */
export function readXml(text: string, namespace: string): Xml {
  const top: Open = {
    tag: '',
    element: { name: '', attributes: {}, children: [] },
    namespaces: { xml: 'xml' },
  };
  const stack: Open[] = [top];
  const source = text.replace(/^\uFEFF/, '');
  TOKEN.lastIndex = 0;
  for (let at = 0; at < source.length; at = TOKEN.lastIndex) {
    const fail = (message: string): SyntaxError =>
      new SyntaxError(`line ${source.slice(0, at).split('\n').length}: ${message}`);
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(source);
    const parent = stack.at(-1) ?? top;
    if (token === null)
      throw fail(
        /^<!DOCTYPE/i.test(source.slice(at)) ? 'a document type is not read; remove it' : 'this is no XML',
      );
    const [all, cdata, slash, tag, given = '', empty] = token;
    if (tag === undefined) {
      const words = cdata ?? (all.startsWith('<') ? '' : decoded(all, fail));
      if (parent !== top && words !== '') parent.element.children.push(words);
      else if (words.trim() !== '') throw fail('there is text outside of the document');
    } else if (slash === '/') {
      if (parent.tag !== tag || given.trim() !== '') throw fail(`</${tag}> closes <${parent.tag}>`);
      stack.pop();
    } else {
      if (parent === top && top.element.children.length > 0) throw fail(`<${tag}> is a second document`);
      const open = opened(tag, given, parent.namespaces, namespace, fail);
      parent.element.children.push(open.element);
      if (empty !== '/') stack.push(open);
    }
  }
  const [root] = top.element.children;
  if (stack.length > 1) throw new SyntaxError(`<${stack.at(-1)?.tag}> is never closed`);
  if (root === undefined || typeof root === 'string') throw new SyntaxError('there is no element');
  return root;
}

type Fail = (message: string) => SyntaxError;

function opened(tag: string, given: string, outer: Open['namespaces'], wanted: string, fail: Fail): Open {
  const raw: Record<string, string> = {};
  ATTRIBUTE.lastIndex = 0;
  let end = 0;
  for (let found = ATTRIBUTE.exec(given); found !== null; found = ATTRIBUTE.exec(given)) {
    const [, name = '', double, single] = found;
    if (Object.hasOwn(raw, name)) throw fail(`${name} is twice in <${tag}>`);
    raw[name] = decoded((double ?? single ?? '').replace(/\s/g, ' '), fail);
    end = ATTRIBUTE.lastIndex;
  }
  if (given.slice(end).trim() !== '')
    throw fail(`<${tag}> has something that is no attribute: ${given.slice(end).trim()}`);
  const namespaces: Record<string, string> = { ...outer };
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'xmlns') namespaces[''] = value;
    else if (name.startsWith('xmlns:')) namespaces[name.slice(6)] = value;
  }
  const resolved = (name: string, prefix: string): string => {
    const known = namespaces[prefix];
    if (known === undefined && prefix !== '') throw fail(`the prefix ${prefix} is not declared`);
    return known === wanted || known === undefined ? name : `{${known}}${name}`;
  };
  const split = (name: string): [string, string] =>
    name.includes(':') ? [name.slice(name.indexOf(':') + 1), name.slice(0, name.indexOf(':'))] : [name, ''];
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'xmlns' || name.startsWith('xmlns:')) continue;
    const [local, prefix] = split(name);
    attributes[prefix === '' ? name : resolved(local, prefix)] = value;
  }
  return { tag, element: { name: resolved(...split(tag)), attributes, children: [] }, namespaces };
}

function decoded(text: string, fail: Fail): string {
  return text.replace(
    /&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));?/g,
    (all, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined && all.endsWith(';') && ENTITIES[name] !== undefined) return ENTITIES[name];
      const code = Number(decimal ?? `0x${hex}`);
      if (!all.endsWith(';') || !(code <= 0x10ffff)) throw fail(`${all} is no entity of XML`);
      return String.fromCodePoint(code);
    },
  );
}
