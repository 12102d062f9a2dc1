// What clients are told of the hub's nodes, how often, and what one is told that missed much.
// Invariant: driven by hand on a simulated clock; the outboxes lead to lists.
import { expect, it } from 'vitest';
import { Announcements } from '../../../src/calls/announcements.ts';
import { createAsking, type Asking, type Routed } from '../../../src/calls/roster.ts';
import { FrameType } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { readRoster, type RosterMessage } from '../../../src/protocol/messages.ts';
import { Outbox } from '../../../src/protocol/outbox.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { createSimulation } from '../../../src/testing/index.ts';

/** Longer than the time between two ROSTERs that no call waits for. */
const LATER_MS = 1_000;

function make() {
  const simulation = createSimulation({ seed: 1 });
  const clients = new Map<number, Asking>();
  const announcements = new Announcements(simulation.clock, clients);
  const join = (number: number, calls: 'none' | 'one') => {
    const told: [upTo: number, message: RosterMessage][] = [];
    const send = (bytes: Uint8Array): 'taken' => {
      readFrames(bytes, {
        frame: (type, _flags, _peer, id, all, start, end) => {
          if (type === FrameType.ROSTER) told.push([id, readRoster(all, start, end)]);
        },
      });
      return 'taken';
    };
    const port = { send, bufferedBytes: 0, endOfTurn: (fn: () => void) => simulation.clock.endOfTurn(fn) };
    const facts = { number, id: `c${number}`, instance: `ci${number}`, past: 'here' } as const;
    const client = createAsking({ ...facts, bufferedBytes: () => 0 });
    client.outbox = new Outbox(port, { onOverflow: () => undefined });
    if (calls === 'one') client.calls.set({ attempt: 1 } as Routed);
    clients.set(number, client);
    return { client, told };
  };
  return { simulation, announcements, join };
}

it('Clients whose calls are out hear of changes together, the others when they call', async () => {
  const { simulation, announcements, join } = make();
  const busy = join(1, 'one');
  const idle = join(2, 'none');
  for (const { client } of [busy, idle]) expect(announcements.greet(client)).toEqual({ upTo: 0, nodes: [] });
  for (let at = 0; at < 100; at += 1) announcements.join();
  announcements.leave(7);
  announcements.leave(0);
  await simulation.run(LATER_MS);
  expect(busy.told).toEqual([[100, { gone: [7] }]]);
  expect(idle.told).toEqual([]);
  announcements.tellSoon(idle.client, simulation.now);
  await simulation.run(1);
  expect(idle.told).toEqual([[100, { gone: [7] }]]);
});

it('A client that calls often is told of changes now and then, and at once what its call waits for', async () => {
  const { simulation, announcements, join } = make();
  const { client, told } = join(1, 'one');
  announcements.greet(client);
  for (let at = 0; at < 50; at += 1) {
    announcements.join();
    announcements.tellSoon(client, simulation.now);
    await simulation.run(20);
  }
  expect(told.length).toBeLessThan(6);
  announcements.join();
  announcements.tell(client);
  announcements.tell(client);
  await simulation.run(1);
  expect(told.filter(([upTo]) => upTo === 51)).toEqual([[51, { gone: [] }]]);
});

it('A client that missed more than maxRosterGone that left is told of all that are there', async () => {
  const { simulation, announcements, join } = make();
  const most = limits.maxRosterGone;
  const [quick, slow] = [join(1, 'none'), join(2, 'none')];
  for (let at = 0; at < 4 * most; at += 1) announcements.join();
  announcements.greet(slow.client);
  announcements.leave(1);
  announcements.greet(quick.client);
  for (let ordinal = 2; ordinal <= most + 1; ordinal += 1) announcements.leave(ordinal);
  for (const { client } of [quick, slow]) announcements.tell(client);
  await simulation.run(1);
  expect(quick.told.map(([, { gone, nodes }]) => [gone?.length, nodes])).toEqual([[most, undefined]]);
  expect(slow.told).toEqual([[4 * most, { nodes: [most + 1, 3 * most - 1] }]]);
  // Those that left first are remembered no more.
  for (let ordinal = most + 2; ordinal <= 3 * most + 2; ordinal += 1) announcements.leave(ordinal);
  announcements.tell(quick.client);
  await simulation.run(1);
  expect(quick.told.at(-1)).toEqual([4 * most, { nodes: [3 * most + 2, most - 2] }]);
});

it('A client that knows of no rosters is told nothing, and may be given calls of any node', () => {
  const { announcements, join } = make();
  const { client, told } = join(1, 'one');
  announcements.join();
  announcements.tell(client);
  expect([client.heardUpTo, told]).toEqual([Infinity, []]);
});
