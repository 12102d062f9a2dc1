// `holdfast train` as a real process: rounds, files, resume after SIGKILL, and what is wrong with a configuration.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createNode, noLog, trainable } from '../../../src/index.ts';
import { toSafetensors } from '../../../src/cli/safetensors.ts';
import { loadTrainConfig } from '../../../src/cli/train-config.ts';
import { formatBar, formatEvent, formatRound } from '../../../src/cli/train-view.ts';
import { Command, endAll, MAIN, run } from './command.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'train-'));
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function configFile(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

const config = (rounds: number) =>
  configFile(
    `train-${rounds}.mjs`,
    `export const rounds = ${rounds};
     export const model = () => [{ shape: [2], data: new Float32Array([8, 16]) }];
     export const gate = { minNodes: 2 };
     export const evaluate = ([{ data }]) => ({ loss: data[0], accuracy: 1 });`,
  );

/** Two nodes that halve the model. */
function joinNodes(hub: string): void {
  const halve = trainable({
    train: ({ weights }) => ({
      weights: weights.map(({ shape, data }) => ({ shape, data: data.map((x) => x / 2) })),
      samples: 1,
    }),
  });
  for (const id of ['a', 'b']) {
    const quick = { reconnectIntervalMs: 50, reconnectMaxMs: 100, maxRetryAttempts: 0, drainTimeoutMs: 10 };
    const node = createNode({ hub, id, functions: halve, log: noLog(), ...quick });
    onTestFinished(() => node.stop());
  }
}

async function begin(args: readonly string[]): Promise<{ training: Command; url: string }> {
  const training = new Command(['train', '--port', '0', ...args]);
  const [, url = ''] = await training.match(/hub at (ws:\S+)/);
  return { training, url };
}

it('prints a line a round, and writes model and history', async () => {
  const files = {
    model: join(folder, 'm.safetensors'),
    csv: join(folder, 'h.csv'),
    json: join(folder, 'h.json'),
  };
  const { model, csv, json } = files;
  const { training, url } = await begin([
    '--config',
    await config(3),
    '--model',
    model,
    '--csv',
    csv,
    '--json',
    json,
  ]);
  joinNodes(url);
  const { status, stdout, stderr } = await training.ended;
  expect([status, stderr]).toEqual([
    0,
    'gate gathering: 0 nodes\ngate open: 2 nodes\ngate completed: 2 nodes\n',
  ]);
  const lines = stdout.trim().split('\n');
  expect(lines.slice(1, 4)).toEqual(
    ['4.0000', '2.0000', '1.0000'].map((loss, at) =>
      expect.stringMatching(
        `^round ${at + 1}/3  loss ${loss}  accuracy 1.0000  asked 2  answered 2  late 0  lost 0  refused 0  in .*ms$`,
      ),
    ),
  );
  expect(lines[4]).toMatch(/^completed: all rounds are committed; model [0-9a-f]{12} of round 3$/);
  const bytes = new Uint8Array(await readFile(model));
  expect([...new Float32Array(bytes.slice(-8).buffer)]).toEqual([1, 2]);
  expect((await readFile(csv, 'utf8')).split('\r\n').length).toBe(5);
  const history = await readFile(json, 'utf8');
  expect(JSON.parse(history)).toMatchObject([{ round: 1 }, { round: 2 }, { round: 3 }]);
  expect(history.match(/"durationMs":\d+(\.\d{1,3})?[,}]/g)).toHaveLength(3);
});

it('goes on after SIGKILL with --resume, and refuses without it', async () => {
  const store = ['--store', `file:${join(folder, 'data')}`];
  const { training, url } = await begin(['--config', await config(1_000_000), ...store]);
  joinNodes(url);
  await training.match(/round +3\/1000000/);
  training.kill('SIGKILL');
  const killed = await training.ended;
  const last = [...killed.stdout.matchAll(/^round +(\d+)/gm)].length;
  const port = new URL(url).port;
  const refused = await run(['train', '--port', '0', '--config', await config(1_000_000), ...store]);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  // One line, once.
  expect(refused.stderr).toMatch(
    /^holdfast: run default has a checkpoint of round \d+; resume it \(option resume, --resume\), or name another run \[invalid_option\]\n$/,
  );
  const again = new Command([
    'train',
    '--port',
    port,
    '--resume',
    '--config',
    await config(1_000_000),
    ...store,
  ]);
  const [, after = ''] = await again.match(/goes on after round (\d+)/);
  // What was committed may not have been printed.
  expect([last, last + 1]).toContain(Number(after));
  await again.match(new RegExp(`round +${Number(after) + 2}/`));
  again.kill('SIGINT');
  const ended = await again.ended;
  expect(ended.status).toBe(130);
  expect(ended.stdout).toMatch(/requested: SIGINT came; model [0-9a-f]{12} of round \d+\n$/);
});

