// Transition logs of real processes, one of them killed, checked by the command.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Command, endAll, run, startHub } from './command.ts';

const MACHINES = `
import { createMachine } from 'xstate';
export const door = createMachine({ id: 'door', initial: 'shut', states: { shut: { on: { open: 'ajar' } }, ajar: { on: { shut: 'shut' } } } });
export const gate = createMachine({ id: 'gate', initial: 'closed', states: { closed: { after: { 1000: 'open' } }, open: { after: { 1000: 'closed' } } } });
`;

let folder: string;
const file = (name: string): string => join(folder, name);
beforeAll(async () => {
  // Inside the repository, so that the module finds xstate.
  folder = await mkdtemp(join(import.meta.dirname, 'planted-logs-'));
  await writeFile(file('functions.mjs'), 'export const add = (a, b) => a + b;');
  await writeFile(file('machines.mjs'), MACHINES);
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

const doorLines = (to: string): string =>
  [
    {
      actor: 'front',
      machine: 'door',
      seq: 1,
      event: { type: 'xstate.init' },
      from: null,
      to: 'shut',
      context: {},
    },
    { actor: 'front', machine: 'door', seq: 2, event: { type: 'open' }, from: 'shut', to, context: {} },
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

test('the logs of a hub that was killed and started again, of a node and of calls conform', async () => {
  const [hubLog, nodeLog, callLog] = ['hub', 'node', 'call'].map((name) => file(`${name}.ndjson`)) as [
    string,
    string,
    string,
  ];
  const { hub, url } = await startHub(['--transitions', hubLog]);
  const node = new Command([
    'node',
    '--hub',
    url,
    '--functions',
    file('functions.mjs'),
    '--reconnect-interval',
    '100ms',
    '--transitions',
    nodeLog,
  ]);
  await node.match(/registering → connected/);
  const call = ['call', 'add', '1', '2', '--hub', url, '--transitions', callLog];
  expect(await run(call)).toMatchObject({ status: 0, stdout: '3\n' });
  hub.kill('SIGKILL');
  await hub.ended;
  const again = new Command(['hub', '--port', new URL(url).port, '--transitions', hubLog]);
  await again.match(/syncing → online/);
  expect(await run(call)).toMatchObject({ status: 0, stdout: '3\n' });
  for (const process of [node, again]) {
    process.kill('SIGTERM');
    expect(await process.ended).toMatchObject({ status: 0 });
  }
  const checked = await run(['conform', hubLog, nodeLog, callLog, '--strict']);
  expect(checked).toMatchObject({ status: 0, stderr: '' });
  expect(checked.stdout).toMatch(/^(\S+: \d+ lines, \d+ checked, \d+ actors: conforms\n){3}$/);
  const runs = new Set(
    (await readFile(hubLog, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { run: string }).run),
  );
  expect(runs.size).toBe(2);
  // Six processes: on a machine that is busy each takes seconds to start.
}, 90_000);

test('an impossible step is told with its line and what was possible, and fails', async () => {
  await writeFile(file('door.ndjson'), doorLines('shut'));
  const spec = `${file('machines.mjs')}#door`;
  const [wrong, unnamed, nowhere] = await Promise.all([
    run(['conform', file('door.ndjson'), '--machine', spec]),
    run(['conform', file('door.ndjson')]),
    run(['conform', file('nothing.ndjson')]),
  ]);
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toBe(
    `${file('door.ndjson')}:2: front (door, number 2, in shut): open leads to ajar, and the line says shut\n` +
      '  possible was:\n    open → ajar  (its guard holds)\n' +
      `${file('door.ndjson')}: 2 lines, 2 checked, 1 actor: 1 impossible step\n`,
  );
  expect(unnamed).toMatchObject({ status: 1 });
  expect(unnamed.stderr).toMatch(
    /no line is of a machine that is known; name yours with --machine FILE#export \(the ids are door\)/,
  );
  expect(nowhere).toMatchObject({ status: 1, stdout: '' });
  expect(nowhere.stderr).toMatch(/cannot read .*nothing\.ndjson: ENOENT/);
});

test('a log of a machine of one’s own conforms; a gap is told, and fails only when asked to', async () => {
  await writeFile(file('good.ndjson'), doorLines('ajar'));
  const later = {
    actor: 'front',
    machine: 'door',
    seq: 5,
    event: { type: 'open' },
    from: 'shut',
    to: 'ajar',
    context: {},
  };
  await writeFile(file('gap.ndjson'), `${doorLines('ajar')}${JSON.stringify(later)}\n`);
  const door = ['--machine', `${file('machines.mjs')}#door`];
  const [both, strict] = await Promise.all([
    run(['conform', file('good.ndjson'), file('gap.ndjson'), ...door]),
    run(['conform', file('gap.ndjson'), ...door, '--strict', '--json']),
  ]);
  expect(both).toMatchObject({ status: 0, stderr: '' });
  expect(both.stdout).toContain(`${file('good.ndjson')}: 2 lines, 2 checked, 1 actor: conforms\n`);
  expect(both.stdout).toMatch(
    /gap\.ndjson:3: 2 lines of front missing before this one; checked on from here\n/,
  );
  expect(strict.status).toBe(1);
  expect(JSON.parse(strict.stdout)).toMatchObject({
    gaps: [{ line: 3, missing: 2 }],
    impossible: [],
    unknown: {},
  });
});

test('a delay that ended before its time fails, beyond a tolerance; one that took too long is mentioned', async () => {
  const lines = [
    [0, 'xstate.init', null, 'closed'],
    [900, 'xstate.after.1000.gate.closed', 'closed', 'open'],
    [9_900, 'xstate.after.1000.gate.open', 'open', 'closed'],
  ].map(([at, type, from, to], i) =>
    JSON.stringify({ actor: 'g', machine: 'gate', seq: i + 1, at, event: { type }, from, to, context: {} }),
  );
  await writeFile(file('gate.ndjson'), lines.join('\n'));
  const gate = [file('gate.ndjson'), '--machine', `${file('machines.mjs')}#gate`];
  const [strict, tolerant] = await Promise.all([
    run(['conform', ...gate]),
    run(['conform', ...gate, '--tolerance', '100ms']),
  ]);
  expect(strict.status).toBe(1);
  expect(strict.stdout).toMatch(
    /gate\.ndjson:2: g .*: after 1000 came 900 ms after that delay began, and by/,
  );
  expect(tolerant.status).toBe(0);
  expect(tolerant.stdout).toMatch(
    /^\S+:3: 1000 of g \(gate\) takes 1\.0 s and ended after 9\.0 s: a busy or sleeping process, .*\n.*: conforms\n$/,
  );
});

test('a transition log that cannot be written is refused before anything starts', async () => {
  const path = join(tmpdir(), 'holdfast-no-such-folder', 'log');
  const refused = await run(['hub', '--port', '0', '--transitions', path]);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toMatch(/cannot write .*ENOENT.*give a file in a folder that exists/);
});
