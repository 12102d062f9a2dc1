// Chooses the endpoint of the next attempt.
// Invariant: one that does not serve is chosen only when none does; one that was tried, only when the caller asks for it.
import type { Clock, Random } from '../ports.ts';
import { Turns } from './turns.ts';
import type { Member } from './member.ts';
import type { Selection } from './options.ts';

/**
 * Up to so many are compared with each other; of more, two that are drawn at random, which balances nearly as well at a cost
 * that does not grow (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001).
 */
const COMPARED = 16;

/** The average of an endpoint that was not asked for so long, in milliseconds, counts for half. */
const FADE_MS = 10_000;

export interface SelectorOptions {
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: Random;
  readonly credentialRetryMs: number;
  /** All that are not removed. */
  members(): Iterable<Member>;
}

export class Selector {
  readonly #options: SelectorOptions;
  readonly #turns: Turns | undefined;
  /** Those that serve; under `priority`, those of them that come first. */
  #serving: Member[] = [];
  #first: readonly Member[] = [];
  /** Whether any of them has a key of its own, which may have been refused. */
  #keys: 'none' | 'own' = 'none';
  #state: 'fresh' | 'stale' = 'stale';
  #next = 0;

  constructor(options: SelectorOptions) {
    this.#options = options;
    if (options.selection === 'weighted') this.#turns = new Turns();
  }

  /** Somebody came into service, left it, or has another weight or priority. */
  changed(): void {
    this.#state = 'stale';
  }

  get serving(): readonly Member[] {
    if (this.#state === 'stale') this.#refresh();
    return this.#serving;
  }

  isUsable(member: Member, now: number): boolean {
    return member.service === 'in' && !this.#isRefused(member, now);
  }

  /** One that serves and is not among `tried`. */
  pick(now: number, tried: readonly Member[]): Member | undefined {
    if (this.#state === 'stale') this.#refresh();
    if (tried.length === 0 && this.#keys === 'none') return this.#choose(this.#first, now, 'all');
    const left = this.#serving.filter((member) => !tried.includes(member));
    const accepted = left.filter((member) => !this.#isRefused(member, now));
    return this.#choose(this.#foremost(accepted.length > 0 ? accepted : left), now, 'some');
  }

  /** None serves: the one that is likeliest to answer all the same. */
  pickOutOfService(tried: readonly Member[]): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#options.members()) {
      if (tried.includes(member)) continue;
      if (best === undefined || isLikelier(member, best)) best = member;
    }
    return best;
  }

  #refresh(): void {
    this.#serving = [...this.#options.members()].filter(({ service }) => service === 'in');
    this.#first = this.#foremost(this.#serving);
    this.#keys = this.#serving.some(({ endpoint }) => endpoint.credentials === 'own') ? 'own' : 'none';
    this.#turns?.refresh(this.#serving);
    this.#state = 'fresh';
  }

  #foremost(members: readonly Member[]): readonly Member[] {
    if (this.#options.selection !== 'priority') return members;
    let lowest = Infinity;
    for (const { endpoint } of members) lowest = Math.min(lowest, endpoint.priority ?? 0);
    return members.filter(({ endpoint }) => (endpoint.priority ?? 0) === lowest);
  }

  #isRefused({ endpoint, context: { ledger } }: Member, now: number): boolean {
    if (endpoint.credentials !== 'own' || ledger.denials === 0) return false;
    return now - ledger.deniedAt < this.#options.credentialRetryMs;
  }

  #choose(members: readonly Member[], now: number, which: 'all' | 'some'): Member | undefined {
    if (members.length <= 1) return members[0];
    switch (this.#options.selection) {
      case 'weighted':
        return which === 'all' ? this.#turns?.next() : this.#turns?.nextAmong(members);
      case 'random':
        return this.#anyOf(members);
      case 'leastInFlight':
        return this.#least(members, (member) => member.inFlight);
      case 'latency':
        return this.#least(members, (member) => expectedMs(member, now));
      default:
        this.#next = (this.#next + 1) % 0x4000_0000;
        return members[this.#next % members.length];
    }
  }

  #anyOf(members: readonly Member[]): Member | undefined {
    return members[Math.floor((this.#options.random.uint32() / 0x1_0000_0000) * members.length)];
  }

  #least(members: readonly Member[], costOf: (member: Member) => number): Member | undefined {
    if (members.length > COMPARED) {
      const one = this.#anyOf(members);
      const other = this.#anyOf(members);
      return one !== undefined && other !== undefined && costOf(other) < costOf(one) ? other : one;
    }
    let best: Member | undefined;
    let least = Infinity;
    // Whoever is equal goes in turn.
    this.#next = (this.#next + 1) % 0x4000_0000;
    for (let i = 0; i < members.length; i++) {
      const member = members[(this.#next + i) % members.length];
      const cost = member === undefined ? Infinity : costOf(member);
      if (cost >= least) continue;
      best = member;
      least = cost;
    }
    return best;
  }
}

/** One that never answered costs nothing yet, so it is asked. */
function expectedMs({ context: { ledger }, inFlight }: Member, now: number): number {
  const faded = 1 + Math.max(0, now - ledger.answeredAt) / FADE_MS;
  return (Math.max(0, ledger.latencyEwmaMs) * (inFlight + 1)) / faded + inFlight * 1e-6;
}

function isLikelier(one: Member, other: Member): boolean {
  const failures = one.context.ledger.consecutiveFailures - other.context.ledger.consecutiveFailures;
  return failures === 0 ? one.inFlight < other.inFlight : failures < 0;
}
