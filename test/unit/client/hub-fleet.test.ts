// The fleet of a hub as training sees it, on simulated sockets.
// Invariant of all: what one link may hold is never asked of it at once.
import { expect, test } from 'vitest';
import { HubFleet } from '../../../src/client/hub-fleet.ts';
import { startHub } from '../../../src/hub/hub.ts';
import { noLog, type Metrics } from '../../../src/index.ts';
import { startNode } from '../../../src/node/node.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const metrics: Metrics = {
  count() {},
  gauge() {},
  render: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: '' }),
};

test('large calls are spread over links, and small ones share the first', async () => {
  const sim = createSimulation({ seed: 1, latencyMs: 1 });
  const { clock, random, listener } = sim.host('hub');
  const log = noLog();
  const hub = await sim.settle(
    startHub({ port: 7_070, token: 'secret' }, { clock, random, listener, log, metrics }),
    1_000,
  );
  const host = sim.host('n1');
  const functions = {
    wait: (ms: number) => new Promise((resolve) => void host.clock.setTimer(() => resolve(ms), ms)),
  };
  startNode(
    { hub: hub.url, id: 'n1', token: 'secret', functions },
    { clock: host.clock, random: host.random, dialer: host.dialer, log },
  );
  const fleet = new HubFleet(hub, 'trainer', { clock, random, log });
  const changes: string[] = [];
  const stop = fleet.watch(({ node, state }) => void changes.push(`${node} ${state}`));
  const call = (bytes?: number) =>
    fleet.call('n1', 'wait', [100], { deadlineMs: 5_000, ...(bytes === undefined ? {} : { bytes }) });
  const half = limits.maxAssemblyBytes / 4;
  const clients = () =>
    hub
      .clients()
      .map(({ queued }) => queued)
      .toSorted((one, other) => one - other);
  const small = [call(), call(), call()];
  await sim.run(50);
  expect(clients()).toEqual([3]);
  // Two of these fill a link; one that is larger than that goes alone.
  const large = [call(half), call(half), call(half), call(5 * half)];
  await sim.run(50);
  expect(clients()).toEqual([1, 1, 5]);
  expect(await sim.settle(Promise.all([...small, ...large]), 1_000)).toEqual(
    Array.from({ length: 7 }, () => 100),
  );
  // Links that are there are used again.
  await sim.settle(Promise.all([call(half), call(half), call(half)]), 1_000);
  expect(clients().length).toBe(3);
  await expect(sim.settle(fleet.call('nobody', 'wait', [], { deadlineMs: 50 }), 1_000)).rejects.toMatchObject(
    {
      code: 'timed_out',
    },
  );
  stop();
  await sim.settle(fleet.close(), 1_000);
  await sim.run(100);
  expect(hub.clients()).toEqual([]);
  expect(changes).toEqual(['n1 online']);
});
