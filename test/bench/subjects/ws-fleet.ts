// The baseline for fleets: a bare `ws` server with idle connections, and clients that dial again with the same backoff as our
// nodes.
// Invariant: a connection counts from its `open` on; there is nothing to register.

import { WebSocket, WebSocketServer } from 'ws';

import { backoffDelayMs } from '../../../machines/types.ts';
import { defaults } from '../../../src/protocol/limits.ts';
import { measuringCommands } from '../memory.ts';
import { serveRoles } from '../roles.ts';
import type { RoleCommands } from '../roles.ts';

async function hub({
  port = 0,
}: {
  port?: number;
}): Promise<{ info: { port: number }; commands: RoleCommands }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port, backlog: 4_096, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', () => {});
  });
  return { info: { port: (server.address() as { port: number }).port }, commands: measuringCommands() };
}

interface FleetConfig {
  readonly port: number;
  readonly first: number;
  readonly count: number;
}

async function fleet({ port, first, count }: FleetConfig): Promise<{ commands: RoleCommands }> {
  let opened = 0;
  let all = Promise.withResolvers<void>();
  const dial = (seed: number, epoch: number, failures: number): void => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    let tried = failures;
    socket.on('error', () => {});
    socket.on('open', () => {
      tried = 0;
      opened += 1;
      if (opened === count) all.resolve();
    });
    socket.on('close', () => {
      const { reconnectIntervalMs: baseMs, reconnectMaxMs: maxMs } = defaults;
      const delayMs = backoffDelayMs({ baseMs, maxMs, failures: tried, retryAfterMs: 0, seed, epoch });
      setTimeout(dial, delayMs, seed, epoch + 1, tried + 1);
    });
  };
  for (let i = 0; i < count; i += 1) dial(first + i, 0, 0);
  await all.promise;
  return {
    commands: {
      /** From now on connections are counted anew. */
      arm() {
        opened = 0;
        all = Promise.withResolvers();
      },
      allBack: () => all.promise,
    },
  };
}

await serveRoles({ hub, fleet });
