// The name that somebody meant who wrote another one.
// Invariant: nothing is suggested that is further from what was written than a slip of the fingers.

/** Insertions, deletions, replacements and exchanged neighbours (optimal string alignment, the restricted Damerau-Levenshtein distance). */
function distance(one: string, other: string): number {
  let before: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const here = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const isExchanged =
        row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      here[column] = Math.min(
        (above[column] ?? 0) + 1,
        (here[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (isSame ? 0 : 1),
        isExchanged ? (before[column - 2] ?? 0) + 1 : Infinity,
      );
    }
    before = above;
    above = here;
  }
  return above[other.length] ?? 0;
}

/** Undefined when none is near: more than a third of the letters differ. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const plain = written.toLowerCase().replaceAll(/[-_]/g, '');
  let best: string | undefined;
  let least = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const name of known) {
    const full = name.toLowerCase();
    // Units are easily forgotten: `idle` for `idleMs`.
    const far = plain.length > 2 && full.startsWith(plain) ? 1 : distance(plain, full);
    if (far >= least) continue;
    least = far;
    best = name;
  }
  return best;
}
