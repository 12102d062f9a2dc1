// `holdfast inspect`: what it shows, where, and what it says when it cannot.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Told } from '../../../src/protocol/inspection.ts';
import { eventually } from '../../chaos/eventually.ts';
import { look } from '../../conformance/inspection/looking.ts';
import { Command, endAll, run, startHub } from './command.ts';

let folder: string;
const file = (name: string): string => join(folder, name);
const line = (fields: object): string =>
  `${JSON.stringify({ actor: 'a', machine: 'door', seq: 1, at: 3, event: { type: 'e' }, ...fields })}\n`;
const hello = { kind: 'hello', version: 1, process: 'hub/a', role: 'hub', name: 'old', at: 5, may: [] };
const trace = {
  holdfast: 'trace',
  version: 1,
  system: 'pair',
  kind: 'always',
  property: 'never',
  parts: [{ name: 'lamp', state: 'off' }],
  steps: [],
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-inspect-'));
  await writeFile(file('recording.ndjson'), `${JSON.stringify(hello)}\n{"kind":"new"}\n`);
  await writeFile(
    file('log.ndjson'),
    line({ from: null, to: 'shut' }) + line({ seq: 2, from: 'shut', to: 'ajar' }),
  );
  await writeFile(file('trace.json'), JSON.stringify(trace, null, 2));
  await writeFile(file('letter.txt'), 'Dear all,\n');
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Shown {
  readonly command: Command;
  readonly url: string;
  readonly appUrl: string | undefined;
}

async function start(...args: string[]): Promise<Shown> {
  const command = new Command(['inspect', ...args, '--port', '0', '--json']);
  const [text] = await command.match(/\{"url":.*\}/);
  const { url, appUrl } = JSON.parse(text) as { url: string; appUrl?: string };
  return { command, url, appUrl };
}

const toldBy = async ({ url }: Shown): Promise<Told[]> => {
  const viewer = await look(url.replace(/^http/, 'ws').replace(/\/$/, ''));
  await eventually('all of it', () => viewer.told.length > 0);
  return viewer.told;
};

test('without an argument it waits for apps, and a signal ends it', async () => {
  const { command, url, appUrl } = await start();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(appUrl).toBe(url.replace(/^http/, 'ws').replace(/\/$/, ''));
  const page = await fetch(url);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  command.kill('SIGTERM');
  expect(await command.ended).toMatchObject({ status: 0 });
});

test('a recording, a transition log and a trace are told by what is in the file', async () => {
  const files = ['recording.ndjson', 'log.ndjson', 'trace.json'];
  const [recording, logged, traced] = await Promise.all(files.map((name) => start(file(name))));
  expect(await toldBy(recording!)).toEqual([hello]);
  expect(recording!.command.stderr).toContain('1 lines are passed over; line 2');
  const log = await toldBy(logged!);
  expect(log.map(({ kind }) => kind)).toEqual(['hello', 'process', 'machine', 'step', 'step']);
  const checked = await toldBy(traced!);
  expect(checked[0]).toMatchObject({ role: 'checker', name: 'pair' });
});

test('the stream of a hub is passed on, with the token', async () => {
  const { url } = await startHub(['--token', 'sesame']);
  const told = await toldBy(await start(url, '--token', 'sesame'));
  expect(told[0]).toMatchObject({ kind: 'hello', role: 'hub' });
});

test('what cannot be shown is refused with what is wrong', async () => {
  const refusals: [what: string[], why: RegExp][] = [
    [[file('nowhere.ndjson')], /nowhere\.ndjson cannot be read: ENOENT/],
    [
      [file('letter.txt')],
      /letter\.txt cannot be shown: it is neither a recording .* nor a transition log .* nor a trace/,
    ],
    [['ws://127.0.0.1:1'], /ws:\/\/127\.0\.0\.1:1\/inspect shows no machines: .*ECONNREFUSED.*; is it a hub/],
    [['--stately', 'there'], /--stately is an address such as .*, and there is none/],
  ];
  const ended = await Promise.all(refusals.map(([what]) => run(['inspect', ...what, '--port', '0'])));
  for (const [index, { status, stderr }] of ended.entries()) {
    expect(stderr).toMatch(refusals[index]![1]);
    expect(status).toBe(1);
  }
});
