// A node and a client that never reach a hub, and are stopped in the middle of trying.
// Invariant: nothing here calls process.exit.
import { createClient, createNode, noLog } from '../../../src/index.ts';
import { roleOptions, tell } from './role.ts';

const { hub } = roleOptions<{ hub: string }>();
const node = createNode({ hub, functions: {}, log: noLog() });
const client = createClient({ hub, log: noLog() });
const call = client
  .call('add', [1, 2])
  .catch((error: { code: string; started: string }) => `${error.code} ${error.started}`);
const ready = node.ready().catch((error: { code: string }) => error.code);
await Promise.all([node.stop(), client.stop()]);
tell({ event: 'stopped', call: await call, ready: await ready });
process.disconnect?.();
