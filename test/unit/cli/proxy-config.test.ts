// The file of `holdfast proxy --config`, and its `--endpoint` flags: what they mean, and what is said of each mistake.
// Invariant of all: no mistake's message holds a secret.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { nearest } from '../../../src/cli/nearest.ts';
import { parseEndpoint } from '../../../src/cli/proxy-endpoint.ts';
import { describeChanges, planOfFile, planOfFlags } from '../../../src/cli/proxy-plan.ts';

const SECRET = 'sk-do-not-show-7f3a';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, 'proxy.json');
  writeFileSync(file, text);
  return file;
}

/** What is said of it, without the file's name. */
function complaint(text: string): string {
  const file = fileWith(text);
  try {
    planOfFile(file);
  } catch (error) {
    const { message } = error as Error;
    expect(message.startsWith(file)).toBe(true);
    return message.slice(file.length);
  }
  throw new Error(`it was accepted: ${text}`);
}

const of = (fields: object): string =>
  JSON.stringify({ endpoints: [{ url: 'https://a.example' }], ...fields });
const with1 = (fields: object): string =>
  JSON.stringify({ endpoints: [{ url: 'https://a.example', ...fields }] });

test('a file becomes the options of a proxy; keys come from where it names', () => {
  vi.stubEnv('MAIN_KEY', ` ${SECRET}\n`);
  writeFileSync(join(folder, 'spare.key'), 'from-file\n');
  const { settings, fixed, files } = planOfFile(
    fileWith(
      JSON.stringify({
        endpoints: [
          { url: 'https://api.example:8443/v1', keyEnv: 'MAIN_KEY', keyHeader: 'x-api-key', weight: 2.5 },
          { id: 'spare', url: 'http://127.0.0.1:1', keyFile: 'spare.key', priority: 1, headers: { a: 'b' } },
        ],
        selection: 'weighted',
        affinity: { cookie: 'session' },
        timeouts: { idleMs: 5 },
        healthCheck: { path: '/v1/models', status: [200, 204] },
        classification: { failure: ['5xx', 429] },
        hedgeAfterMs: 50,
        ejectionMs: 10,
      }),
    ),
  );
  vi.unstubAllEnvs();
  expect(settings).toEqual({
    endpoints: [
      {
        id: 'api.example:8443',
        url: 'https://api.example:8443/v1',
        key: SECRET,
        keyHeader: 'x-api-key',
        weight: 2.5,
      },
      { id: 'spare', url: 'http://127.0.0.1:1', key: 'from-file', priority: 1, headers: { a: 'b' } },
    ],
    timeouts: { idleMs: 5 },
    affinity: { cookie: 'session' },
    repeat: undefined,
    hedgeAfterMs: 50,
  });
  expect(fixed).toEqual({
    selection: 'weighted',
    healthCheck: { path: '/v1/models', status: [200, 204] },
    classification: { failure: ['5xx', 429] },
    ejectionMs: 10,
  });
  expect([...files.keys()]).toEqual([join(folder, 'proxy.json'), join(folder, 'spare.key')]);
});

