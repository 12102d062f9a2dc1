// The request log of `holdfast proxy`: which lines there are at which level, and what they say.
import { expect, test } from 'vitest';
import { logRequests } from '../../../src/cli/proxy-log.ts';
import type { ExchangeRecord, Log } from '../../../src/index.ts';

type Line = readonly [level: string, fields: Readonly<Record<string, unknown>>, message: string];

function lines(level: Parameters<typeof logRequests>[1], records: readonly ExchangeRecord[]): Line[] {
  const written: Line[] = [];
  const write =
    (name: string) =>
    (fields: object, message: string): void =>
      void written.push([name, fields as Line[1], message]);
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const tell = logRequests(log, level);
  for (const record of records) tell?.(record);
  return written;
}

const answered: ExchangeRecord = {
  id: 'p-1',
  method: 'POST',
  target: '/v1/chat?api_key=redacted',
  remoteAddress: '10.0.0.9',
  outcome: 'answered',
  status: 200,
  endpoint: 'b',
  attempts: [
    { endpoint: 'a', status: undefined, fault: 'connect_timeout', verdict: 'failure', durationMs: 5_000.004 },
    { endpoint: 'b', status: 200, fault: undefined, verdict: 'success', durationMs: 1_200 },
  ],
  refusal: 'settled',
  problem: undefined,
  firstByteMs: 5_300.126,
  durationMs: 6_200.5,
  bytes: 3_402,
};
const cut: ExchangeRecord = {
  ...answered,
  outcome: 'cut',
  attempts: answered.attempts.slice(1),
  problem: 'endpoint b sent nothing for 60000 ms',
};
const refused: ExchangeRecord = {
  ...answered,
  outcome: 'refused',
  status: 401,
  endpoint: undefined,
  attempts: [],
  refusal: undefined,
};
const failed: ExchangeRecord = { ...refused, outcome: 'failed', status: 503, refusal: 'retry_budget' };

test('a request is one line: what was asked, what came of it, by whom, after what', () => {
  expect(lines('info', [answered, cut, refused])).toEqual([
    [
      'info',
      {
        id: 'p-1',
        method: 'POST',
        path: '/v1/chat?api_key=redacted',
        status: 200,
        endpoint: 'b',
        attempts: 2,
        failed: [
          {
            endpoint: 'a',
            status: undefined,
            fault: 'connect_timeout',
            verdict: 'failure',
            durationMs: 5_000,
          },
        ],
        outcome: 'answered',
        refusal: undefined,
        problem: undefined,
        durationMs: 6_200.5,
        firstByteMs: 5_300.13,
        bytes: 3_402,
        client: '10.0.0.9',
      },
      'POST /v1/chat?api_key=redacted 200 by b in 6.2 s, 3402 bytes, after a connect_timeout',
    ],
    [
      'warn',
      expect.objectContaining({ outcome: 'cut', attempts: 1 }) as object,
      'POST /v1/chat?api_key=redacted 200 by b in 6.2 s, 3402 bytes: endpoint b sent nothing for 60000 ms',
    ],
    [
      'info',
      expect.objectContaining({ outcome: 'refused', attempts: 0, endpoint: undefined }) as object,
      'POST /v1/chat?api_key=redacted 401 in 6.2 s, 3402 bytes',
    ],
  ]);
});

test('levels leave out what nobody wants to see', () => {
  const all = [answered, cut, refused, failed];
  const outcomes = (level: Parameters<typeof logRequests>[1]): unknown[] =>
    lines(level, all).map(([, { outcome }]) => outcome);
  expect(outcomes('debug')).toEqual(['answered', 'cut', 'refused', 'failed']);
  expect(outcomes('warn')).toEqual(['cut', 'failed']);
  expect(outcomes('error')).toEqual([]);
  expect(outcomes('silent')).toEqual([]);
  expect(lines('warn', [failed])[0]?.[1]).toMatchObject({ refusal: 'retry_budget' });
});

test('a terminal that shows the line obeys nothing that a client wrote', () => {
  const [line] = lines('info', [{ ...refused, target: '/\x9b31m\x1b[2J\r\n/é' }]);
  expect(line?.[2]).toMatch(/^POST \/\ufffd31m\ufffd\[2J\ufffd\ufffd\/\ufffd 401 in /);
});
