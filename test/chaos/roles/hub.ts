// A hub in a process of its own, so that it can be killed.
// Invariant: it knows nothing that an earlier hub knew.
import { createHub, noLog, type HubOptions } from '../../../src/index.ts';
import { leave, roleOptions, serve, tell } from './role.ts';

const hub = await createHub({ log: noLog(), ...roleOptions<HubOptions>() });

serve({
  status: () => hub.status(),
  nodes: () => hub.nodes(),
  clients: () => hub.clients(),
  forget: (id: string) => hub.forget(id),
  drain: (id: string) => hub.drain(id),
  stop: async () => {
    await hub.stop();
    return hub.status().state;
  },
  leave: () => void setImmediate(leave),
});
tell({ event: 'ready', url: hub.url, port: hub.port, instance: hub.instance });
