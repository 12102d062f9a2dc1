// Stately's own reader of machines in source files, and a reader of literals over a real TypeScript parser.
// Invariant: neither runs the file; they see only its text, as the importer does.
import { registerHooks } from 'node:module';
import { parse, type ParserOptions } from '@babel/parser';

// The extractor is built on XState 4 and asks for its inner modules, which XState 5 beside it does not have.
registerHooks({
  resolve: (specifier, context, next) => {
    const found = /^xstate\/lib\/(\w+)$/.exec(specifier);
    return next(found === null ? specifier : `xstate4/lib/${found[1]}`, context);
  },
});

interface Extractor {
  extractMachinesFromFile(text: string): {
    machines: ({ toConfig(): Record<string, unknown> | undefined } | undefined)[];
  } | null;
}
const extractor = (await import('@xstate/machine-extractor')) as unknown as Extractor;

/** The config that Stately's extractor reads out of a file with one machine. @throws where a name is no string */
export function extracted(text: string): Record<string, unknown> {
  const machines = extractor.extractMachinesFromFile(text)?.machines ?? [];
  const config = machines.length === 1 ? machines[0]?.toConfig() : undefined;
  if (config === undefined) throw new Error(`the extractor finds ${machines.length} machines`);
  return byName(config) as Record<string, unknown>;
}

/** The extractor says of each name whether it is one, in XState 4's words. */
function byName(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byName);
  if (typeof value !== 'object' || value === null) return value;
  const { kind, action, type, src, cond, ...rest } = value as Readonly<Record<string, unknown>>;
  if (kind === undefined) {
    const fields = { type, src, ...rest, guard: cond };
    return Object.fromEntries(
      Object.entries(fields).flatMap(([key, it]) => (it === undefined ? [] : [[key, byName(it)]])),
    );
  }
  if (kind !== 'named') throw new Error(`the extractor sees no name: ${JSON.stringify(value)}`);
  if (src !== undefined) return { src, ...(byName(rest) as object) };
  const named = (action ?? { type, ...rest }) as { type: string; params?: object };
  const { params = {} } = named;
  return typeof params === 'object' && Object.keys(params).length === 0 ? named.type : named;
}

interface Syntax {
  readonly type: string;
  readonly [field: string]: unknown;
}

const options: ParserOptions = { sourceType: 'module', plugins: ['typescript'] };

/** The value of the argument of the only `createMachine(…)` in the text. @throws where something is no literal */
export function literalConfig(text: string): unknown {
  const found: Syntax[] = [];
  const visit = (it: unknown): void => {
    if (typeof it !== 'object' || it === null) return;
    const { type, callee, arguments: given } = it as Syntax;
    const { property } = (callee ?? {}) as { property?: { name?: string } };
    if (type === 'CallExpression' && property?.name === 'createMachine')
      found.push((given as Syntax[])[0] as Syntax);
    for (const value of Object.values(it)) visit(value);
  };
  visit(parse(text, options).program);
  if (found.length !== 1) throw new Error(`the file has ${found.length} calls of createMachine`);
  return valueOf(found[0] as Syntax);
}

/** The modules that a text imports. */
export function importsOf(text: string): string[] {
  return (parse(text, options).program.body as unknown as Syntax[])
    .filter(({ type }) => type === 'ImportDeclaration')
    .map(({ source }) => (source as { value: string }).value);
}

function valueOf(node: Syntax): unknown {
  if (node.type === 'ObjectExpression') {
    return Object.fromEntries(
      (node['properties'] as Syntax[]).map((it) => {
        if (it.type !== 'ObjectProperty' || it['computed'] === true)
          throw new Error(`${it.type} is no plain field`);
        const key = it['key'] as Syntax;
        return [key.type === 'Identifier' ? key['name'] : key['value'], valueOf(it['value'] as Syntax)];
      }),
    );
  }
  if (node.type === 'ArrayExpression') return (node['elements'] as Syntax[]).map(valueOf);
  if (node.type === 'NullLiteral') return null;
  if (node.type === 'UnaryExpression' && node['operator'] === '-')
    return -Number(valueOf(node['argument'] as Syntax));
  if (/^(String|Numeric|Boolean)Literal$/.test(node.type)) return node['value'];
  throw new Error(`${node.type} is no literal`);
}