describe('each mistake has its own message, with place, value and remedy', () => {
  test.each([
    [
      '[]',
      ': it is an empty list; the file must hold an object, such as { "endpoints": [{ "url": "https://api.example.com" }] }',
    ],
    [
      '{}',
      ': endpoints is missing; it must be a list, such as [{ "url": "https://api.example.com", "keyEnv": "EXAMPLE_KEY" }]',
    ],
    [
      '{"endpoints":[]}',
      ': endpoints is an empty list; it must be a list, such as [{ "url": "https://api.example.com", "keyEnv": "EXAMPLE_KEY" }]',
    ],
    [
      '{"endpoints":["https://a.example"]}',
      ': endpoints[0] is "https://a.example"; it must be an object, such as { "url": "https://api.example.com" }',
    ],
    [
      '{"endpoints":[{}]}',
      ': endpoints[0].url is missing; give the address of the API, such as https://api.example.com',
    ],
    [
      with1({ url: 'a.example' }),
      ': endpoints[0].url is "a.example"; it must begin with https:// or http://, such as https://api.example.com',
    ],
    [with1({ weight: '3' }), ': endpoints[0].weight is "3"; it must be a number above 0'],
    [with1({ weight: 0 }), ': endpoints[0].weight is 0; it must be a number above 0'],
    [
      with1({ priority: 1.5 }),
      ': endpoints[0].priority is 1.5; it must be a whole number; the lowest serves first',
    ],
    [with1({ wieght: 3 }), ': endpoints[0].wieght is not known; did you mean weight?'],
    [with1({ key_env: 'A' }), ': endpoints[0].key_env is not known; did you mean keyEnv?'],
    [
      with1({ colour: 'red' }),
      ': endpoints[0].colour is not known; known are id, url, weight, priority, keyEnv, keyFile, keyHeader, headers',
    ],
    [
      with1({ keyEnv: 'NOT_SET_ANYWHERE' }),
      ': endpoints[0].keyEnv names a variable NOT_SET_ANYWHERE that is not set; set it, or use "keyFile"',
    ],
    [
      with1({ keyFile: 'nowhere.key' }),
      `: endpoints[0].keyFile cannot be read: ENOENT: no such file or directory, open '${join(folder, 'nowhere.key')}'`,
    ],
    [
      with1({ keyEnv: 'HOME', keyFile: 'a' }),
      ': endpoints[0] has both "keyEnv" and "keyFile"; leave one out',
    ],
    [
      of({ selection: 'best' }),
      ': selection is "best"; choose one of priority, weighted, roundRobin, leastInFlight, latency, random',
    ],
    [
      of({ affinity: { ip: true } }),
      ': affinity is an object; say what tells a session: { "header": "x-session" } or { "cookie": "session" }',
    ],
    [of({ repeat: true }), ': repeat is true; choose idempotent or all'],
    [of({ timeouts: { idle: 5 } }), ': timeouts.idle is not known; did you mean idleMs?'],
    [of({ limits: { bodyBytes: '1 MB' } }), ': limits.bodyBytes is "1 MB"; it must be a number'],
    [
      of({ healthCheck: '/health' }),
      ': healthCheck is "/health"; it must be an object, such as { "path": "/health" }',
    ],
    [
      of({ healthCheck: { status: '200' } }),
      ': healthCheck.status is "200"; give statuses, such as 200 or [200, 204]',
    ],
    [
      of({ classification: { failure: ['teapot'] } }),
      ': classification.failure[0] is "teapot"; give a list of statuses and classes, such as [429, "5xx"]',
    ],
    [of({ consecutivefailures: 3 }), ': consecutivefailures is not known; did you mean consecutiveFailures?'],
    [of({ ejectionMs: '30s' }), ': ejectionMs is "30s"; it must be a number of milliseconds'],
    [of({ port: 8080 }), ': port is not known; it is the flag --port'],
    [
      JSON.stringify({ endpoints: [{ url: 'https://a.example' }, { url: 'https://a.example/v2' }] }),
      ': endpoints[1] has the id of another one, a.example; give it an "id" of its own',
    ],
  ])('%s', (text, said) => {
    expect(complaint(text)).toBe(said);
  });

  test('several mistakes have a line each', () => {
    expect(complaint(of({ selection: 1, hedgeAfterMs: true, endpiont: [] }))).toBe(
      ': 3 mistakes\n' +
        '  selection is 1; choose one of priority, weighted, roundRobin, leastInFlight, latency, random\n' +
        '  hedgeAfterMs is true; it must be a number of milliseconds\n' +
        '  endpiont is not known; did you mean endpoints?',
    );
  });

  test('what is no JSON is told with its line', () => {
    expect(complaint('{\n  "endpoints": [\n    { "url" "https://a.example" }\n  ]\n}')).toMatch(
      /^: it is no JSON: Expected ':' after property name, line 3$/,
    );
    expect(complaint('{\n  "endpoints": tru\n}')).toMatch(
      /^: it is no JSON: Unexpected token .*, lines? \d/s,
    );
    expect(complaint('')).toBe(': it is no JSON: Unexpected end of JSON input');
    expect(() => planOfFile(join(folder, 'absent.json'))).toThrow(/absent\.json: it cannot be read: ENOENT/);
  });
});

