// The commands as a person uses them: real processes, real signals, what is printed and with which status.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createClient, noLog } from '../../../src/index.ts';
import { Command, endAll, run, startHub } from './command.ts';

const FUNCTIONS = `
export const add = (a, b) => a + b;
export const greet = (name) => 'hi ' + name;
export const boom = () => { throw new TypeError('bad thing'); };
export async function* count(to) { for (let i = 1; i <= to; i++) yield i; }
export const slow = (ms) => new Promise((resolve) => setTimeout(() => resolve('finished'), ms));
`;

let folder: string;
let functions: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-commands-'));
  functions = join(folder, 'functions.mjs');
  await writeFile(functions, FUNCTIONS);
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function startNode(url: string, args: readonly string[] = []): Promise<Command> {
  const node = new Command(['node', '--hub', url, '--functions', functions, ...args]);
  await node.match(/registering → connected/);
  return node;
}

describe('a fleet of commands', () => {
  test('calls functions, prints results as JSON and texts as they are', async () => {
    const { url } = await startHub();
    await startNode(url, ['--id', 'n1', '--label', 'gpu=true']);
    const hub = ['--hub', url];
    const [sum, negative, text, items, quoted, labelled] = await Promise.all([
      run(['call', 'add', '1', '2', ...hub]),
      run(['call', 'add', '-1', '2', '--hub', url]),
      run(['call', 'greet', 'Ada'], { HOLDFAST_HUB: url }),
      run(['call', 'count', '3', ...hub]),
      run(['call', 'greet', 'Ada', '--json', ...hub]),
      run(['call', 'add', '1', '2', '--label', 'gpu=true', '--node', 'n1', ...hub]),
    ]);
    expect(sum).toMatchObject({ status: 0, stdout: '3\n', stderr: '' });
    expect(negative).toMatchObject({ status: 0, stdout: '1\n' });
    expect(text).toMatchObject({ status: 0, stdout: 'hi Ada\n' });
    expect(items).toMatchObject({ status: 0, stdout: '1\n2\n3\n' });
    expect(quoted).toMatchObject({ status: 0, stdout: '"hi Ada"\n' });
    expect(labelled).toMatchObject({ status: 0, stdout: '3\n' });
  });

  test('ends a call that fails with status 1, its message and its code on standard error', async () => {
    const { url } = await startHub(['--wait-for-node', '300ms']);
    await startNode(url);
    const [thrown, late, unknown] = await Promise.all([
      run(['call', 'boom', '--hub', url]),
      run(['call', 'slow', '60000', '--deadline', '300ms', '--hub', url]),
      run(['call', 'nowhere', '--json', '--hub', url]),
    ]);
    expect(thrown).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'holdfast: TypeError: bad thing [function_failed]\n',
    });
    expect(late).toMatchObject({ status: 1, stdout: '' });
    expect(late.stderr).toMatch(/timed out after 300 ms on node .* \[timed_out\]\n$/);
    expect(unknown.status).toBe(1);
    expect(JSON.parse(unknown.stderr)).toMatchObject({ code: 'no_node' });
  });

  test('shows its status as JSON and as a table', async () => {
    const { url } = await startHub();
    await startNode(url, ['--id', 'n1', '--label', 'zone=a']);
    const json = await run(['status', '--json', '--hub', url]);
    expect(json.status).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({
      hub: { url, state: 'listening', nodes: 1 },
      nodes: [{ id: 'n1', state: 'online', labels: { zone: 'a' }, running: 0 }],
    });
    const table = await run(['status', '--hub', url]);
    expect(table.stdout).toMatch(/^hub ws:\S+ {2}listening {2}up .*1 node {2}/);
    expect(table.stdout).toMatch(/^n1 +online +0 +0 .*zone=a$/m);
  });

  test('watches its status through a hub that restarts, in plain lines without a terminal', async () => {
    const { hub, url } = await startHub();
    await startNode(url, ['--id', 'n1', '--reconnect-interval', '100ms']);
    const watch = new Command(['status', '--watch', '--interval', '200ms', '--hub', url]);
    await watch.match(/n1 +online/);
    hub.kill('SIGKILL');
    await hub.ended;
    await watch.match(/hub ws:\S+ {2}not reached: .*; what follows is of \d\d:\d\d:\d\d\n/);
    const seen = watch.stdout.length;
    const again = new Command(['hub', '--port', new URL(url).port]);
    await again.match(/hub at/);
    await again.match(/n1 syncing → online/);
    while (!/n1 +online/.test(watch.stdout.slice(seen).split('not reached').at(-1) ?? '')) {
      await watch.match(new RegExp(`^[^]{${watch.stdout.length + 1}}`));
    }
    expect(watch.stdout).not.toContain('\x1b');
    watch.kill('SIGINT');
    expect(await watch.ended).toMatchObject({ status: 0, stderr: '' });
  });

  test('keeps calling through an outage, and sums up on Ctrl-C', async () => {
    const { hub, url } = await startHub();
    const node = await startNode(url, ['--reconnect-interval', '100ms']);
    const call = new Command([
      'call',
      'add',
      '1',
      '2',
      '--repeat',
      '100ms',
      '--deadline',
      '400ms',
      '--log-level',
      'silent',
      '--hub',
      url,
    ]);
    await call.match(/\d\d:\d\d:\d\d {2}ok +[\d.]+ m?s {2}3\n/);
    hub.kill('SIGKILL');
    await hub.ended;
    await call.match(/\d\d:\d\d:\d\d {2}timed_out +4\d\d ms {2}call c\d+ of add timed out/);
    const seen = call.stdout.length;
    const again = new Command(['hub', '--port', new URL(url).port]);
    await again.match(/hub at/);
    await call.match(new RegExp(`^[^]{${seen}}[^]* {2}ok `));
    call.kill('SIGINT');
    const { status, stderr } = await call.ended;
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^\d+ calls: \d+ ok, \d+ timed_out; ok took .* at most; \d+ attempts? to reconnect\n$/,
    );
    node.kill('SIGKILL');
  });
});

