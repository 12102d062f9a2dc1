// What a role's process costs: memory by the operating system's count and by the heap's, and how late its event loop is.
// Invariant: a reading of settled memory comes after full garbage collections (`--expose-gc`) that also give back the young generation:
// how far that grew (up to 128 MiB) depends on the moment, and it is the process's, not a connection's.

import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { RoleCommands } from './roles.ts';

export interface MemoryReading {
  readonly rssBytes: number;
  /** Heap and what hangs on it outside (buffers). */
  readonly heapBytes: number;
}

async function settled(): Promise<MemoryReading> {
  const { gc } = globalThis as unknown as { gc?: (options: object) => void };
  if (gc === undefined) throw new Error('this role needs --expose-gc');
  for (let i = 0; i < 4; i += 1) {
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed + external };
}

/** Commands that any role may offer. */
export function measuringCommands(): RoleCommands {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let peakBytes = 0;
  let sampler: NodeJS.Timeout | undefined;
  return {
    memory: settled,
    /** From now on the highest RSS is kept. */
    watchPeak() {
      peakBytes = process.memoryUsage.rss();
      clearInterval(sampler);
      sampler = setInterval(() => {
        peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
      }, 5);
    },
    peakBytes() {
      clearInterval(sampler);
      return peakBytes;
    },
    /** 99th percentile since the process started or was last asked, in milliseconds. */
    eventLoopDelayMs() {
      const result = delay.percentile(99) / 1e6;
      delay.reset();
      return result;
    },
  };
}
