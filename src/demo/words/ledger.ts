// The ledgers: one file for each node process, one line for each execution of `append`.
// Invariant: a line is written by one synchronous append, so that a process that is killed leaves whole lines.
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Entry {
  readonly call: string;
  readonly path: string;
  readonly sha256: string;
}

/** What `append` answers: who wrote the line, and the line. */
export interface Receipt extends Entry {
  readonly ledger: string;
}

const ENDING = '.ledger';

export function ledgerName(node: string, pid: number): string {
  return `${node}-${pid}${ENDING}`;
}

export function appendEntry(folder: string, ledger: string, { call, path, sha256 }: Entry): void {
  appendFileSync(join(folder, ledger), `${JSON.stringify([call, path, sha256])}\n`);
}

/** Every line of every ledger in the folder. */
export function readLedgers(folder: string): Receipt[] {
  const receipts: Receipt[] = [];
  for (const ledger of readdirSync(folder).filter((name) => name.endsWith(ENDING))) {
    for (const line of readFileSync(join(folder, ledger), 'utf8').split('\n')) {
      if (line === '') continue;
      const [call = '', path = '', sha256 = ''] = JSON.parse(line) as string[];
      receipts.push({ ledger, call, path, sha256 });
    }
  }
  return receipts;
}
