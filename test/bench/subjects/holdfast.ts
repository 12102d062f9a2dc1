// Holdfast itself, through its public API with all features on.
// Invariant: defaults everywhere, except that fleets keep quiet and that one node of `payload` has its heartbeats watched.

import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { createWsDialer } from '../../../src/adapters/ws-dialer.ts';
import { createClient, createHub, createNode, noLog } from '../../../src/index.ts';
import { startNode } from '../../../src/node/node.ts';
import type { Dialer } from '../../../src/ports.ts';
import { FrameType } from '../../../src/protocol/frames.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { runBulk, runLoad, runPaced, steadyBulk } from '../load.ts';
import type { BulkRequest, LoadRequest, PacedRequest } from '../load.ts';
import { measuringCommands } from '../memory.ts';
import { serveRoles } from '../roles.ts';
import type { RoleCommands } from '../roles.ts';

interface NodeConfig {
  readonly url: string;
  /** Set: control round trips are made this often, and measured. */
  readonly heartbeatIntervalMs?: number;
  readonly inspect?: boolean;
}

interface FleetConfig {
  readonly url: string;
  readonly first: number;
  readonly count: number;
}

const functions = {
  add: (a: number, b: number) => a + b,
  length: (floats: Float32Array) => floats.length,
};

async function hub({ port = 0, inspect }: { port?: number; inspect?: boolean }): Promise<{
  info: { url: string; port: number };
  commands: RoleCommands;
}> {
  const running = await createHub({ host: '127.0.0.1', port, inspect });
  return { info: { url: running.url, port: running.port }, commands: measuringCommands() };
}

async function node({ url, heartbeatIntervalMs, inspect }: NodeConfig): Promise<{ commands: RoleCommands }> {
  if (heartbeatIntervalMs !== undefined) return watchedNode(url, heartbeatIntervalMs);
  await createNode({ hub: url, id: 'n1', functions, inspect }).ready();
  return { commands: {} };
}

/**
 * A link with traffic is not pinged: traffic proves life. What always makes its round trip is the health check, another control
 * frame on the same link, so that is what is timed, from the socket's `send` to its `message`.
 */
async function watchedNode(url: string, intervalMs: number): Promise<{ commands: RoleCommands }> {
  let latenciesUs: number[] = [];
  let sentAt = 0;
  const outgoing = {
    frame: (type: number) => {
      if (type === FrameType.CHECK) sentAt = performance.now();
    },
  };
  const incoming = {
    frame: (type: number) => {
      if (type === FrameType.CHECKED && sentAt !== 0) latenciesUs.push((performance.now() - sentAt) * 1_000);
    },
  };
  const real = createWsDialer();
  const dialer: Dialer = {
    dial(address, handlers) {
      const message = (bytes: Uint8Array): void => {
        readFrames(bytes, incoming);
        handlers.message(bytes);
      };
      const { opened, drained, closed } = handlers;
      const socket = real.dial(address, { opened, drained, closed, message });
      const send = (bytes: Uint8Array): 'taken' | 'kept' => {
        readFrames(bytes, outgoing);
        return socket.send(bytes);
      };
      return {
        send,
        get bufferedBytes() {
          return socket.bufferedBytes;
        },
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate(),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      };
    },
  };
  const ports = { clock: createNodeClock(), random: createNodeRandom(), log: noLog(), dialer };
  await startNode({ hub: url, id: 'n1', functions, healthCheckIntervalMs: intervalMs }, ports).ready();
  return {
    commands: {
      /** Round trips since the last question. */
      heartbeatsUs() {
        const result = Float64Array.from(latenciesUs);
        latenciesUs = [];
        return result;
      },
    },
  };
}

async function caller({ url, inspect }: NodeConfig): Promise<{ commands: RoleCommands }> {
  const client = createClient({ hub: url, inspect });
  await client.ready();
  const add = (): Promise<unknown> => client.call('add', [1, 2]);
  const length = (floats: Float32Array): Promise<unknown> => client.call('length', [floats]);
  return {
    commands: {
      load: (request: LoadRequest) => runLoad(add, request),
      paced: (request: PacedRequest) => runPaced(add, request),
      bulk: (request: BulkRequest) => runBulk(length, request),
      ...steadyBulk(length),
    },
  };
}

async function fleet({ url, first, count }: FleetConfig): Promise<{ commands: RoleCommands }> {
  const nodes = Array.from({ length: count }, (_, index) =>
    createNode({ hub: url, id: `n${first + index}`, functions, log: noLog() }),
  );
  await Promise.all(nodes.map((each) => each.ready()));
  return {
    commands: {
      arm() {},
      /** Resolves when every node has lost its link and registered again. */
      async allBack() {
        let linked = nodes;
        while (linked.length > 0) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          linked = linked.filter((each) => each.status().state === 'connected');
        }
        await Promise.all(nodes.map((each) => each.ready()));
      },
    },
  };
}

await serveRoles({ hub, node, caller, fleet });
