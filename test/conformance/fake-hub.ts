// A hub that says what a test tells it to, byte by byte, to a real node or client.
// Invariant: it answers nothing by itself.
import type { AddressInfo } from 'node:net';

import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';

import { createClient, createNode, withCall } from '../../src/index.ts';
import type { Client, FleetNode, HoldfastError } from '../../src/index.ts';
import type { ClientOptions } from '../../src/client/client.ts';
import type { NodeOptions } from '../../src/node/node.ts';
import { FrameType } from '../../src/protocol/frames.ts';
import { SUBPROTOCOL } from '../../src/protocol/limits.ts';
import { listeningLog } from './fleet.ts';
import { frame, jsonOf, RawPeer } from './raw.ts';

export class FakeHub {
  readonly url: string;
  readonly peers: RawPeer[] = [];
  readonly #server: WebSocketServer;
  #taken = 0;
  #waiting: (() => void)[] = [];

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (ws) => {
      this.peers.push(new RawPeer(ws));
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  static async start(subprotocol: string | false = SUBPROTOCOL): Promise<FakeHub> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => subprotocol });
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(async () => {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    });
    return new FakeHub(server);
  }

  /** The next connection, in the order in which they came. */
  async accept(): Promise<RawPeer> {
    while (this.peers.length <= this.#taken) await new Promise<void>((wake) => this.#waiting.push(wake));
    this.#taken += 1;
    return this.peers[this.#taken - 1]!;
  }

  /** The next connection, registered and synced. */
  async welcome(): Promise<RawPeer> {
    const peer = await this.accept();
    await welcome(peer);
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
}

/** Answers REGISTER, and waits for SYNCED. */
export async function welcome(
  peer: RawPeer,
  more: object = {},
): Promise<{ epoch: number; registrationEpoch: number }> {
  const { epoch, registrationEpoch } = jsonOf<{ epoch: number; registrationEpoch: number }>(
    await peer.take(FrameType.REGISTER),
  );
  peer.send(
    registered({ epoch, registrationEpoch, ...more }),
    frame(FrameType.SYNC, '', { id: registrationEpoch }),
  );
  await peer.take(FrameType.SYNCED);
  return { epoch, registrationEpoch };
}

export function registered(more: object): Uint8Array {
  return frame(FrameType.REGISTERED, {
    hub: 'fake',
    session: 1,
    resumed: false,
    encoding: 'json',
    heartbeatTimeoutMs: 15_000,
    sessionGraceMs: 60_000,
    ...more,
  });
}

/** Comes back quickly, and for as long as the test runs. */
const quick = { reconnectIntervalMs: 20, reconnectMaxMs: 60, maxRetryAttempts: 0 };

export interface Watched<T> {
  readonly it: T;
  readonly log: ReturnType<typeof listeningLog>;
  readonly ended: HoldfastError[];
}

export function startNode(hub: { url: string }, options: Partial<NodeOptions> = {}): Watched<FleetNode> {
  const log = listeningLog();
  const ended: HoldfastError[] = [];
  const it = createNode({
    hub: hub.url,
    id: 'n1',
    log: log.log,
    onEnded: (error) => ended.push(error),
    drainTimeoutMs: 50,
    ...quick,
    functions: {
      echo: (...args: unknown[]) => args,
      size: (bytes: Uint8Array) => bytes.length,
      count: async function* (to: number) {
        for (let at = 0; at < to; at += 1) yield at;
        return 'end';
      },
      never: withCall(
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      ),
      fail: () => {
        throw new RangeError('no such row');
      },
    },
    ...options,
  });
  onTestFinished(() => it.stop());
  return { it, log, ended };
}

/** Numbers of the functions above. */
export const fn = { echo: 0, size: 1, count: 2, never: 3, fail: 4 } as const;

export function startClient(hub: { url: string }, options: Partial<ClientOptions> = {}): Watched<Client> {
  const log = listeningLog();
  const ended: HoldfastError[] = [];
  const it = createClient({
    hub: hub.url,
    id: 'c1',
    log: log.log,
    onEnded: (error) => ended.push(error),
    drainTimeoutMs: 50,
    ...quick,
    ...options,
  });
  onTestFinished(() => it.stop());
  return { it, log, ended };
}
