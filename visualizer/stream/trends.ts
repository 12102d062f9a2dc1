// How numbers went: of each node its calls a second, of the fleet its calls and its nodes that are online.
// Invariant: at most `maxPoints` points of a series are kept, the latest.
import type { FleetSaid } from '../../src/protocol/inspection.ts';

const maxPoints = 60;
const maxFleetPoints = 1_200;

/** Points in the order of time, as two rows of numbers of one length. */
export interface Series {
  readonly at: readonly number[];
  readonly value: readonly number[];
}

class Ring {
  readonly at: number[] = [];
  readonly value: number[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  push(at: number, value: number): void {
    this.at.push(at);
    this.value.push(value);
    if (this.at.length <= this.#max * 1.25) return;
    this.at.splice(0, this.at.length - this.#max);
    this.value.splice(0, this.value.length - this.#max);
  }

  until(at: number): Series {
    const end = this.at.findLastIndex((it) => it <= at) + 1;
    return { at: this.at.slice(0, end), value: this.value.slice(0, end) };
  }
}

const none: Series = { at: [], value: [] };

export class Trends {
  readonly #nodes = new Map<string, Ring>();
  readonly #calls = new Ring(maxFleetPoints);
  readonly #online = new Ring(maxFleetPoints);
  #whole = new Map<string, { readonly rate: number; readonly online: boolean }>();

  note({ at, whole, nodes, gone }: FleetSaid): void {
    if (whole) this.#whole = new Map();
    for (const { id, callsPerSecond, state } of nodes) {
      this.#whole.set(id, { rate: callsPerSecond, online: state === 'online' });
      let ring = this.#nodes.get(id);
      if (ring === undefined) this.#nodes.set(id, (ring = new Ring(maxPoints)));
      ring.push(at, callsPerSecond);
    }
    for (const id of gone) this.#whole.delete(id);
    if (whole || gone.length > 0)
      for (const id of this.#nodes.keys()) if (!this.#whole.has(id)) this.#nodes.delete(id);
    let calls = 0;
    let online = 0;
    for (const it of this.#whole.values()) {
      calls += it.rate;
      if (it.online) online += 1;
    }
    this.#calls.push(at, calls);
    this.#online.push(at, online);
  }

  node(id: string, until: number): Series {
    return this.#nodes.get(id)?.until(until) ?? none;
  }

  calls(until: number): Series {
    return this.#calls.until(until);
  }

  online(until: number): Series {
    return this.#online.until(until);
  }
}
