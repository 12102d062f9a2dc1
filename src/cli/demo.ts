// `holdfast demo`: the demo fleets.
// Invariant: the status is 0 only if everything that a summary claims holds.
import { Command } from 'commander';
import { runWords } from '../demo/words/demo.ts';
import { parseCount } from './arguments.ts';

interface WordsFlags {
  readonly input?: string;
  readonly files: number;
}

const aboutWords = `
Starts a hub and five nodes as processes of their own and has them work through real files, while the hub is killed and
restarted twice, one node is killed and replaced, and one is stopped for longer than its heartbeat time-out and continued.
Takes less than a minute. The status is 0 only if the result equals that of a plain run and nothing was lost.`;

export function demoCommand(): Command {
  return new Command('demo')
    .description('watch a fleet survive killed processes')
    .addCommand(wordsCommand(), { isDefault: true });
}

function wordsCommand(): Command {
  return new Command('words')
    .description('remote calls over real files: one hub, five nodes, killed processes')
    .option(
      '--input <folder>',
      "work on the text files in this folder (default: this project's node_modules)",
    )
    .option('--files <number>', 'at most this many files', parseCount, 3_000)
    .addHelpText('after', aboutWords)
    .action(async ({ input, files }: WordsFlags) => {
      process.exitCode = await runWords({
        ...(input === undefined ? {} : { input }),
        maxFiles: Math.max(1, files),
      });
    });
}
