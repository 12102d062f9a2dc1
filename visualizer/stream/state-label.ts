// A state in one word, for badges and counts: what a person would call it.
// Invariant: pure; a path that has no such word is its own label.

/**
 * `path` is what statePath gives. The innermost state of a single branch (`establishing.registering` is `registering`), the
 * state around the regions of parallel ones (`connected.liveness.listening, connected.health.waiting` is `connected`).
 */
export function stateLabel(path: string): string {
  const leaves = path.split(', ').map((leaf) => leaf.split('.'));
  const [first = [], ...others] = leaves;
  if (others.length === 0) return first.at(-1) ?? path;
  const depth = first.findIndex((part, index) => others.some((leaf) => leaf[index] !== part));
  const around = first.slice(0, depth < 0 ? first.length : depth);
  return around.at(-1) ?? path;
}
