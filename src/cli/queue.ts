// `holdfast queue`: what operators ask of the failure queue of a running proxy, and what they decide.
// Invariant: a command that changes something says what it was about, and what is in the queue now.
import { Command } from 'commander';
import type { QueueEntry, QueueStatus } from '../index.ts';
import { addAdminFlags, askAdmin, type AdminFlags, type QueueReport } from './admin-client.ts';
import { formatDuration, formatJson, printError, printLine } from './report.ts';
import { formatTable } from './table.ts';

interface Flags extends AdminFlags {
  readonly json?: true;
}

const examples = `
Examples:
  holdfast queue status
  holdfast queue list --json | jq '.[].endpoint'
  holdfast queue retry backup              probes it as soon as a slot is free; without an ID all of them
  holdfast queue clear                     puts all of them back into service, unproven

Endpoints come in when they are ejected, and leave when probes have shown that they are well.
The proxy is found at --admin, or HOLDFAST_ADMIN.`;

export function queueCommand(): Command {
  const command = new Command('queue')
    .description('look at the endpoints that failed, and decide about them')
    .addHelpText('after', examples);
  command.addCommand(sub('status', 'how many there are, and were', status));
  command.addCommand(sub('list', 'who is in, in the order of the queue', list));
  command.addCommand(
    sub('retry', 'probe one, or all, without waiting for its time', retry).argument('[id]', 'which endpoint'),
  );
  command.addCommand(sub('clear', 'put all of them back into service, unproven', clear));
  return command;
}

type Act = (flags: Flags, id?: string) => Promise<void>;

function sub(name: string, description: string, act: Act): Command {
  return addAdminFlags(new Command(name).description(description))
    .option('--json', 'print JSON')
    .showHelpAfterError('(add --help for the options and examples)')
    .action(async (...given: unknown[]) => {
      // Arguments, options, command.
      const [id, flags] =
        given.length === 3 ? (given as [string | undefined, Flags]) : [undefined, given[0] as Flags];
      try {
        await act(flags, id);
      } catch (error) {
        printError(error, flags.json ? 'json' : 'text');
        process.exitCode = 1;
      }
    });
}

async function status(flags: Flags): Promise<void> {
  const report = await askAdmin<QueueReport>(flags, '/queue');
  printLine(flags.json ? formatJson(report.status, 2) : formatQueueStatus(report.status));
}

async function list(flags: Flags): Promise<void> {
  const { entries } = await askAdmin<QueueReport>(flags, '/queue');
  if (flags.json) return printLine(formatJson(entries, 2));
  for (const line of formatEntries(entries)) printLine(line);
}

async function retry(flags: Flags, id?: string): Promise<void> {
  const body = id === undefined ? {} : { endpoint: id };
  const { asked, ...report } = await askAdmin<QueueReport & { asked: readonly string[] }>(
    flags,
    '/queue/retry',
    body,
  );
  if (flags.json) return printLine(formatJson({ asked, ...report }, 2));
  printLine(
    asked.length === 0 ? 'the queue is empty: nobody waits' : `no longer waiting: ${asked.join(', ')}`,
  );
}

async function clear(flags: Flags): Promise<void> {
  const { cleared, ...report } = await askAdmin<QueueReport & { cleared: readonly string[] }>(
    flags,
    '/queue/clear',
    {},
  );
  if (flags.json) return printLine(formatJson({ cleared, ...report }, 2));
  printLine(
    cleared.length === 0 ? 'the queue was empty' : `back in service, unproven: ${cleared.join(', ')}`,
  );
}

export function formatQueueStatus(status: QueueStatus): string {
  const { size, probing, held, totalFailed, totalRecovered, totalProbes, totalCleared } = status;
  return (
    `${size} in the queue: ${size - probing - held} waiting, ${probing} probed, ${held} held;  ` +
    `ever: ${totalFailed} failed, ${totalRecovered} recovered, ${totalProbes} probes, ${totalCleared} cleared`
  );
}

const HEAD = ['#', 'ENDPOINT', 'PHASE', 'OUT FOR', 'EJECTIONS', 'IN VAIN'];
const RIGHT = new Set([0, 3, 4, 5]);

export function formatEntries(entries: readonly QueueEntry[]): string[] {
  if (entries.length === 0) return ['the queue is empty: no endpoint is out of service'];
  const rows = entries.map(({ endpoint, phase, remainingMs, ejections, verifications }, index) => [
    String(index + 1),
    endpoint,
    phase,
    phase === 'waiting' ? (remainingMs > 0 ? formatDuration(remainingMs) : 'next') : '-',
    String(ejections),
    String(verifications),
  ]);
  return formatTable(HEAD, rows, RIGHT);
}
