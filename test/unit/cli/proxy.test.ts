// `holdfast proxy` as operators use it: a real process, scripted upstreams, real signals.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  EVENTS,
  LAST,
  answer,
  deadUrl,
  event,
  named,
  rawUpstream,
  type RawUpstream,
} from '../../conformance/proxy-upstreams.ts';
import { endAll, run, startProxy } from './command.ts';

const SECRET = 'sk-do-not-show-7f3a';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-proxy-'));
afterEach(endAll);
afterAll(() => rmSync(folder, { recursive: true }));

/** Lines of a log that are about requests. */
function requestsIn(log: string): Record<string, unknown>[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"outcome"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('in front of endpoints', () => {
  test('passes requests on, fails over, and logs a line for each', async () => {
    const ill = await rawUpstream((socket) => socket.write(answer(503, 'no')));
    const alive = await named('alive');
    const { proxy, url } = await startProxy([
      ...['--endpoint', `${ill.url},id=ill`, '--repeat', 'all'],
      ...['--endpoint', `${alive.url}/base,id=alive,priority=1`],
    ]);
    const response = await fetch(`${url}/v1/chat?limit=3`, { method: 'POST', body: 'hello' });
    expect([response.status, await response.text()]).toEqual([200, 'alive']);
    expect(alive.got[0]?.head).toMatch(/^POST \/base\/v1\/chat\?limit=3 HTTP\/1\.1/);
    expect([ill.got[0]?.body, alive.got[0]?.body]).toEqual(['hello', 'hello']);
    await proxy.match(/"outcome"/);
    expect(requestsIn(proxy.stderr)).toMatchObject([
      {
        level: 30,
        method: 'POST',
        path: '/v1/chat?limit=3',
        status: 200,
        endpoint: 'alive',
        attempts: 2,
        failed: [{ endpoint: 'ill', status: 503, verdict: 'failure' }],
        outcome: 'answered',
        bytes: 5,
        msg: expect.stringMatching(
          /^POST \/v1\/chat\?limit=3 200 by alive in [\d.]+ ms, 5 bytes, after ill 503$/,
        ) as string,
      },
    ]);
  });

  test('a request that nobody answers is a warning with its reason', async () => {
    const { proxy, url } = await startProxy([
      '--endpoint',
      `${await deadUrl()},id=dead`,
      '--log-level',
      'warn',
    ]);
    expect((await fetch(`${url}/x`)).status).toBe(503);
    await proxy.match(/"outcome"/);
    expect(requestsIn(proxy.stderr)).toMatchObject([
      { level: 40, status: 503, outcome: 'failed', problem: expect.any(String) as string },
    ]);
  });

  test('keys reach their endpoints, and nothing else: no log, no status, no number, no error, no file holds one', async () => {
    const keyFile = join(folder, 'spare.key');
    writeFileSync(keyFile, `${SECRET}-file\n`);
    const transitions = join(folder, 'transitions.ndjson');
    const data = join(folder, 'data');
    const ill = await rawUpstream((socket) => socket.write(answer(503, 'no')));
    const well = await named('well');
    const { proxy, url, admin } = await startProxy(
      [
        ...['--endpoint', `${ill.url},id=ill,keyFile=${keyFile},keyHeader=x-api-key`],
        ...['--endpoint', `${well.url},id=well,key=THE_KEY,priority=1`],
        ...['--log-level', 'debug', '--transitions', transitions, '--store', `file:${data}`],
      ],
      { THE_KEY: SECRET, HOLDFAST_PROXY_TOKEN: `${SECRET}-token`, HOLDFAST_ADMIN_TOKEN: `${SECRET}-admin` },
    );
    const refused = await fetch(`${url}/v1/x?api_key=${SECRET}-query`);
    const asked = await fetch(`${url}/v1/x?api_key=${SECRET}-query`, {
      headers: { authorization: `Bearer ${SECRET}-token`, 'x-other': `${SECRET}-header` },
    });
    expect([refused.status, asked.status]).toEqual([401, 200]);
    // They are where they belong.
    expect(ill.got[0]?.head).toContain(`x-api-key: ${SECRET}-file\r\n`);
    expect(well.got[0]?.head).toContain(`authorization: Bearer ${SECRET}\r\n`);
    expect(well.got[0]?.head).not.toContain(`${SECRET}-token`);
    const shown = { headers: { authorization: `Bearer ${SECRET}-admin` } };
    const pages = await Promise.all(
      ['/status', '/metrics', '/queue', '/healthz', '/readyz', '/nowhere'].map(async (path) =>
        (await fetch(`${admin}${path}`, shown)).text(),
      ),
    );
    await proxy.match(/GET \/v1\/x\?api_key=redacted 200/);
    proxy.kill('SIGTERM');
    const { status, stdout, stderr } = await proxy.ended;
    expect(status).toBe(0);
    const files = [transitions, ...readdirSync(data).map((name) => join(data, name))];
    const written = files.map((file) => readFileSync(file, 'latin1'));
    const all = [stdout, stderr, await refused.text(), ...pages, ...written].join('\n');
    // Whoever searches finds what is there.
    expect(all).toContain('/v1/x?api_key=redacted');
    expect(all).toContain('holdfast_endpoint_failures_total{endpoint="ill"} 1');
    expect(all).toContain('"endpoint/ill"');
    expect(all).toContain('/holdfast/pools/default/');
    expect(all).not.toContain('do-not-show');
  });

  test('probes what is out of service, until it answers well', async () => {
    let isWell = false;
    const ill = await rawUpstream((socket) => socket.write(isWell ? answer(200, 'back') : answer(500, 'no')));
    const well = await named('well');
    const file = join(folder, 'probed.json');
    writeFileSync(
      file,
      JSON.stringify({
        endpoints: [
          { id: 'ill', url: ill.url },
          { id: 'well', url: well.url, priority: 1 },
        ],
        healthCheck: { path: '/health' },
        consecutiveFailures: 1,
        ejectionMs: 1,
        maxEjectionMs: 1,
        probeIntervalMs: 1,
      }),
    );
    const { proxy, url, admin } = await startProxy(['--config', file]);
    expect(await (await fetch(url)).text()).toBe('well');
    await ill.seen(3);
    expect(ill.got[1]?.head).toMatch(/^GET \/health HTTP/);
    isWell = true;
    await proxy.match(/endpoint ill .*(recovered|serves again|back in service|healthy)/);
    expect(await (await fetch(url)).text()).toBe('back');
    const queue = await run(['queue', 'status', '--admin', admin]);
    expect(queue.stdout).toMatch(/^0 in the queue: .* 1 failed, 1 recovered/);
  });
});

/** One event, then nothing until it is told to go on. */
async function stream(): Promise<{ upstream: RawUpstream; finish: () => void }> {
  const upstream = await rawUpstream((socket) => socket.write(EVENTS + event('first')));
  return { upstream, finish: () => upstream.got[0]?.socket.write(event('last') + LAST) };
}

describe('signals', () => {
  test('let a stream that runs come to its end, take nothing new, and end with status 0', async () => {
    const { upstream, finish } = await stream();
    const { proxy, url, admin } = await startProxy(['--endpoint', upstream.url]);
    const response = await fetch(`${url}/v1/chat`);
    await upstream.seen(1);
    proxy.kill('SIGTERM');
    await proxy.match(/waits for 1 requests/);
    await expect(fetch(`${url}/v1/chat`)).rejects.toThrow('fetch failed');
    // Balancers hear that it takes nothing more, as long as it is there.
    expect((await fetch(`${admin}/readyz`)).status).toBe(503);
    expect((await fetch(`${admin}/healthz`)).status).toBe(200);
    finish();
    expect(await response.text()).toBe('data: first\n\ndata: last\n\n');
    expect(await proxy.ended).toMatchObject({ status: 0 });
    expect(requestsIn(proxy.stderr)).toMatchObject([{ outcome: 'answered' }]);
  });

  test('the second one ends it at once: its clients see that the answer is not whole', async () => {
    const { upstream } = await stream();
    const { proxy, url } = await startProxy(['--endpoint', upstream.url]);
    const response = await fetch(`${url}/v1/chat`);
    proxy.kill('SIGINT');
    await proxy.match(/waits for 1 requests/);
    proxy.kill('SIGINT');
    expect(await proxy.ended).toMatchObject({ status: 130 });
    await expect(response.text()).rejects.toThrow('terminated');
  });

  test('a drain that takes too long says so to who still waits, and never in silence', async () => {
    const { upstream } = await stream();
    const { proxy, url } = await startProxy(['--endpoint', upstream.url, '--drain-timeout', '50ms']);
    const response = await fetch(`${url}/v1/chat`);
    proxy.kill('SIGTERM');
    await expect(response.text()).rejects.toThrow('terminated');
    expect(await proxy.ended).toMatchObject({ status: 0 });
    expect(requestsIn(proxy.stderr)).toMatchObject([{ outcome: 'cut' }]);
  });
});

describe('a look at a running one', () => {
  test('is one table where there is no terminal, and JSON for scripts', async () => {
    const well = await named('well');
    const file = join(folder, 'watched.json');
    const endpoints = [
      { id: 'dead', url: await deadUrl() },
      { id: 'well', url: well.url, priority: 1 },
    ];
    writeFileSync(file, JSON.stringify({ endpoints, consecutiveFailures: 3 }));
    const { url, admin } = await startProxy(['--config', file]);
    // Each of the first three tries the dead one first.
    for (let i = 0; i < 5; i++) await (await fetch(url)).text();
    const [table, json] = await Promise.all([
      run(['proxy', '--watch', '--interval', '10ms', '--admin', admin]),
      run(['proxy', '--watch', '--json'], { HOLDFAST_ADMIN: admin }),
    ]);
    expect(table).toMatchObject({ status: 0, stderr: '' });
    expect(table.stdout).toMatch(/^holdfast proxy http:\/\/127\.0\.0\.1:\d+ {2}● serving {2}priority, up /);
    expect(table.stdout).toMatch(/^[\d.]+ req\/s {2}0 in flight {2}5 answered {2}0 cut/m);
    expect(table.stdout).toMatch(/^dead +○ ejected #1 +\d+\.\d s +0 +0\.0 +3 +3 +- +- +http/m);
    expect(table.stdout).toMatch(/^well +● healthy +0 +[\d.]+ +5 +0 +[\d.]+ ms/m);
    expect(table.stdout).toMatch(/^queue 1 waiting {2}0 probed {2}0 held {2}ever 1 failed/m);
    expect(table.stdout).not.toContain('\x1b');
    expect(JSON.parse(json.stdout)).toMatchObject({
      proxy: { url, state: 'serving', outcomes: { answered: 5 } },
      pool: {
        endpoints: [
          { id: 'dead', failedRequests: 3 },
          { id: 'well', totalRequests: 5 },
        ],
      },
      queue: [{ endpoint: 'dead', phase: 'waiting' }],
    });
  });
});

test('what is wrong with flags is told, each by its own message, before anything is opened', async () => {
  const taken = await named('taken');
  const port = new URL(taken.url).port;
  const some = ['--endpoint', 'http://127.0.0.1:1'];
  const told: readonly (readonly [args: string[], said: RegExp])[] = [
    [[], /there is no endpoint; give --endpoint URL, once or more, or --config FILE \[invalid_option\]/],
    [['--watch', ...some], /'--watch' cannot be used with option '--endpoint/],
    [['--config', 'a.json', ...some], /'--config <file>' cannot be used with option '--endpoint/],
    [
      [...some, '--admin-host', '0.0.0.0'],
      /the admin API at 0\.0\.0\.0 can be reached from other machines: it needs a token/,
    ],
    [
      [...some, '--port', '0', '--admin-port', port],
      /EADDRINUSE.*choose another one with --port, --admin-port/,
    ],
  ];
  await Promise.all(
    told.map(async ([args, said]) => {
      const { status, stdout, stderr } = await run(['proxy', ...args]);
      expect(stderr).toMatch(said);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    }),
  );
});

test('it warns where others could read a key, and refuses to listen where they could use it', async () => {
  const { status, stderr } = await run(
    ['proxy', '--endpoint', 'http://10.255.255.1,key=THE_KEY,id=a', '--host', '0.0.0.0', '--port', '0'],
    { THE_KEY: SECRET },
  );
  expect(stderr).toMatch(/the key of a travels to 10\.255\.255\.1 unencrypted/);
  expect(stderr).toMatch(/host is 0\.0\.0\.0; .*give a token, or listen on 127\.0\.0\.1 \[invalid_option\]/);
  expect(status).toBe(1);
});