test('no complaint repeats what may be a key', () => {
  writeFileSync(join(folder, 'bad.key'), `${SECRET}\nand more`);
  writeFileSync(join(folder, 'empty.key'), '\n');
  for (const text of [
    with1({ key: SECRET }),
    with1({ keyEnv: SECRET }),
    with1({ keyEnv: 7, apiKey: SECRET }),
    with1({ keyFile: 'bad.key' }),
    with1({ keyFile: 'empty.key' }),
    with1({ url: `https://user:${SECRET}@a.example` }),
    with1({ url: `user:${SECRET}@a.example` }),
    with1({ url: `https://a.example?key=${SECRET}` }),
    with1({ headers: { authorization: [SECRET] } }),
    `{"endpoints":[{"url":"https://a.example","keyEnv":${SECRET}}]}`,
    `{"endpoints":[{"url":"https://a.example","keyEnv":"${SECRET}]}`,
    `{"endpoints":[{"keyEnv":"${SECRET}" "url":"https://a.example"}]}`,
  ]) {
    const said = complaint(text);
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain('do-not');
  }
  expect(complaint(with1({ key: SECRET }))).toBe(
    ': endpoints[0].key is not known; keys do not stand here: name an environment variable with "keyEnv", or a file with "keyFile"',
  );
});

describe('--endpoint', () => {
  test('says the same as the file', () => {
    expect(parseEndpoint('https://a.example/v1', 0)).toEqual({ url: 'https://a.example/v1' });
    expect(parseEndpoint('https://a.example,key=A_KEY,weight=2.5,priority=1,id=main', 0)).toEqual({
      url: 'https://a.example',
      keyEnv: 'A_KEY',
      weight: 2.5,
      priority: 1,
      id: 'main',
    });
    expect(planOfFlags({ endpoints: [parseEndpoint('http://a.example/x', 0)] }).settings.endpoints).toEqual([
      { id: 'a.example', url: 'http://a.example/x' },
    ]);
  });

  test.each([
    ['https://a.example,wieght=2', '--endpoint 3: an endpoint has no wieght; did you mean weight?'],
    [
      'https://a.example,colour=red',
      '--endpoint 3: an endpoint has no colour; known are id, key, keyFile, keyHeader, weight, priority',
    ],
    ['https://a.example,id=a,id=b', '--endpoint 3: it says id twice; leave one out'],
    ['https://a.example,key=', '--endpoint 3: its key is empty; write key=…, or leave it out'],
  ])('%s is told as what it is', (text, said) => {
    expect(() => parseEndpoint(text, 2)).toThrow(said);
  });

  test('what is no number is told with the rest', () => {
    const endpoints = ['https://a.example,weight=heavy', 'ftp://b.example'].map(parseEndpoint);
    expect(() => planOfFlags({ endpoints })).toThrow(
      'the flags: 2 mistakes\n  endpoints[0].weight is "heavy"; it must be a number above 0\n  endpoints[1].url is',
    );
  });
});

test('what a new file brings is told by name, and never by value', () => {
  const before = {
    endpoints: [
      { id: 'a', url: 'http://a', key: 'old' },
      { id: 'b', url: 'http://b' },
    ],
  };
  const after = {
    endpoints: [
      { id: 'a', url: 'http://a', key: SECRET, weight: 2 },
      { id: 'c', url: 'http://c' },
    ],
    hedgeAfterMs: 5,
  };
  expect(describeChanges(before, after)).toEqual([
    'added c',
    'removed b',
    'changed a (key, weight)',
    'changed hedgeAfterMs',
  ]);
  expect(describeChanges(after, after)).toEqual([]);
  const many = Array.from({ length: 40 }, (_, i) => ({ id: `n${i}`, url: 'http://n' }));
  expect(describeChanges({ endpoints: many }, { endpoints: many.slice(0, 1) })).toEqual([
    'removed n1, n2, n3, n4, n5, n6, n7, n8 and 31 more',
  ]);
});

test('the nearest name is a slip of the fingers away, or there is none', () => {
  const names = ['endpoints', 'selection', 'hedgeAfterMs', 'rise', 'name'];
  expect(nearest('endpionts', names)).toBe('endpoints');
  expect(nearest('hedge-after-ms', names)).toBe('hedgeAfterMs');
  expect(nearest('HEDGEAFTER', names)).toBe('hedgeAfterMs');
  expect(nearest('nmae', names)).toBe('name');
  expect(nearest('colour', names)).toBeUndefined();
  expect(nearest('x', names)).toBeUndefined();
});