describe('signals', () => {
  test('let a node finish what it runs, though that takes longer than the heartbeat timeout, then end it with status 0', async () => {
    const heartbeat = ['--heartbeat-interval', '400ms', '--heartbeat-timeout', '1200ms'];
    const { url } = await startHub(heartbeat);
    const node = await startNode(url, ['--id', 'n1', ...heartbeat]);
    const call = new Command(['call', 'slow', '3000', '--hub', url]);
    await untilRunning(url);
    node.kill('SIGTERM');
    await node.match(/SIGTERM: draining, 1 functions run/);
    expect(await call.ended).toMatchObject({ status: 0, stdout: 'finished\n', stderr: '' });
    expect(await node.ended).toMatchObject({ status: 0, signal: null });
  });

  test('let a hub finish what runs, then end it with status 0', async () => {
    const { hub, url } = await startHub();
    await startNode(url, ['--id', 'n1']);
    const call = new Command(['call', 'slow', '1500', '--hub', url]);
    await untilRunning(url);
    hub.kill('SIGTERM');
    expect(await call.ended).toMatchObject({ status: 0, stdout: 'finished\n' });
    expect(await hub.ended).toMatchObject({ status: 0, signal: null });
  });

  test('end at once when they come twice', async () => {
    const { hub, url } = await startHub();
    await startNode(url, ['--id', 'n1']);
    new Command(['call', 'slow', '60000', '--hub', url]);
    await untilRunning(url);
    hub.kill('SIGINT');
    await hub.match(/SIGINT: draining, 1 calls run/);
    hub.kill('SIGINT');
    expect(await hub.ended).toMatchObject({ status: 130 });
  });

  test('cancel a call, with the status of the signal', async () => {
    const { url } = await startHub();
    await startNode(url, ['--id', 'n1']);
    const call = new Command(['call', 'slow', '60000', '--hub', url]);
    await untilRunning(url);
    call.kill('SIGINT');
    const { status, stderr } = await call.ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(/was cancelled .* \[cancelled\]\n$/);
  });

  async function untilRunning(url: string): Promise<void> {
    const client = createClient({ hub: url, log: noLog() });
    await expect.poll(async () => (await client.hubStatus()).running, { timeout: 20_000 }).toBe(1);
    await client.stop();
  }
});

