// The fleet of a hub in the same process, as training sees it: who is there, and calls to each.
// Invariant: no link carries more bytes of large calls at once than it may hold.
import type { Clock, Dialer, Log, Random } from '../ports.ts';
import { limits } from '../protocol/limits.ts';
import type { Fleet, FleetCallOptions, NodeChange } from '../training/contract.ts';
import { startClient, type Client } from './client.ts';

/** What is needed of a hub. */
export interface HubWithin {
  readonly url: string;
  readonly dialer: Dialer;
  watchNodes(listener: (change: NodeChange) => void): () => void;
}

export interface HubFleetPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Half of what may arrive in parts on one link: what comes besides is not known beforehand. */
const LINK_BYTES = limits.maxAssemblyBytes / 2;

interface Line {
  readonly client: Client;
  bytes: number;
}

export class HubFleet implements Fleet {
  readonly #hub: HubWithin;
  readonly #name: string;
  readonly #ports: HubFleetPorts;
  readonly #lines: Line[] = [];

  /** @param name of its clients, as the hub shows them, with an end of their own: two fleets of one name do not replace each other */
  constructor(hub: HubWithin, name: string, ports: HubFleetPorts) {
    this.#hub = hub;
    this.#name = `${name} ${ports.random.id().slice(0, 8)}`;
    this.#ports = ports;
  }

  watch(listener: (change: NodeChange) => void): () => void {
    return this.#hub.watchNodes(listener);
  }

  async call(
    node: string,
    name: string,
    args: readonly unknown[],
    { deadlineMs, signal, bytes = 0 }: FleetCallOptions,
  ): Promise<unknown> {
    const line = this.#lineFor(bytes);
    line.bytes += bytes;
    try {
      return await line.client.call(name, args, { node, deadlineMs, signal });
    } finally {
      line.bytes -= bytes;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lines.map(({ client }) => client.stop()));
  }

  #lineFor(bytes: number): Line {
    const free = this.#lines.find((line) => line.bytes === 0 || line.bytes + bytes <= LINK_BYTES);
    if (free !== undefined) return free;
    const id = this.#lines.length === 0 ? this.#name : `${this.#name}-${this.#lines.length + 1}`;
    const options = { hub: this.#hub.url, id, maxRetryAttempts: 0, drainTimeoutMs: 1_000 };
    const line = { client: startClient(options, { ...this.#ports, dialer: this.#hub.dialer }), bytes: 0 };
    this.#lines.push(line);
    return line;
  }
}
