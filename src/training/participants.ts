// Which nodes take part in an attempt of a round.
// Invariant: depends on seed, round, epoch and the set of candidates alone, so that a replay asks the same nodes.

export interface Choice {
  /** Of the run: a safe integer. */
  readonly seed: number;
  readonly round: number;
  /** Of the attempt: each chooses anew. */
  readonly epoch: number;
  /** Node ids, in any order. */
  readonly candidates: readonly string[];
  /** Share of the candidates that are asked, above 0 to 1 (C of McMahan et al. 2017). @default 1 */
  readonly fraction?: number | undefined;
  /** At least so many are asked, where there are so many. @default 1 */
  readonly minNodes?: number | undefined;
  /** At most so many are asked. @default all */
  readonly maxNodes?: number | undefined;
}

/**
 * Every set of the size that `fraction`, `minNodes` and `maxNodes` make is equally likely. The nodes with the smallest hashes are chosen
 * (as in rendezvous hashing; Thaler and Ravishankar, 1998), so a candidate more or less changes one place at most.
 * @returns node ids in their order by code units
 */
export function chooseParticipants(choice: Choice): string[] {
  const { seed, round, epoch, candidates, fraction = 1, minNodes = 1, maxNodes = Infinity } = choice;
  const wanted = Math.min(maxNodes, Math.max(minNodes, Math.round(fraction * candidates.length)));
  const start = [seed % 0x1_0000_0000, Math.floor(seed / 0x1_0000_0000), round, epoch].reduce(
    (hash, part) => mix(hash ^ part),
    0x811c9dc5,
  );
  return candidates
    .map((node) => ({ node, hash: hashOf(start, node) }))
    .sort((one, other) => one.hash - other.hash || compareIds(one.node, other.node))
    .slice(0, wanted)
    .map(({ node }) => node)
    .sort(compareIds);
}

/** By code units: what a comparison of texts does everywhere, whatever the language of the machine. */
export function compareIds(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** FNV-1a (Fowler, Noll, Vo) over the code units, then mixed so that similar ids lie far apart. */
function hashOf(start: number, text: string): number {
  let hash = start;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** MurmurHash3's 32-bit finalizer (Appleby, 2011), begun a step off 0. */
function mix(value: number): number {
  let hash = (value + 0x9e3779b9) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
