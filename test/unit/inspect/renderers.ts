// Mermaid's and Graphviz's own parsers, in Node.
// Invariant: what is checked is their grammar and what they made of it; Mermaid draws nothing, as there is no page.
import { Graphviz } from '@hpcc-js/wasm-graphviz';
import DOMPurify from 'dompurify';

// Without a page the sanitizer that Mermaid passes every label through is an empty shell. It is not what is tested.
Object.assign(DOMPurify, { addHook: () => {}, sanitize: (text: string) => text });
const { default: mermaid } = await import('mermaid');

interface StateDb {
  getData(): {
    nodes: { id: string; label: string; description?: string[]; shape: string; parentId?: string }[];
    edges: { start: string; end: string; label?: string }[];
  };
}

interface Understood {
  /** By id: the name, and under it line by line the rest. */
  readonly states: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly string[];
  readonly arrows: readonly { from: string; to: string; label: string }[];
}

/** What Mermaid would draw. @throws where its grammar refuses the text */
export async function mermaidStates(text: string): Promise<Understood> {
  // It loads the grammar; the next line knows only what is loaded.
  await mermaid.parse(text);
  const { db } = (await mermaid.mermaidAPI.getDiagramFromText(text)) as unknown as { db: StateDb };
  const { nodes, edges } = db.getData();
  const states = nodes
    .filter(({ shape }) => !['stateStart', 'stateEnd', 'divider', 'note', 'noteGroup'].includes(shape))
    .map(({ id, label, description = [] }) => [id, [label, ...description].map(decoded)] as const);
  const notes = nodes.filter(({ shape }) => shape === 'note').map(({ label }) => decoded(label));
  const arrows = edges.map(({ start, end, label = '' }) => ({ from: start, to: end, label: decoded(label) }));
  return { states: new Map(states), notes, arrows };
}

const NAMES: Readonly<Record<string, string>> = { quot: '"', lt: '<', gt: '>', amp: '&' };

/** Mermaid's own marks for `#35;` and `#quot;`, until it draws. */
function decoded(text: string): string {
  return text
    .replace(/ﬂ°°(\d+)¶ß/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/ﬂ°(\w+)¶ß/g, (_, name: string) => NAMES[name] ?? '?');
}

const graphviz = await Graphviz.load();

interface Drawn {
  readonly objects?: readonly { name: string; label?: string; nodes?: readonly number[]; shape?: string }[];
  readonly edges?: readonly { tail: number; head: number; label?: string }[];
}

/** What Graphviz understands, after it has laid it out. @throws where it refuses the text */
export function graphvizLayout(text: string): Drawn {
  return JSON.parse(graphviz.layout(text, 'dot_json', 'dot')) as Drawn;
}
