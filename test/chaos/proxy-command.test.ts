// `holdfast proxy` while things happen to it: its configuration changes under load, and it is killed.
// Invariant of all: a client never loses a request to what an operator does.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import {
  EVENTS,
  LAST,
  answer,
  event,
  named,
  rawUpstream,
  type RawUpstream,
} from '../conformance/proxy-upstreams.ts';
import { endAll, run, startProxy, type Command } from '../unit/cli/command.ts';
import { eventually } from './eventually.ts';

const SECRET = 'sk-do-not-show-7f3a';

afterEach(endAll);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-proxy-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Answers after a while, so that there is always something under way; paths that begin with /stream wait to be finished. */
async function slow(name: string): Promise<RawUpstream> {
  return rawUpstream((socket, { head }) => {
    if (head.startsWith('GET /stream')) socket.write(EVENTS + event(name));
    else setTimeout(() => socket.write(answer(200, name)), 10);
  });
}

/** Requests, some at a time, one after the other, until it is stopped. */
class Load {
  answered = 0;
  readonly lost: string[] = [];
  readonly #lanes: Promise<void>[];
  #phase: 'running' | 'stopped' = 'running';

  constructor(url: string, lanes = 6) {
    this.#lanes = Array.from({ length: lanes }, () => this.#run(url));
  }

  /** Resolves when so many more have been answered. */
  async more(requests: number): Promise<void> {
    const wanted = this.answered + requests;
    await eventually(`${requests} more answers`, () => this.answered >= wanted || this.lost.length > 0);
  }

  async stop(): Promise<void> {
    this.#phase = 'stopped';
    await Promise.all(this.#lanes);
  }

  async #run(url: string): Promise<void> {
    while (this.#phase === 'running') {
      try {
        const response = await fetch(`${url}/x`);
        const text = await response.text();
        if (response.status === 200) this.answered += 1;
        else this.lost.push(`${response.status} ${text}`);
      } catch (error) {
        this.lost.push(String((error as Error).cause ?? error));
        if (this.lost.length > 100) return;
      }
    }
  }
}

/** What the log says from here on. */
async function says(proxy: Command, pattern: RegExp, act: () => void): Promise<string> {
  const before = proxy.stderr.length;
  act();
  await eventually(String(pattern), () => pattern.test(proxy.stderr.slice(before)));
  return proxy.stderr.slice(before);
}

test('a configuration that changes under load loses no request; one with a mistake changes nothing; no key is told', async () => {
  const [a, b] = await Promise.all([slow('a'), slow('b')]);
  const place = folder();
  const file = join(place, 'proxy.json');
  const keyFile = join(place, 'b.key');
  writeFileSync(keyFile, `${SECRET}-1`);
  const ofA = { id: 'a', url: a.url };
  const ofB = { id: 'b', url: b.url, keyFile: 'b.key' };
  const write = (config: unknown): void =>
    writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  write({ endpoints: [ofA] });
  const { proxy, url, admin } = await startProxy(['--config', file]);
  const load = new Load(url);
  const stream = await fetch(`${url}/stream`);
  await load.more(20);

  // Replaced as a whole, as deployments do.
  await says(proxy, /a file has changed: added b"/, () => {
    writeFileSync(`${file}.new`, JSON.stringify({ endpoints: [ofA, ofB], selection: 'roundRobin' }));
    renameSync(`${file}.new`, file);
  });
  expect(proxy.stderr).toMatch(/a restart is needed for what the configuration says of selection"/);
  await load.more(20);
  expect(b.got.length).toBeGreaterThan(0);
  expect(b.got.at(-1)?.head).toContain(`authorization: Bearer ${SECRET}-1`);

  // Written in place, and told by a signal.
  await says(proxy, /SIGHUP: removed a; changed b \(weight\); changed timeouts"/, () => {
    write({ endpoints: [{ ...ofB, weight: 2 }], timeouts: { idleMs: 5_000 } });
    proxy.kill('SIGHUP');
  });
  await load.more(20);
  const sentToA = a.got.length;
  await load.more(40);
  expect(a.got.length).toBe(sentToA);

  for (const [mistaken, said] of [
    ['{ "endpoints": [', /the old one stays: .*proxy\.json: it is no JSON/],
    [
      { endpoints: [{ url: `https://u:${SECRET}@b` }] },
      /the old one stays: .*endpoints\[0\]\.url is .*leave out user/,
    ],
    [
      { endpoints: [ofB], timeouts: { idleMs: 0 } },
      /the old one stays: option timeouts\.idleMs is 0; it must be/,
    ],
  ] as const) {
    await says(proxy, said, () => {
      write(mistaken);
      proxy.kill('SIGHUP');
    });
    await load.more(20);
  }

  await says(proxy, /a file has changed: added a; changed b \(weight, key\); changed timeouts"/, () => {
    writeFileSync(keyFile, `${SECRET}-22`);
    write({ endpoints: [ofB, ofA] });
  });
  const sentToB = b.got.length;
  await eventually('the new key is in use', () =>
    b.got.slice(sentToB).some(({ head }) => head.includes(`${SECRET}-22`)),
  );
  await load.more(20);
  await load.stop();
  expect(load.lost).toEqual([]);
  // It began at an endpoint that was taken away, and brought back as another one, meanwhile.
  a.got.find(({ head }) => head.startsWith('GET /stream'))?.socket.write(event('last') + LAST);
  expect(await stream.text()).toBe('data: a\n\ndata: last\n\n');

  const status = await (await fetch(`${admin}/status`)).text();
  proxy.kill('SIGTERM');
  const { stdout, stderr } = await proxy.ended;
  expect(stderr + stdout + status).not.toContain('do-not-show');
});

