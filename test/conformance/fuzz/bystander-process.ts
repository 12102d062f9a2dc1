// An innocent node and an innocent client that keeps calling it, in a process of their own.
// Invariant: every call is checked; what went wrong is told, never hidden by a retry of ours.
import { createClient, createNode, noLog } from '../../../src/index.ts';
import { BYSTANDER } from './transcripts.ts';

export interface Experience {
  readonly calls: number;
  readonly failures: readonly string[];
  /** Milliseconds from call to result. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  readonly nodeReconnects: number;
  readonly clientReconnects: number;
  readonly retries: number;
}

const url = process.env['HUB_URL'] ?? '';
const quiet = noLog();
const node = createNode({
  hub: url,
  id: 'bystander',
  log: quiet,
  functions: { [BYSTANDER]: (...args: unknown[]) => args },
});
const client = createClient({ hub: url, id: 'bystander', log: quiet });
await Promise.all([node.ready(), client.ready()]);

/** Calls that are made in any case, so that percentiles mean something. */
const LEAST = 200;
const latencies: number[] = [];
const failures: string[] = [];
let state: 'calling' | 'stopping' = 'calling';

async function keepCalling(lane: number): Promise<void> {
  for (let count = 0; state === 'calling' || latencies.length < LEAST; count += 1) {
    const before = performance.now();
    try {
      const [echoed] = await client.call<[string]>(BYSTANDER, [`${lane}/${count}`], { deadlineMs: 10_000 });
      if (echoed !== `${lane}/${count}`)
        failures.push(`${lane}/${count} was answered by ${JSON.stringify(echoed)}`);
    } catch (error) {
      failures.push(String(error));
    }
    latencies.push(performance.now() - before);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const lanes = Promise.all([1, 2, 3, 4].map(keepCalling));
process.on('message', () => {
  state = 'stopping';
  void lanes.then(() => {
    latencies.sort((one, other) => one - other);
    const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
    const experience: Experience = {
      calls: latencies.length,
      failures: failures.slice(0, 20),
      medianMs: at(0.5),
      p99Ms: at(0.99),
      worstMs: at(1),
      nodeReconnects: node.status().reconnects,
      clientReconnects: client.status().reconnects,
      retries: client.status().retries,
    };
    process.send?.(experience);
  });
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
