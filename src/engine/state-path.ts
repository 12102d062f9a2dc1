// A state value as people read it.
// Invariant: equal state values have equal paths, and different ones have different paths.
import type { StateValue } from 'xstate';

function collect(value: StateValue, prefix: string, leaves: string[]): void {
  if (typeof value === 'string') {
    leaves.push(prefix + value);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (inner !== undefined) collect(inner, `${prefix}${key}.`, leaves);
  }
}

/** `{ establishing: 'registering' }` → `establishing.registering`; regions of a parallel state are joined by `, `. */
export function statePath(value: StateValue): string {
  if (typeof value === 'string') return value;
  const leaves: string[] = [];
  collect(value, '', leaves);
  return leaves.join(', ');
}
