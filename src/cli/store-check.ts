// `holdfast store check`: looks a store's file over.
// Invariant: exit code 0 means that nothing was found.
import { Command } from 'commander';
import { checkStore } from '../index.ts';
import { printError, printLine } from './report.ts';
import { storeFlag, storeOf, type StoreFlags } from './store-flags.ts';

export function checkCommand(): Command {
  const command = new Command('check')
    .description('look the file of a store over, while nothing has it open')
    .addOption(storeFlag())
    .option('--json', 'print JSON');
  return command.action(async (flags: StoreFlags) => {
    try {
      const problems = await checkStore(storeOf(command, flags));
      if (flags.json) printLine(JSON.stringify({ problems }));
      else for (const line of problems.length === 0 ? ['sound'] : problems) printLine(line);
      process.exitCode = problems.length === 0 ? 0 : 1;
    } catch (error) {
      printError(error, flags.json ? 'json' : 'text');
      process.exitCode = 1;
    }
  });
}
