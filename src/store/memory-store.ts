// The engine `memory:`, for tests and for fleets that may forget: keyspace and store in one thread.
// Invariant: nothing outlives the store.
import { applyBatch } from './apply.ts';
import type { Backend } from './backend.ts';
import type { Keyspace } from './keyspace.ts';
import { openLocalStore, type LocalStore, type StoreOptions, type StorePorts } from './local-store.ts';
import { MemoryKeyspace } from './memory-keyspace.ts';
import { ownedOutcome } from './owned.ts';

/** A keyspace in this thread, which forgets. */
export function createMemoryBackend(keyspace: Keyspace): Backend {
  return {
    engine: 'memory',
    durable: false,
    maxBatches: 1,
    run: async (commands) => {
      const { changes, outcomes } = applyBatch(keyspace, commands);
      // Most puts answer nothing that the keyspace keeps.
      const owned = outcomes.map((outcome, index) => {
        const command = commands[index];
        return command?.type === 'put' && command.previous !== true ? outcome : ownedOutcome(outcome);
      });
      return { changes, outcomes: owned };
    },
    close: async () => keyspace.close(),
  };
}

/** @throws HoldfastError `invalid_option` */
export function openMemoryStore(ports: StorePorts, options: StoreOptions = {}): Promise<LocalStore> {
  return openLocalStore(createMemoryBackend(new MemoryKeyspace()), ports, options);
}
