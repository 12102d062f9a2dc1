// What commands print.
import { describe, expect, test } from 'vitest';
import { HoldfastError, RemoteFunctionError } from '../../../src/index.ts';
import { describeError, formatDuration, formatJson, formatResult } from '../../../src/cli/report.ts';
import { summary } from '../../../src/cli/repeat.ts';
import { formatNodes } from '../../../src/cli/table.ts';

test('durations are shown in the unit that a person reads', () => {
  const shown = [0.412, 12.4, 3_240, 59_999, 250_000, 7_500_000, 273_600_000].map(formatDuration);
  expect(shown).toEqual(['0.41 ms', '12 ms', '3.2 s', '60.0 s', '4 min 10 s', '2 h 5 min', '3 d 4 h']);
});

describe('results', () => {
  test('that are texts are printed as they are, and as JSON when asked', () => {
    expect(formatResult('hi')).toBe('hi');
    expect(formatJson('hi')).toBe('"hi"');
  });

  test('that are typed arrays are lists, big integers texts', () => {
    expect(formatResult(new Float32Array([1, 2.5]))).toBe('[1,2.5]');
    expect(formatResult({ ids: new BigInt64Array([7n]) })).toBe('{"ids":["7"]}');
  });

  test('of nothing print nothing, and null as JSON', () => {
    expect(formatResult(undefined)).toBeUndefined();
    expect(formatJson(undefined)).toBe('null');
  });
});

describe('errors', () => {
  test('of a remote function carry its name', () => {
    const error = new RemoteFunctionError('bad thing', { name: 'TypeError' });
    expect(describeError(error)).toEqual({ code: 'function_failed', message: 'TypeError: bad thing' });
  });

  test('of a refused registration point at the token', () => {
    const error = new HoldfastError('the hub refused c1 for good: wrong token', {
      code: 'registration_refused',
    });
    expect(describeError(error).message).toBe(
      'the hub refused c1 for good: wrong token; check --token, or HOLDFAST_TOKEN',
    );
  });

  test('of the system say what to do', () => {
    const error = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:7070'), {
      code: 'EADDRINUSE',
    });
    expect(describeError(error)).toEqual({
      code: 'EADDRINUSE',
      message:
        'listen EADDRINUSE: address already in use 127.0.0.1:7070: the port is taken; ' +
        'choose another one with --port, --admin-port, --listen or --etcd-api (0 = any free one)',
    });
  });

  test('that are no errors are shown too', () => {
    expect(describeError('just a text')).toEqual({ code: 'error', message: 'just a text' });
  });
});

describe('the summary of a series', () => {
  test('counts outcomes and gives median and maximum of those that went well', () => {
    const codes = new Map([
      ['ok', 3],
      ['timed_out', 1],
    ]);
    expect(summary(codes, [30, 1, 2], 1)).toBe(
      '4 calls: 3 ok, 1 timed_out; ok took 2.00 ms (median), 30 ms at most; 1 attempt to reconnect',
    );
  });

  test('of no call at all is one, too', () => {
    expect(summary(new Map(), [], 0)).toBe('0 calls; 0 attempts to reconnect');
  });
});

test('nodes are a table: sorted as people count, numbers to the right, unknown things as a dash', () => {
  const node = { running: 0, queued: 0, totalTasksExecuted: 7, latencyMs: 0, lastHeardMs: null, labels: {} };
  const lines = formatNodes([
    { ...node, id: 'n10', state: 'absent' },
    {
      ...node,
      id: 'n2',
      state: 'online',
      running: 12,
      latencyMs: 1.25,
      lastHeardMs: 420,
      labels: { gpu: 'true' },
    },
  ]);
  expect(lines).toEqual([
    'NODE  STATE   RUNNING  QUEUED  TASKS  LATENCY      HEARD  LABELS',
    'n2    online       12       0      7  1.25 ms  0.4 s ago  gpu=true',
    'n10   absent        0       0      7        -          -  -',
  ]);
});
