// A hub, nodes and clients in one process whose timers are measured while its wall clock is set.
// Invariant: everything is measured by CLOCK_MONOTONIC.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { assign, setup } from 'xstate';
import {
  createClient,
  createHub,
  createNode,
  createNodeClock,
  createSystem,
  noLog,
  withCall,
} from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { eventually, monotonicMs } from '../eventually.ts';
import { leave, serve, tell } from './role.ts';

export interface Measured {
  readonly what: string;
  readonly plannedMs: number;
  readonly tookMs: number;
}

const times = {
  heartbeatIntervalMs: 200,
  heartbeatTimeoutMs: 1_500,
  healthCheckIntervalMs: 500,
  drainTimeoutMs: 200,
};
const hub = await createHub({ ...times, port: 0, log: noLog(), noNodeAfterMs: 1_300, sessionGraceMs: 1_400 });
const forever = withCall(
  (call) =>
    new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason))),
);
const node = createNode({ ...times, hub: hub.url, id: 'n1', functions: { forever }, log: noLog() });
const strict = createNode({
  ...times,
  hub: hub.url,
  id: 'n2',
  functions: { forever },
  log: noLog(),
  executionTimeoutMs: 1_200,
});
const client = createClient({ ...times, hub: hub.url, log: noLog() });
const mute = createServer((socket) => void socket.on('error', () => undefined));
mute.listen(0, '127.0.0.1');
await Promise.all([node.ready(), strict.ready(), client.ready(), once(mute, 'listening')]);

async function measure(
  what: string,
  plannedMs: number,
  wait: (from: number) => Promise<unknown>,
): Promise<Measured> {
  const from = monotonicMs();
  await wait(from);
  return { what, plannedMs, tookMs: monotonicMs() - from };
}

const ends = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined);

function connectionTimeout(): Promise<unknown> {
  return new Promise((resolve) => {
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      error: () => undefined,
      warn: (fields) => {
        if ((fields as { to?: string }).to === 'transient_failure') resolve(dialler.stop());
      },
    };
    const url = `ws://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const dialler = createClient({ ...times, hub: url, log, connectionTimeoutMs: 1_600 });
  });
}

function ownMachine(): Promise<unknown> {
  const machine = setup({
    types: {} as { context: { rang: number } },
    actions: { ring: assign({ rang: ({ context }) => context.rang + 1 }) },
  }).createMachine({
    id: 'alarm',
    context: { rang: 0 },
    initial: 'waiting',
    states: { waiting: { after: { 1100: { target: 'rung', actions: 'ring' } } }, rung: { type: 'final' } },
  });
  const system = createSystem({ clock: createNodeClock() });
  return new Promise((resolve) => system.spawn(machine, { id: 'alarm' }).onDone(resolve));
}

/** A node whose only way to the hub is taken away: a clock that leaps ahead makes it dial early, and in vain. */
async function sessionGrace(): Promise<number> {
  const sockets = new Set<Socket>();
  const way = createServer((down) => {
    const up = connect(hub.port, '127.0.0.1');
    for (const socket of [down, up]) sockets.add(socket.on('error', () => undefined));
    down.pipe(up).pipe(down);
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  const url = `ws://127.0.0.1:${(way.address() as AddressInfo).port}`;
  const leaver = createNode({
    ...times,
    hub: url,
    id: 'leaver',
    functions: {},
    log: noLog(),
    maxRetryAttempts: 1,
  });
  await leaver.ready();
  await eventually('online', () =>
    hub.nodes().some(({ id, state }) => id === 'leaver' && state === 'online'),
  );
  way.close();
  for (const socket of sockets) socket.destroy();
  await eventually('absent', () =>
    hub.nodes().some(({ id, state }) => id === 'leaver' && state === 'absent'),
  );
  const from = monotonicMs();
  await eventually('expired', () => hub.nodes().every(({ id }) => id !== 'leaver'));
  const tookMs = monotonicMs() - from;
  await leaver.stop();
  return tookMs;
}

serve({
  run: (): Promise<Measured[]> =>
    Promise.all([
      measure('deadline of a call', 1_500, () =>
        ends(client.call('forever', [], { node: 'n1', deadlineMs: 1_500 })),
      ),
      measure('execution time-out', 1_200, () => ends(client.call('forever', [], { node: 'n2' }))),
      measure('wait for a node', 1_300, () => ends(client.call('nothing'))),
      measure('dial and registration', 1_600, connectionTimeout),
      measure('`after` of a user’s machine', 1_100, ownMachine),
    ]),
  sessionGrace,
  wallMinusMonotonic: () => Date.now() - monotonicMs(),
  setWallClockBy: (ms: number) =>
    (globalThis as unknown as { setWallClockBy(ms: number): void }).setWallClockBy(ms),
  links: () => ({
    states: [node.status().state, strict.status().state, client.status().state],
    reconnects: node.status().reconnects + strict.status().reconnects + client.status().reconnects,
    registrations: hub
      .nodes()
      .filter(({ id }) => id !== 'leaver')
      .map(({ state, registrations }) => `${state} ${registrations}`),
  }),
  stop: async () => {
    await client.stop();
    await Promise.all([node.stop(), strict.stop()]);
    await hub.stop();
    mute.close();
  },
  leave: () => void setImmediate(leave),
});
tell({ event: 'ready' });
