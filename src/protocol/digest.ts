// A short digest by which two sides notice that their function registries differ.
// Invariant: depends on the set of names only, not on their order. No protection against forgery is meant.

/** 32-bit FNV-1a (Fowler, Noll, Vo, 1991) over the sorted names, as 8 hexadecimal digits. */
export function digestOf(names: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const name of [...names].sort()) {
    for (let i = 0; i <= name.length; i++) {
      hash ^= i < name.length ? name.charCodeAt(i) : 0;
      hash = Math.imul(hash, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
