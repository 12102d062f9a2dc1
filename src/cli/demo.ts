// `holdfast demo`: the demo fleets.
// Invariant: the status is 0 only if everything that a summary claims holds.
import { Command, InvalidArgumentError } from 'commander';
import { runDigits } from '../demo/digits/demo.ts';
import { runWords } from '../demo/words/demo.ts';
import { parseCount } from './arguments.ts';

interface WordsFlags {
  readonly input?: string;
  readonly files: number;
}

const LEAST_ROUNDS = 5;

const aboutDigits = `
Starts a hub and eight nodes as processes of their own, each with digits of the MNIST data set that no other has, and trains a
small network across them. Nodes are killed until training pauses, and brought back until it goes on; the hub is killed in the
middle of a round and restarted with its store. Takes about a minute, and half of that again for a replay without faults. The
status is 0 only if the model equals the replay's bit for bit and no update was lost.`;

const aboutWords = `
Starts a hub and five nodes as processes of their own and has them work through real files, while the hub is killed and
restarted twice, one node is killed and replaced, and one is stopped for longer than its heartbeat time-out and continued.
Takes less than a minute. The status is 0 only if the result equals that of a plain run and nothing was lost.`;

export function demoCommand(): Command {
  return new Command('demo')
    .description('watch a fleet survive killed processes')
    .addCommand(digitsCommand(), { isDefault: true })
    .addCommand(wordsCommand());
}

function digitsCommand(): Command {
  return new Command('digits')
    .description('federated training on real digits: one hub, eight nodes, killed processes (the default)')
    .option('--rounds <number>', `rounds to train, at least ${LEAST_ROUNDS}`, parseRounds, 30)
    .addHelpText('after', aboutDigits)
    .action(async ({ rounds }: { rounds: number }) => {
      process.exitCode = await runDigits({ rounds });
    });
}

/** @throws InvalidArgumentError */
function parseRounds(text: string): number {
  const rounds = parseCount(text);
  if (rounds < LEAST_ROUNDS)
    throw new InvalidArgumentError(`The faults need at least ${LEAST_ROUNDS} rounds.`);
  return rounds;
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
