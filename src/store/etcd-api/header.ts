// The header of every answer: who says it, and as of which revision.
// Invariant: the ids of one store's server are the same after a restart.
import type { Revision } from '../contract.ts';

/** There is one member and no election; a fresh etcd of one member is at this term too. */
export const TERM = 2;

interface Id {
  readonly low: number;
  readonly high: number;
  readonly unsigned: true;
}

/** Makes headers. */
export class Headers {
  readonly clusterId: Id;
  readonly memberId: Id;

  /** `name`: whatever stays the same for one store. */
  constructor(name: string) {
    this.clusterId = idOf(`cluster ${name}`);
    this.memberId = idOf(`member ${name}`);
  }

  /** 0: without one. */
  at(revision: Revision): object {
    if (revision === 0) return { cluster_id: this.clusterId, member_id: this.memberId, raft_term: TERM };
    return { cluster_id: this.clusterId, member_id: this.memberId, revision, raft_term: TERM };
  }
}

/** FNV-1a over 64 bits, in two halves of 32. */
function idOf(text: string): Id {
  let low = 0x84222325;
  let high = 0xcbf29ce4;
  for (let i = 0; i < text.length; i++) {
    low ^= text.charCodeAt(i) & 0xff;
    // Times 2^40 + 2^8 + 0xb3.
    const product = (low >>> 0) * 0x1b3;
    const nextHigh = Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0);
    low = product >>> 0;
    high = nextHigh >>> 0;
  }
  // No id is 0: etcd means nobody by that.
  return { low: (low | 1) >>> 0, high: high >>> 0, unsigned: true };
}
