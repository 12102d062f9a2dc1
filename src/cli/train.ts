// `holdfast train`: a hub with its store and a trainer in this process; nodes come by `holdfast node`.
// Invariant: the model and the history are written whatever training ended with; a run that did not complete can be resumed.
import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import {
  createHub,
  createNodeClock,
  createPinoLog,
  createTrainer,
  limits,
  openStore,
  roundsCsv,
  roundsJson,
  startCompaction,
  type Hub,
  type Log,
  type Store,
  type Trainer,
  type TrainingResult,
  type TransitionSink,
} from '../index.ts';
import { parsePort } from './arguments.ts';
import {
  addLogFlag,
  given,
  tlsOf,
  transitionsFlag,
  transitionsTo,
  type LogLevel,
  type TlsFlags,
} from './flags.ts';
import { printError, printLine } from './report.ts';
import { toSafetensors } from './safetensors.ts';
import { onStopSignal, statusOf, type StopSignal } from './signals.ts';
import { addStoreFlags, openingOf } from './store-flags.ts';
import { loadTrainConfig, type TrainConfig } from './train-config.ts';
import { TrainView } from './train-view.ts';

interface Flags extends TlsFlags {
  readonly config: string;
  readonly resume?: true;
  readonly host: string;
  readonly port: number;
  readonly token?: string;
  readonly store: string;
  readonly ca?: string;
  readonly model?: string;
  readonly csv?: string;
  readonly json?: string;
  readonly transitions?: string;
  readonly logLevel: LogLevel;
}

const examples = `
FILE is an ES module (or TypeScript, which Node strips), for example train.mjs:
  export default {
    rounds: 20,
    model: [{ shape: [784, 10], data: new Float32Array(7840) }, { shape: [10], data: new Float32Array(10) }],
    strategy: { name: 'fed-adam', learningRate: 0.01 },
    gate: { minNodes: 3 },
    config: { rate: 0.1 },
  };
A node's module: import { trainable } from 'holdfast';
  export default trainable({ train: ({ weights, config }) => ({ weights, samples: 600, metrics: { loss: 0.3 } }) });

Examples:
  holdfast train --config train.mjs --model model.safetensors --csv rounds.csv
  holdfast node --functions node.mjs                 as often as there are nodes
  holdfast train --config train.mjs --resume         goes on after the last committed round

SIGTERM or Ctrl-C: finishes or abandons the round, writes the model and ends. A second one ends at once.`;

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model over the nodes of a hub in this process')
    .requiredOption('--config <file>', "module that exports a trainer's options")
    .option('--resume', 'go on after the last committed round, if there is one')
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option('--port <number>', 'port to listen at; 0 chooses a free one', parsePort, 7_070)
    .addOption(new Option('--token <secret>', 'secret that nodes must show').env('HOLDFAST_TOKEN'))
    .option('--tls-cert <file>', 'PEM file of the certificate (then addresses begin with wss://)')
    .option('--tls-key <file>', 'PEM file of its key')
    .addOption(transitionsFlag())
    .option('--model <file>', 'write the model there at the end, as safetensors')
    .option('--csv <file>', 'write the history there at the end, as CSV')
    .option('--json <file>', 'write the history there at the end, as JSON')
    .addHelpText('after', examples);
  return addLogFlag(addStoreFlags(command), 'warn').action(run);
}

async function run(flags: Flags): Promise<void> {
  const log = createPinoLog({ level: flags.logLevel });
  const config = await loadTrainConfig(flags.config);
  const { store: url, ca } = flags;
  const store = await openStore(url, { log, ...openingOf({ store: url, ...given({ ca }) }) });
  // A real etcd is compacted by those who run it.
  const revisions = /^etcds?:/.test(url) ? undefined : limits.keptRevisions;
  const stopCompaction = startCompaction(store, { clock: createNodeClock(), log, revisions });
  try {
    const { host, port, token } = flags;
    const transitions = transitionsTo(flags.transitions);
    const hub = await createHub({ host, port, token, tls: tlsOf(flags), store, transitions, log });
    try {
      process.exitCode = await train(flags, config, { hub, store, transitions, log });
    } finally {
      await hub.stop();
    }
  } finally {
    stopCompaction();
    await store.close();
  }
}

/** What a trainer stands on. */
interface Stage {
  readonly hub: Hub;
  readonly store: Store;
  readonly transitions: TransitionSink | undefined;
  readonly log: Log;
}

/** Answers the status of the process. */
async function train(flags: Flags, config: TrainConfig, stage: Stage): Promise<number> {
  const { hub } = stage;
  const trainer: Trainer = createTrainer({
    ...config,
    ...stage,
    resume: flags.resume ?? false,
    onRound: (report) => {
      view.round(report, config.rounds);
      config.onRound?.(report);
    },
    onEvent: (event) => {
      greet();
      view.event(event);
    },
    deliver: async (result) => {
      if (flags.model !== undefined) await writeModel(flags.model, trainer.run, result);
      await config.deliver?.(result);
    },
  });
  const view = new TrainView(() => trainer.status());
  let greeting: 'due' | 'said' = 'due';
  /** Before all else that is printed, and not by a trainer that cannot begin. */
  const greet = (): void => {
    if (greeting === 'said') return;
    greeting = 'said';
    const { round } = trainer.status();
    view.print(`hub at ${hub.url}`);
    if (round > 0) view.print(`run ${trainer.run} goes on after round ${round}`);
  };
  let signalled: StopSignal | undefined;
  const release = onStopSignal((signal) => {
    signalled = signal;
    process.stderr.write(`${signal}: training ends; once more ends at once\n`);
    trainer.stop(`${signal} came`).catch(printError);
  });
  try {
    await trainer.start();
    greet();
    const outcome = await trainer.done;
    view.close();
    printLine(
      `${outcome.end}: ${outcome.reason}; model ${outcome.model.slice(0, 12)} of round ${outcome.round}`,
    );
    await writeHistory(flags, trainer);
    if (outcome.end === 'completed' && outcome.delivery === 'delivered') return 0;
    return signalled === undefined ? 1 : statusOf(signalled);
  } finally {
    view.close();
    release();
  }
}

async function writeModel(
  file: string,
  run: string,
  { weights, round, model, end, reason }: TrainingResult,
): Promise<void> {
  const facts = { run, round: String(round), sha256: model, end, reason };
  await writeFile(file, toSafetensors(weights, facts));
}

async function writeHistory({ csv, json }: Flags, trainer: Trainer): Promise<void> {
  if (csv === undefined && json === undefined) return;
  const history = await trainer.history();
  if (csv !== undefined) await writeFile(csv, roundsCsv(history));
  if (json !== undefined) await writeFile(json, roundsJson(history));
}
