// Hub, node and client in one process that stops them, and then has to end by itself.
// Invariant: nothing here calls process.exit, so a handle that was left open is seen as a process that stays.
import { createClient, createHub, createNode, noLog } from '../../../src/index.ts';
import { roleOptions, tell } from './role.ts';
import { createWork } from './work.ts';

const { order, hub: hubUrl } = roleOptions<{ order: string[]; hub?: string }>();

const hub = hubUrl === undefined ? await createHub({ port: 0, log: noLog() }) : undefined;
const url = hubUrl ?? hub?.url ?? '';
const work = createWork('n1');
const node = createNode({ hub: url, id: 'n1', functions: work.functions, log: noLog() });
const client = createClient({ hub: url, log: noLog() });
await Promise.all([node.ready(), client.ready()]);
if ((await client.call('add', [1, 2])) !== 3) throw new Error('1 + 2 is 3');

const stops: Record<string, () => Promise<void>> = {
  hub: () => hub?.stop() ?? Promise.resolve(),
  node: () => node.stop(),
  client: () => client.stop(),
};
for (const name of order) {
  // Idempotent: the second and third are the first.
  const first = stops[name]?.();
  await Promise.all([first, stops[name]?.()]);
  await stops[name]?.();
}
tell({
  event: 'stopped',
  node: node.status().state,
  client: client.status().state,
  hub: hub?.status().state,
});
process.disconnect?.();
