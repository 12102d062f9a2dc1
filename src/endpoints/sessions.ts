// Which endpoint a session is with: clients that come back find their caches warm.
// Invariant: a session is forgotten when its time is over, or when more than `maxSessions` were seen since.
import type { Member } from './member.ts';

interface Bond {
  member: Member;
  until: number;
}

export class Sessions {
  readonly #ttlMs: number;
  readonly #most: number;
  /** The one that was longest without a request comes first. */
  readonly #bonds = new Map<string, Bond>();

  constructor(ttlMs: number, maxSessions: number) {
    this.#ttlMs = ttlMs;
    this.#most = maxSessions;
  }

  get size(): number {
    return this.#bonds.size;
  }

  get(session: string, now: number): Member | undefined {
    const bond = this.#bonds.get(session);
    if (bond === undefined) return undefined;
    if (now < bond.until && bond.member.service !== 'removed') return bond.member;
    this.#bonds.delete(session);
    return undefined;
  }

  /** Its time starts over. */
  bind(session: string, member: Member, now: number): void {
    this.#bonds.delete(session);
    this.#bonds.set(session, { member, until: now + this.#ttlMs });
    for (const [oldest, { until }] of this.#bonds) {
      if (this.#bonds.size <= this.#most && now < until) return;
      this.#bonds.delete(oldest);
    }
  }
}
