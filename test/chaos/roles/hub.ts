// A hub in a process of its own, so that it can be killed.
// Invariant: it knows nothing that an earlier hub knew, but what is in its store.
import { createHub, noLog, openStore, type HubOptions } from '../../../src/index.ts';
import { leave, roleOptions, serve, tell } from './role.ts';

const { store: url, ...options } = roleOptions<HubOptions>();
const store = typeof url === 'string' ? await openStore(url, { log: noLog() }) : undefined;
const hub = await createHub({ log: noLog(), ...options, store });

serve({
  status: () => hub.status(),
  nodes: () => hub.nodes(),
  clients: () => hub.clients(),
  /** What its store has under a key. */
  record: async (key: string) => {
    const found = await store?.range({ key: new TextEncoder().encode(key) });
    return new TextDecoder().decode(found?.entries[0]?.value);
  },
  forget: (id: string) => hub.forget(id),
  drain: (id: string) => hub.drain(id),
  undrain: (id: string) => hub.undrain(id),
  stop: async () => {
    await hub.stop();
    return hub.status().state;
  },
  leave: () => void setImmediate(leave),
});
tell({ event: 'ready', url: hub.url, port: hub.port, instance: hub.instance });