it('says where nodes find it before anything else', async () => {
  const file = await configFile(
    'lonely.mjs',
    'export default { rounds: 1, model: [], gate: { gatherTimeoutMs: 1 } };',
  );
  // One pipe for both streams, so that it shows their order.
  const merged = ['-c', 'exec "$0" "$@" 2>&1', process.execPath, MAIN];
  const { stdout } = spawnSync('sh', [
    ...merged,
    'train',
    '--port',
    '0',
    '--store',
    'memory:',
    '--config',
    file,
  ]);
  expect(stdout.toString()).toMatch(/^hub at ws:\S+\ngate gathering: 0 nodes\ngate terminating: 0 nodes\n/);
});

let badFiles = 0;

it.each([
  ['export const rounds = 3;', 'exports no model; write for example'],
  ['export const model = [];', 'exports no rounds'],
  ['export default { rounds: 1, model: [], learningRate: 1 };', 'exports learningRate; known are run, model'],
  ["export default { rounds: 1, model: [], strategy: 'adam' };", 'is adam; give one of fed-avg, fed-prox'],
])('refuses the configuration %s', async (text, message) => {
  badFiles += 1;
  // Node knows a module by its name, and does not load it again.
  const loading = loadTrainConfig(await configFile(`bad-${badFiles}.mjs`, text));
  await expect(loading).rejects.toMatchObject({ code: 'invalid_option' });
  await expect(loading).rejects.toThrow(message);
});

it('says in one line what is wrong with an option, and leaves nothing running', async () => {
  const file = await configFile('wrong.mjs', 'export default { rounds: 1, model: [[1, 2]] };');
  const { status, stderr } = await run(['train', '--port', '0', '--config', file]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^holdfast: option model: tensor 0 .* \[invalid_option\]\n$/);
});

it('shows what nobody measured as a dash, and what was done again', () => {
  const report = {
    ...{
      round: 7,
      epoch: 9,
      abandoned: 1,
      asked: 3,
      answered: 2,
      refused: 0,
      late: 0,
      lost: 1,
      durationMs: 1_500,
    },
    ...{ samples: 20, participants: ['a', 'b'], model: 'f'.repeat(64) },
  };
  const { metrics, evaluation } = { metrics: { loss: 0.00001 }, evaluation: {} };
  expect(formatRound({ ...report, metrics, evaluation }, 20)).toBe(
    'round  7/20  loss 1.00e-5  accuracy -  asked 3  answered 2  late 0  lost 1  refused 0  in 1.5 s, after 1 in vain',
  );
  expect(formatEvent({ type: 'abandoned', round: 7, epoch: 8, reason: 'the gate paused' })).toBe(
    'round 7 is done again: the gate paused',
  );
  const status = {
    run: 'default',
    epoch: 9,
    model: '',
    online: 3,
    pauses: 0,
    pausedMs: 0,
    abandoned: 1,
    refused: 0,
  };
  expect(formatBar({ ...status, late: 0, state: 'open', round: 10, rounds: 20, nodes: ['a', 'b'] })).toBe(
    `${'█'.repeat(15)}${'░'.repeat(15)} 10/20 rounds  open, 2 nodes`,
  );
});

it('writes safetensors whose header says where each tensor lies', () => {
  const weights = [
    { shape: [1, 2], data: new Float32Array([1.5, -2]) },
    { shape: [], data: new Float64Array([Math.PI]) },
  ];
  const [header = new Uint8Array(), ...rest] = toSafetensors(weights, { round: '3' });
  const length = Number(new DataView(header.buffer).getBigUint64(0, true));
  expect([header.length % 8, header.length - 8]).toEqual([0, length]);
  expect(JSON.parse(new TextDecoder().decode(header.subarray(8)))).toEqual({
    __metadata__: { round: '3' },
    0: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    1: { dtype: 'F64', shape: [], data_offsets: [8, 16] },
  });
  expect(rest.map(({ length: bytes }) => bytes)).toEqual([8, 8]);
});
