// The events that a test sends: for each type of event the cases that make a difference.
// Invariant: what is sent has an event's type that some active state handles; wildcards are never sent as they stand.
import type { AnyMachineSnapshot, EventObject } from 'xstate';

/** Cases of one type of event: their fields, with or without `type`. */
export type Case = Readonly<Record<string, unknown>>;

/**
 * Which events to send: for each type its cases (`{ 'user.typed': [{ value: '' }, { value: 'x' }] }`), a list of events, or
 * a function of the snapshot that answers such a list. A type of which nothing is said is sent without fields; one with no
 * case (`{ rang: [] }`) is never sent.
 */
export type EventCases =
  | Readonly<Record<string, readonly Case[]>>
  | readonly EventObject[]
  | ((snapshot: AnyMachineSnapshot) => readonly EventObject[]);

function listed(cases: EventCases, snapshot: AnyMachineSnapshot): readonly EventObject[] {
  if (typeof cases === 'function') return cases(snapshot);
  if (Array.isArray(cases)) return cases as readonly EventObject[];
  return Object.entries(cases as Readonly<Record<string, readonly Case[]>>).flatMap(([type, fields]) =>
    fields.map((of): EventObject => Object.assign({ type }, of, { type })),
  );
}

function matches(descriptor: string, type: string): boolean {
  if (descriptor === '*' || descriptor === type) return true;
  return (
    descriptor.endsWith('.*') &&
    (type === descriptor.slice(0, -2) || type.startsWith(descriptor.slice(0, -1)))
  );
}

/** No case at all is said for it: an event that only the machine itself raises. */
const isNeverSent = (cases: EventCases, type: string): boolean =>
  typeof cases === 'object' && !Array.isArray(cases) && Object.hasOwn(cases, type);

/** A type that a wildcard stands for, when no case says one. */
const invented = (descriptor: string): string => descriptor.replace(/\*$/, 'anything');

/** The events to send in this configuration, in the order of the cases, then in document order. */
export function eventsFor(cases: EventCases, snapshot: AnyMachineSnapshot): readonly EventObject[] {
  // What a state ignores explicitly (`event: {}`) is sent too: that it is ignored is a promise of the machine.
  const descriptors = [...new Set(snapshot._nodes.flatMap((node) => [...node.transitions.keys()]))].filter(
    (descriptor) => !descriptor.startsWith('xstate.'),
  );
  const given = listed(cases, snapshot).filter(({ type }) =>
    descriptors.some((descriptor) => matches(descriptor, type)),
  );
  const unsaid = descriptors
    .filter(
      (descriptor) => !given.some(({ type }) => matches(descriptor, type)) && !isNeverSent(cases, descriptor),
    )
    .map((descriptor): EventObject => ({ type: invented(descriptor) }));
  return [...given, ...unsaid];
}

type FieldValues = Readonly<Record<string, readonly unknown[]>>;
type Chosen<F extends FieldValues> = { readonly [K in keyof F]: F[K][number] };

/**
 * Cases of an event such that every two values of two different fields occur together in one of them: `pairwise({ size:
 * ['s', 'm', 'l'], color: ['red', 'blue'], gift: [true, false] })` are 6 cases, where all combinations are 12. Greedy, in the
 * order of the fields (after IPO: Lei and Tai, "In-Parameter-Order", HASE 1998); the same fields give the same cases.
 */
export function pairwise<const F extends FieldValues>(fields: F): Chosen<F>[] {
  const [[firstName, firstValues] = ['', [{}]], ...others] = Object.entries(fields);
  if (firstName === '') return [{} as Chosen<F>];
  let rows: Record<string, unknown>[] = firstValues.map((value) => ({ [firstName]: value }));
  const before: [string, readonly unknown[]][] = [[firstName, firstValues]];
  for (const [name, values] of others) {
    rows = widened(rows, name, values, before);
    before.push([name, values]);
  }
  return rows as Chosen<F>[];
}

function widened(
  rows: readonly Record<string, unknown>[],
  name: string,
  values: readonly unknown[],
  before: readonly [string, readonly unknown[]][],
): Record<string, unknown>[] {
  const missing = new Set<string>();
  const pair = (other: string, theirs: number, ours: number): string => `${other} ${theirs} ${ours}`;
  for (const [other, theirs] of before) {
    theirs.forEach((_, i) => values.forEach((__, j) => missing.add(pair(other, i, j))));
  }
  const coveredBy = (row: Record<string, unknown>, ours: number): string[] =>
    before.map(([other, theirs]) => pair(other, theirs.indexOf(row[other]), ours));
  const wide = rows.map((row) => {
    const gain = (ours: number): number => coveredBy(row, ours).filter((it) => missing.has(it)).length;
    const best = values.reduce((top: number, _, j) => (gain(j) > gain(top) ? j : top), 0);
    for (const it of coveredBy(row, best)) missing.delete(it);
    return { ...row, [name]: values[best] };
  });
  for (const [other, theirs] of before) {
    theirs.forEach((value, i) =>
      values.forEach((ours, j) => {
        if (!missing.has(pair(other, i, j))) return;
        // The fields that nothing asks for take turns, so that a row of their own is seldom needed.
        const row: Record<string, unknown> = {};
        for (const [filled, choices] of before) {
          const wanted = choices.findIndex((_, k) => missing.has(pair(filled, k, j)));
          row[filled] = filled === other ? value : choices[Math.max(0, wanted)];
        }
        for (const it of coveredBy(row, j)) missing.delete(it);
        wide.push({ ...row, [name]: ours });
      }),
    );
  }
  return wide;
}
