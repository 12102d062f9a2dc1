// The matrix state × event of a machine as text that a reviewer can read.
// Invariant: cells come from the machine object (XState's own resolved transitions), not from a second description.
import type { AnyStateNode } from 'xstate';
import { type AnyEvent, type Entry, pathOf } from './machines.ts';
import { configurations, type Path } from './paths.ts';

export type Kind = 'handled' | 'guarded' | 'ignored' | 'unexpected';

export interface Cell {
  readonly kind: Kind;
  /** What happens, branch by branch. */
  readonly text: string;
}

const LETTERS: Readonly<Record<Kind, string>> = { handled: 'H', guarded: 'G', ignored: '.', unexpected: '!' };

interface Branch {
  readonly guard?: unknown;
  readonly target?: readonly AnyStateNode[] | undefined;
  readonly actions: readonly unknown[];
}

function branchText({ guard, target, actions }: Branch): string {
  const does = [
    ...(target ? [`→ ${target.map(pathOf).join(', ')}`] : []),
    ...(actions.length > 0 ? [`(${actions.map(String).join(', ')})`] : []),
  ];
  const what = does.length > 0 ? does.join(' ') : 'ignored';
  return guard === undefined ? what : `[${String(guard)}] ${what}`;
}

const quiet = ({ target, actions }: Branch) => target === undefined && actions.length === 0;

/** What `type` meets on the way from a leaf outwards: guarded branches, up to the first that always holds. */
function chain(
  leaf: AnyStateNode,
  root: AnyStateNode,
  type: string,
): { branches: Branch[]; node: AnyStateNode }[] {
  const found: { branches: Branch[]; node: AnyStateNode }[] = [];
  for (let node: AnyStateNode | undefined = leaf; node && node !== root; node = node.parent) {
    const branches = (node.transitions.get(type) ?? []) as unknown as Branch[];
    if (branches.length > 0) found.push({ branches, node });
    if (branches.some(({ guard }) => guard === undefined)) break;
  }
  return found;
}

/** The cell of one configuration and one type of event. Inner states of parallel regions come before outer ones. */
export function cellOf(path: Path, root: AnyStateNode, type: string): Cell {
  const leaves = path.snapshot._nodes.filter(({ type: kind }) => kind === 'atomic' || kind === 'final');
  const all = leaves.flatMap((leaf) => chain(leaf, root, type));
  // A region that answers keeps the event from the states around the regions.
  const regions = new Set(path.snapshot._nodes.filter(({ type: kind }) => kind === 'parallel'));
  const inner = all.filter(
    ({ node }) => ![...regions].some((region) => region === node || isAbove(node, region)),
  );
  const answered = inner.some(({ branches }) => branches.some(({ guard }) => guard === undefined));
  const chosen = new Map((answered ? inner : all).map(({ branches, node }) => [node, branches]));
  const branches = [...chosen.values()].flat();
  if (branches.length === 0) return { kind: 'unexpected', text: 'UNEXPECTED' };
  const text = branches.map(branchText).join('  otherwise ');
  if (branches.some(({ guard }) => guard !== undefined)) return { kind: 'guarded', text };
  return { kind: branches.every(quiet) ? 'ignored' : 'handled', text };
}

function isAbove(node: AnyStateNode, below: AnyStateNode): boolean {
  for (let parent = below.parent; parent; parent = parent.parent) if (parent === node) return true;
  return false;
}

function label(example: AnyEvent, examples: readonly AnyEvent[]): string {
  const { type, at: _, ...rest } = example;
  if (examples.filter((other) => other.type === type).length === 1) return type;
  const values = Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`);
  return `${type} ${values.join(' ')}`;
}

const mark = (index: number): string =>
  index < 26
    ? String.fromCharCode(97 + index)
    : `${String.fromCharCode(96 + Math.floor(index / 26))}${mark(index % 26)}`;

/** The states that share a cell, written short: `a–d g`. */
function ranges(indices: readonly number[]): string {
  const runs: number[][] = [];
  for (const index of indices) {
    const run = runs.at(-1);
    if (run && run.at(-1) === index - 1) run.push(index);
    else runs.push([index]);
  }
  return runs
    .map((run) =>
      run.length < 3 ? run.map(mark).join(' ') : `${mark(run[0] ?? 0)}–${mark(run.at(-1) ?? 0)}`,
    )
    .join(' ');
}

/** The whole matrix: a grid of letters, then every cell in words, grouped by what happens. */
export function matrix(entry: Entry): string {
  const { id, machine, examples } = entry;
  const paths = [...configurations(entry).values()];
  const live = paths.filter(({ snapshot }) => snapshot.status !== 'done');
  const done = paths.filter(({ snapshot }) => snapshot.status === 'done');
  const afters = new Map<string, string[]>();
  for (const { state, snapshot } of live) {
    for (const node of snapshot._nodes) {
      for (const [type, branches] of node.transitions) {
        if (!type.startsWith('xstate.after.')) continue;
        const delay = type.slice('xstate.after.'.length, type.length - node.id.length - 1);
        const text = `${pathOf(node)} after ${delay}: ${(branches as unknown as Branch[]).map(branchText).join('  otherwise ')}`;
        afters.set(text, [...(afters.get(text) ?? []), state]);
      }
    }
  }
  const types = [...new Set(examples.map(({ type }) => type))];
  const rows = examples.map((example) => {
    const letters = live.map((path) => LETTERS[cellOf(path, machine.root, example.type).kind].padEnd(2));
    return { name: label(example, examples), letters };
  });
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const head = `${' '.repeat(width)}${live.map((_, index) => mark(index).padEnd(2)).join(' ')}`.trimEnd();
  return [
    `machine ${id}: state × event`,
    '',
    'H handled   G guarded (see below)   . ignored on purpose   ! unexpected: a defect',
    '',
    ...live.map(({ state }, index) => `${mark(index).padEnd(3)} ${state}`),
    `final: ${done.map(({ state }) => state).join(', ')}`,
    '',
    head,
    ...rows.map(({ name, letters }) => `${name.padEnd(width)}${letters.join(' ')}`.trimEnd()),
    '',
    'delays',
    ...[...afters.keys()].sort().map((text) => `  ${text}`),
    '',
    'cells',
    ...types.flatMap((type) => [type, ...groups(live, machine.root, type)]),
    '',
  ].join('\n');
}

function groups(paths: readonly Path[], root: AnyStateNode, type: string): string[] {
  const byText = new Map<string, number[]>();
  paths.forEach((path, index) => {
    const { text } = cellOf(path, root, type);
    byText.set(text, [...(byText.get(text) ?? []), index]);
  });
  return [...byText].map(([text, indices]) => `  ${ranges(indices).padEnd(12)} ${text}`);
}
