// A trace as a Mermaid sequence diagram: a lifeline for each part that heard something, a note for each step.
// Invariant: names and texts of a system cannot end a statement of the diagram, whatever they hold.
import type { Exchange } from './explain.ts';
import type { Trace, TraceStep } from './trace.ts';

/** Mermaid ends statements at `;` and line ends, and takes `#` for the begin of a character's code. */
const quoted = (text: string): string =>
  text
    .replace(/[#;<>&]/g, (sign) => `#${sign.charCodeAt(0)};`)
    .replace(/\s+/g, ' ')
    .trim();

/** Room in a note or over an arrow; the trace holds the whole. */
const WIDEST = 100;
const shortened = (text: string): string => (text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text);

function touchedBy({ exchanges, changes }: TraceStep): string[] {
  return [
    ...exchanges.flatMap(({ from, to }) => (from === undefined ? [to] : [from, to])),
    ...changes.map(({ part }) => part),
  ];
}

function arrow({ from, to, what, unexpected }: Exchange, id: (part: string) => string): string[] {
  if (from === undefined || (from === to && unexpected === undefined)) return [];
  const text = quoted(shortened(what));
  const end = unexpected === true ? '-x' : '->>';
  return [`  ${id(from)}${end}${id(to)}: ${text}${unexpected === true ? ' (unexpected)' : ''}`];
}

/** The text of a diagram that Mermaid draws, with the violation as its title and its last note. */
export function toMermaidSequence(trace: Trace): string {
  const touched = new Set(trace.steps.flatMap(touchedBy));
  const shown = trace.parts.map(({ name }) => name).filter((name) => touched.size === 0 || touched.has(name));
  const id = (part: string) => `p${shown.indexOf(part)}`;
  const lines = ['sequenceDiagram', `  title ${quoted(`${trace.system}, ${trace.kind}: ${trace.property}`)}`];
  for (const name of shown) lines.push(`  participant ${id(name)} as ${quoted(name)}`);
  trace.steps.forEach((step, i) => {
    if (i + 1 === trace.cycle) lines.push('  loop for ever');
    const over = step.exchanges[0]?.to ?? step.changes[0]?.part ?? shown[0];
    if (over !== undefined) lines.push(`  Note over ${id(over)}: ${i + 1}. ${quoted(shortened(step.label))}`);
    for (const exchange of step.exchanges) lines.push(...arrow(exchange, id));
  });
  if (trace.cycle !== undefined && trace.cycle <= trace.steps.length) lines.push('  end');
  const [first, last] = [shown[0], shown.at(-1)];
  if (first !== undefined && last !== undefined) {
    const span = first === last ? id(first) : `${id(first)},${id(last)}`;
    lines.push(`  Note over ${span}: ${quoted(`violated: ${trace.property}`)}`);
  }
  return `${lines.join('\n')}\n`;
}
