// The registry as the contract tests see it: every machine alike, its own types taken off.
// Invariant: nothing here names a machine; a new one in the registry is tested without a change.
import type { AnyStateMachine, AnyStateNode, EventObject } from 'xstate';
import { registry } from '../../machines/index.ts';
import type { Effects } from '../../machines/types.ts';

export interface AnyEvent extends EventObject {
  readonly node?: string;
  readonly round?: number;
  readonly epoch?: number;
  readonly registrationEpoch?: number;
  readonly at?: number;
}

export interface AnyContext {
  readonly control: Readonly<Record<string, number>>;
  readonly ledger: Readonly<Record<string, unknown>>;
}

export interface Entry {
  readonly id: string;
  readonly machine: AnyStateMachine;
  readonly effects: Effects<never>;
  readonly examples: readonly AnyEvent[];
  readonly input: unknown;
}

export const entries: readonly Entry[] = Object.entries(registry).map(
  ([id, entry]) => ({ id, ...entry }) as unknown as Entry,
);

/** The machines that the table compiler is for: no state has children, or is entered anew. */
export const flatEntries = entries.filter(({ machine }) =>
  Object.values(machine.root.states).every(
    ({ type, transitions }) =>
      (type === 'atomic' || type === 'final') && ![...transitions.values()].flat().some((one) => one.reenter),
  ),
);

/** A control part without its epochs, those of the members of its sets included. */
export const withoutEpochs = (control: object): string =>
  JSON.stringify(control, (key, value: unknown) => (/epoch$/i.test(key) ? undefined : value));

interface Numbered {
  readonly node: string;
  readonly epoch: number;
}

/**
 * The epoch that an event of now has: the actor's own; or that of the node of which it speaks, if it is a member. What
 * speaks of a node's part in a round has the round's.
 */
function presentEpoch({ node, round, epoch = 0 }: AnyEvent, control: AnyContext['control']): number {
  const lists = Object.values(control as Readonly<Record<string, unknown>>).filter(Array.isArray);
  if (node === undefined || round !== undefined || lists.length === 0) return control['epoch'] ?? 0;
  const members = lists.flat() as readonly Numbered[];
  return members.find((member) => member.node === node)?.epoch ?? epoch;
}

/** Every state node of the machine below its root, in document order. */
export function stateNodes(machine: AnyStateMachine): AnyStateNode[] {
  const below = (node: AnyStateNode): AnyStateNode[] =>
    Object.values(node.states).flatMap((child: AnyStateNode) => [child, ...below(child)]);
  return below(machine.root);
}

export const pathOf = (node: AnyStateNode): string => node.path.join('.');

/** Paths of the states without children. */
export const leaves = (machine: AnyStateMachine): string[] =>
  stateNodes(machine)
    .filter(({ type }) => type === 'atomic' || type === 'final')
    .map(pathOf);

/** `{ establishing: 'registering' }` → `establishing.registering`; regions of a parallel state as `connected(a.x b.y)`. */
export function readable(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries(value as object)
    .map(([state, inner]: [string, unknown]) => {
      const parallel = typeof inner === 'object' && inner !== null && Object.keys(inner).length > 1;
      return parallel ? `${state}(${readable(inner)})` : `${state}.${readable(inner)}`;
    })
    .join(' ');
}

/** Which actors' work an event speaks of, seen from the actor that gets it. */
export type Age = 'current' | 'older' | 'older registration' | 'newer';
export const AGES: readonly Age[] = ['current', 'older', 'older registration', 'newer'];

/** `example` with its epochs set relative to those of `control`. */
export function aged(example: AnyEvent, control: AnyContext['control'], age: Age): AnyEvent {
  if (example.epoch === undefined) return example;
  const socket = age === 'older' ? -1 : age === 'newer' ? 1 : 0;
  const event = { ...example, epoch: presentEpoch(example, control) + socket };
  if (example.registrationEpoch === undefined) return event;
  const registration = age === 'older registration' ? -1 : socket;
  return { ...event, registrationEpoch: (control['registrationEpoch'] ?? 0) + registration };
}

/** The example in every age that makes a difference to it. */
export function inEveryAge(example: AnyEvent, control: AnyContext['control']): AnyEvent[] {
  if (example.epoch === undefined) return [example];
  const ages = AGES.filter((age) => age !== 'older registration' || example.registrationEpoch !== undefined);
  return ages.map((age) => aged(example, control, age));
}
