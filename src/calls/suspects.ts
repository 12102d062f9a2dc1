// The nodes that hubs before this one may have handed a client's calls to, by the rosters that the client brings along.
// Invariant: a suspect is missing until it comes to this hub; one that came and is gone again leaves a doubt.
import { Ordinals } from '../protocol/ordinals.ts';
import { owesAnswer, type Rosters, type Running } from './roster.ts';

/** Nodes that came and are gone, whose ordinals are remembered. */
const MAX_GONE = 10_000;

/** Those of one client; clients that bring the same rosters share them. */
export class Suspects {
  readonly byHub = new Map<string, Ordinals>();
  readonly came = new Set<Running>();
  /** How many have not come yet. */
  missing = 0;
  /** Whether one of them can be asked no more. */
  doubt: 'none' | 'some' = 'none';
  /** `closed`: a call that is sought from now on has other ones. */
  state: 'open' | 'closed' = 'open';
  /** Calls that are sought among them. */
  calls = 0;

  constructor(rosters: Rosters) {
    for (const { hub, nodes } of rosters) {
      const ordinals = Ordinals.of(nodes);
      const known = this.byHub.get(hub);
      if (known === undefined) this.byHub.set(hub, ordinals);
      else known.addAll(ordinals);
    }
    for (const { size } of this.byHub.values()) this.missing += size;
  }

  has({ hub, ordinal }: { hub: string; ordinal: number }): boolean {
    return this.byHub.get(hub)?.has(ordinal) === true;
  }

  /** Whether one of them may still say something. */
  get owed(): boolean {
    if (this.missing > 0) return true;
    for (const node of this.came) if (owesAnswer(node)) return true;
    return false;
  }
}

/** Who came to this hub, by the ordinals that it has here and had at other hubs. */
export class Returned {
  readonly #hub: string;
  readonly #byHub = new Map<string, Map<number, Running | 'gone'>>();
  /** Of those that are gone, the oldest first. */
  readonly #gone: { hub: string; ordinal: number }[] = [];
  /** By the rosters, written out. */
  readonly #shared = new Map<string, Suspects>();
  /** The same for those that were looked up: writing them out takes long. */
  readonly #last = new WeakMap<Rosters, Suspects>();
  readonly #living = new Set<Suspects>();

  constructor(hub: string) {
    this.#hub = hub;
  }

  /** It registered, perhaps after it was with another hub. */
  came(node: Running): void {
    for (const place of node.ordinals) {
      let nodes = this.#byHub.get(place.hub);
      if (nodes === undefined) this.#byHub.set(place.hub, (nodes = new Map()));
      const before = nodes.get(place.ordinal);
      if (before === node) continue;
      nodes.set(place.ordinal, node);
      for (const suspects of this.#living) {
        if (!suspects.has(place)) continue;
        if (before === undefined) suspects.missing -= 1;
        suspects.came.add(node);
      }
    }
  }

  /** It is gone, and may have `owed` answers. Of what is sought later, it cannot be asked. */
  left(node: Running, owed: boolean): void {
    for (const suspects of this.#living) {
      if (!suspects.came.delete(node)) continue;
      if (owed) suspects.doubt = 'some';
      suspects.state = 'closed';
    }
    // Of one that is gone only its places are kept: it may have held much.
    for (const { hub, ordinal } of node.ordinals) {
      const nodes = this.#byHub.get(hub);
      if (nodes?.get(ordinal) === node) nodes.set(ordinal, 'gone');
    }
    this.#gone.push(...node.ordinals);
    if (this.#gone.length > 2 * MAX_GONE) this.#forget(this.#gone.splice(0, MAX_GONE));
  }

  /** They are told by the rosters alone: missing, as if they had not come. */
  #forget(gone: readonly { hub: string; ordinal: number }[]): void {
    for (const place of gone) {
      const nodes = this.#byHub.get(place.hub);
      if (nodes?.get(place.ordinal) !== 'gone') continue;
      nodes.delete(place.ordinal);
      if (nodes.size === 0) this.#byHub.delete(place.hub);
      for (const suspects of this.#living) if (suspects.has(place)) suspects.missing += 1;
    }
  }

  /** A call is sought among the nodes of these rosters. */
  seek(rosters: Rosters): Suspects {
    let suspects = this.#last.get(rosters);
    if (suspects?.state !== 'open') {
      const key = rosters.map(({ hub, nodes }) => `${hub} ${nodes.join()}`).join('\n');
      suspects = this.#shared.get(key);
      if (suspects?.state !== 'open') {
        suspects = this.#find(rosters);
        this.#shared.set(key, suspects);
        this.#living.add(suspects);
      }
      this.#last.set(rosters, suspects);
    }
    suspects.calls += 1;
    return suspects;
  }

  /** A call is sought no more. */
  release(suspects: Suspects): void {
    suspects.calls -= 1;
    if (suspects.calls > 0) return;
    suspects.state = 'closed';
    this.#living.delete(suspects);
    if (this.#living.size === 0) this.#shared.clear();
  }

  #find(rosters: Rosters): Suspects {
    const suspects = new Suspects(rosters);
    for (const [hub, ordinals] of suspects.byHub) {
      let { size } = ordinals;
      for (const [ordinal, node] of this.#byHub.get(hub) ?? []) {
        if (!ordinals.has(ordinal)) continue;
        size -= 1;
        suspects.missing -= 1;
        if (node === 'gone') suspects.doubt = 'some';
        else suspects.came.add(node);
      }
      if (hub !== this.#hub || size === 0) continue;
      // This hub's own nodes do not come later: they were here.
      suspects.missing -= size;
      suspects.doubt = 'some';
    }
    return suspects;
  }
}