test('the same load notices a restart in place of a reload', async () => {
  const a = await slow('a');
  const first = await startProxy(['--endpoint', a.url]);
  const load = new Load(first.url);
  await load.more(20);
  first.proxy.kill('SIGKILL');
  await first.proxy.ended;
  await startProxy(['--endpoint', a.url, '--port', new URL(first.url).port]);
  await load.stop();
  expect(load.lost.length).toBeGreaterThan(0);
});

interface Queued {
  readonly status: { readonly size: number; readonly totalFailed: number };
  readonly entries: readonly { readonly endpoint: string; readonly remainingMs: number }[];
}

const queueOf = async (admin: string): Promise<Queued> =>
  (await fetch(`${admin}/queue`)).json() as Promise<Queued>;

/** A proxy whose endpoint `ill` is ejected for ten minutes, killed when so much of these is over, and its successor. */
async function killedAndStarted(
  store: string,
  spentMs: number,
): Promise<{ first: number; atKill: number; ill: RawUpstream; url: string; admin: string }> {
  const ill = await rawUpstream((socket) => socket.write(answer(500, 'no')));
  const well = await named('well');
  const file = join(folder(), 'proxy.json');
  const endpoints = [
    { id: 'ill', url: ill.url },
    { id: 'well', url: well.url, priority: 1 },
  ];
  writeFileSync(
    file,
    JSON.stringify({ endpoints, consecutiveFailures: 1, ejectionMs: 600_000, maxEjectionMs: 600_000 }),
  );
  const args = ['--config', file, '--store', store];
  const { proxy, url, admin } = await startProxy(args);
  expect(await (await fetch(url)).text()).toBe('well');
  const remaining = async (): Promise<number> => (await queueOf(admin)).entries[0]?.remainingMs ?? NaN;
  const first = await remaining();
  // What is left is written down each second.
  const atKill = await eventually('some of its time is over', async () => {
    const now = await remaining();
    return now <= first - spentMs && now;
  });
  proxy.kill('SIGKILL');
  await proxy.ended;
  const again = await startProxy(args);
  return { first, atKill, ill, url: again.url, admin: again.admin };
}

test('the failure queue survives kill -9, with what was left of each time, and an operator decides afterwards', async () => {
  const { first, atKill, ill, url, admin } = await killedAndStarted(`file:${join(folder(), 'data')}`, 2_500);
  const { status, entries } = await queueOf(admin);
  expect(status).toMatchObject({ size: 1, totalFailed: 1 });
  expect(entries).toMatchObject([{ endpoint: 'ill' }]);
  const remainingMs = entries[0]?.remainingMs ?? NaN;
  // Neither a new budget, nor one that went on while nobody was there.
  expect(remainingMs).toBeLessThan(first - 1_000);
  expect(remainingMs).toBeGreaterThan(atKill - 60_000);
  expect(await (await fetch(url)).text()).toBe('well');
  expect(ill.got).toHaveLength(1);
  expect((await run(['queue', 'clear', '--admin', admin])).stdout).toBe('back in service, unproven: ill\n');
  await (await fetch(url)).text();
  expect(ill.got).toHaveLength(2);
});

test('without a store that lasts, the queue is gone, and the ill endpoint is asked first again', async () => {
  const { ill, url, admin } = await killedAndStarted('memory:', 0);
  expect((await queueOf(admin)).entries).toEqual([]);
  await (await fetch(url)).text();
  expect(ill.got).toHaveLength(2);
});