describe('what goes wrong', () => {
  test('without a hub is said with the address, the cause and the remedy', async () => {
    const { status, stderr } = await run([
      'call',
      'add',
      '1',
      '2',
      '--hub',
      'ws://127.0.0.1:9',
      '--connect-timeout',
      '300ms',
    ]);
    expect(status).toBe(1);
    expect(stderr).toBe(
      'holdfast: no hub at ws://127.0.0.1:9 within 300 ms: connect ECONNREFUSED 127.0.0.1:9; ' +
        'start one with `holdfast hub`, or name another with --hub or HOLDFAST_HUB [not_connected]\n',
    );
  });

  test('with the wrong token ends nodes, calls and status with the reason', async () => {
    const { url } = await startHub(['--token', 'right']);
    const wrong = ['--hub', url, '--token', 'wrong'];
    const [node, call, status, none] = await Promise.all([
      run(['node', '--functions', functions, '--log-level', 'silent', ...wrong]),
      run(['call', 'add', '1', '2', ...wrong]),
      run(['status', '--watch', ...wrong]),
      run(['call', 'add', '1', '2', '--hub', url]),
    ]);
    for (const { status: code, stderr } of [node, call, status, none]) {
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /for good: .*wrong token; check --token, or HOLDFAST_TOKEN \[registration_refused\]\n$/,
      );
    }
    const right = await run(['status', '--json'], { HOLDFAST_HUB: url, HOLDFAST_TOKEN: 'right' });
    expect(right.status).toBe(0);
  });

  test('with the port of another hub names the remedy', async () => {
    const { url } = await startHub();
    const { status, stderr } = await run(['hub', '--port', new URL(url).port]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/the port is taken; choose another one with --port.* \[EADDRINUSE\]\n$/);
  });

  test('with options is said before anything is started', async () => {
    const [exposed, unit, tls, file] = await Promise.all([
      run(['hub', '--host', '0.0.0.0', '--port', '0']),
      run(['hub', '--session-grace', '10']),
      run(['hub', '--port', '0', '--tls-cert', functions]),
      run(['node', '--functions', join(folder, 'nowhere.mjs')]),
    ]);
    expect(exposed.stderr).toContain('pass a token, or listen on 127.0.0.1 [invalid_option]');
    expect(unit.stderr).toContain('It has no unit: say 10s or 10ms.');
    expect(tls.stderr).toContain('TLS needs both --tls-cert and --tls-key');
    expect(file.stderr).toContain('there is no file');
    expect([exposed, unit, tls, file].map(({ status }) => status)).toEqual([1, 1, 1, 1]);
  });
});

describe('what it says of itself', () => {
  test('is its version, and help with examples for every command', async () => {
    const [version, ...helps] = await Promise.all([
      run(['--version']),
      ...['hub', 'node', 'call', 'status', 'demo'].map((command) => run([command, '--help'])),
    ]);
    expect(version).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
    for (const { status, stdout } of helps) {
      expect(status).toBe(0);
      expect(stdout).toMatch(/^Usage: holdfast \w+ \[options\]/);
    }
    expect(helps.slice(0, 4).every(({ stdout }) => stdout.includes('Examples:'))).toBe(true);
  });

  test('is JSON for scripts: the address of the hub', async () => {
    const hub = new Command(['hub', '--port', '0', '--json', '--log-level', 'silent']);
    await hub.match(/\n/);
    expect(JSON.parse(hub.stdout)).toMatchObject({
      url: expect.stringMatching(/^ws:/) as string,
      host: '127.0.0.1',
    });
    hub.kill('SIGTERM');
    expect(await hub.ended).toMatchObject({ status: 0, stderr: '' });
  });
});
