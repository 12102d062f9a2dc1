// How a broken twin fails, for the tests of this folder.
// Invariant: steps are those of a shortest way, so a number that changes says that a machine did.
import type { CheckResult } from '../../../src/checker/index.ts';

/** The kind of the violation, the property, and how many steps lead to it. */
export const failure = ({ violation }: CheckResult) => [
  violation?.kind,
  violation?.property,
  violation?.steps.length,
];
