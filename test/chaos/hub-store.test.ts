// A hub with a store on disk, killed: what it knew of its nodes is there when it starts again.
// Invariant of all: a record is at most half a second behind, and SIGKILL takes nothing that was recorded.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { startClient, startNode } from './in-process.ts';
import { forkRole, quickHub, forkHub } from './processes.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-hub-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('after SIGKILL the hub knows its nodes, their labels and what they did, before any of them is back', async () => {
  const store = `file:${join(folder(), 'data')}`;
  const hub = await forkHub({ store });
  const workers = await Promise.all(
    ['n1', 'n2', 'n3'].map((id) => startNode(hub.url, id, { labels: { zone: id } })),
  );
  const client = await startClient(hub.url);
  for (let i = 0; i < 9; i++) await client.call('who', []);
  const total = (nodes: readonly { totalTasksExecuted: number }[]) =>
    nodes.reduce((sum, { totalTasksExecuted }) => sum + totalTasksExecuted, 0);
  await eventually('all nine are recorded', async () => {
    const records = await Promise.all(
      ['n1', 'n2', 'n3'].map((id) => hub.ask<string>('record', `/holdfast/nodes/${id}`)),
    );
    return total(records.map((record) => JSON.parse(record) as { totalTasksExecuted: number })) === 9;
  });
  await hub.kill();
  await Promise.all([...workers.map(({ node }) => node.stop()), client.stop()]);

  const again = await forkHub({ store });
  const known = (await again.nodes()).toSorted((one, other) => one.id.localeCompare(other.id));
  expect(known.map(({ id, state, labels }) => ({ id, state, labels }))).toEqual(
    ['n1', 'n2', 'n3'].map((id) => ({ id, state: 'absent', labels: { zone: id } })),
  );
  expect(total(known)).toBe(9);
  for (const { firstSeenMs } of known) expect(firstSeenMs).toBeGreaterThan(0);
  await startNode(again.url, 'n2', { labels: { zone: 'elsewhere' } });
  const [back] = await eventually('it is online', async () => {
    const found = (await again.nodes()).filter(({ id }) => id === 'n2');
    expect(found).toHaveLength(1);
    return found[0]?.state === 'online' && found;
  });
  expect(back?.labels).toEqual({ zone: 'elsewhere' });
});

test('a second hub on the same folder does not start, and says who has it', async () => {
  const store = `file:${join(folder(), 'data')}`;
  await forkHub({ store });
  const second = forkRole('hub.ts', { ...quickHub, port: 0, store });
  const { code, output } = await second.exited;
  expect(code).not.toBe(0);
  expect(output).toMatch(/store_failed/);
  expect(output).toMatch(/data/);
});
