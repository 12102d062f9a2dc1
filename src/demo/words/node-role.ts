// One of the demo's nodes, a process of its own: real functions over real files.
// Invariant: `append` writes its line once for each time that it is executed, which is what the ledgers are there to show.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createNode, withCall } from '../../index.ts';
import { appendEntry, ledgerName, type Receipt } from './ledger.ts';
import { configOf, liveAsRole, report, reportingLog, times, type NodeConfig } from '../role.ts';
import { hashOf, statisticsOf, type Statistics } from './statistics.ts';

/** Each function takes at least this long, so that a fault finds work in progress: before, at and after the write. */
const PAUSE_MS = 40;

export interface DocumentsConfig {
  /** Folder of the documents. */
  readonly root: string;
  readonly ledgers: string;
}

const { id, hub, root, ledgers } = configOf<NodeConfig & DocumentsConfig>();
const ledger = ledgerName(id, process.pid);

async function stats(path: string): Promise<Statistics> {
  await pause(PAUSE_MS);
  return statisticsOf(await readFile(join(root, path)));
}

const append = withCall(async (call, path: string): Promise<Receipt> => {
  const entry = {
    call: `${call.client}/c${call.attempt}`,
    path,
    sha256: hashOf(await readFile(join(root, path))),
  };
  await pause(PAUSE_MS);
  appendEntry(ledgers, ledger, entry);
  await pause(PAUSE_MS);
  return { ledger, ...entry };
});

const node = createNode({
  hub,
  id,
  functions: { stats, append },
  ...times,
  drainTimeoutMs: 3_000,
  log: reportingLog(),
});
liveAsRole(() => node.stop());
setInterval(() => {
  const { activeExecutions, totalExecuted } = node.status();
  const { unexpectedEvents } = node.system;
  report({ kind: 'work', active: activeExecutions, executed: totalExecuted, unexpectedEvents });
}, 250);
