// The nodes that a client has heard of: those of its hub, and those of the hubs before that may have its calls.
// Invariant: an attempt whose node is not known is with a node on the rosters, or with none.
import type { RegisteredMessage, ResumeMessage, RosterMessage } from '../protocol/messages.ts';
import { Ordinals } from '../protocol/ordinals.ts';

export class KnownNodes {
  #hub = '';
  /** Of the hub of the present link; undefined when that hub tells of none. */
  #present: Ordinals | undefined;
  #upTo = 0;
  /** Of earlier links, by the hub. */
  readonly #former = new Map<string, Ordinals | undefined>();

  /** What to tell other hubs; undefined when it is not the whole truth. */
  get rosters(): ResumeMessage['rosters'] {
    const rosters = [];
    for (const [hub, nodes] of this.#former) {
      if (nodes === undefined) return undefined;
      rosters.push({ hub, nodes: nodes.runs });
    }
    return rosters;
  }

  /** How many hubs may have handed out attempts whose node is not known. */
  get formerHubs(): number {
    return this.#former.size;
  }

  attached({ hub, roster }: RegisteredMessage): void {
    this.#hub = hub;
    this.#present = roster === undefined ? undefined : Ordinals.of(roster.nodes);
    this.#upTo = roster?.upTo ?? 0;
  }

  /** The hub has more nodes, up to this ordinal, or fewer. */
  changed(upTo: number, { gone, nodes }: RosterMessage): void {
    if (nodes !== undefined) this.#present = Ordinals.of(nodes);
    else this.#present?.add(this.#upTo + 1, upTo);
    for (const ordinal of gone ?? []) this.#present?.delete(ordinal);
    this.#upTo = Math.max(this.#upTo, upTo);
  }

  /**
   * The link is lost. What is kept of it, and of those before, depends on the `oldest` attempt whose node is not known: none,
   * one of this link, or one of an earlier link.
   */
  detached(oldest: 'none' | 'present' | 'earlier'): void {
    if (oldest !== 'earlier') this.#former.clear();
    if (oldest === 'none') return;
    const before = this.#former.get(this.#hub);
    if (this.#present === undefined || (this.#former.has(this.#hub) && before === undefined))
      this.#former.set(this.#hub, undefined);
    else if (before === undefined) this.#former.set(this.#hub, this.#present);
    else before.addAll(this.#present);
  }

  /** No attempt is looked for any more. */
  forget(): void {
    this.#former.clear();
  }
}
