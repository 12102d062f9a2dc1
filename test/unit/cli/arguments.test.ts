// What people type is taken as they mean it, or refused with an example.
import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import {
  collectLabel,
  parseArgument,
  parseCount,
  parseDuration,
  parsePort,
} from '../../../src/cli/arguments.ts';

describe('durations', () => {
  test('have a unit', () => {
    expect(['500ms', '10s', '1.5s', '2m', '1h', '1d', ' 3s '].map(parseDuration)).toEqual([
      500, 10_000, 1_500, 120_000, 3_600_000, 86_400_000, 3_000,
    ]);
  });

  test('without a unit are refused, with both readings', () => {
    expect(() => parseDuration('10')).toThrow('It has no unit: say 10s or 10ms.');
  });

  test.each(['', 's', '10 seconds', '-5s', '1e3s', '5S', '10sm'])('do not look like %j', (text) => {
    expect(() => parseDuration(text)).toThrow('Durations look like 500ms, 10s, 2m or 1h.');
  });

  test('of nothing are refused, and so is what rounds to nothing', () => {
    expect(() => parseDuration('0s')).toThrow(InvalidArgumentError);
    expect(() => parseDuration('0.4ms')).toThrow(InvalidArgumentError);
  });
});

describe('numbers', () => {
  test('are whole', () => {
    expect(parseCount('42')).toBe(42);
    for (const text of ['', '4.2', '-1', '0x10', 'ten', '99999999999999999999']) {
      expect(() => parseCount(text), text).toThrow('whole number');
    }
  });

  test('of ports end at 65535', () => {
    expect([parsePort('0'), parsePort('65535')]).toEqual([0, 65_535]);
    expect(() => parsePort('65536')).toThrow('0 (any free one) to 65535');
  });
});

describe('labels', () => {
  test('add up', () => {
    expect(collectLabel('zone=a', collectLabel('gpu=true'))).toEqual({ gpu: 'true', zone: 'a' });
  });

  test('may have an equals sign in their value', () => {
    expect(collectLabel('query=a=b')).toEqual({ query: 'a=b' });
  });

  test.each(['gpu', '=true', 'gpu=', '__proto__=x'])('do not look like %j', (text) => {
    expect(() => collectLabel(text)).toThrow(InvalidArgumentError);
  });
});

test('arguments of a call are JSON where they parse as JSON, and texts elsewhere', () => {
  const typed = ['1', '-2.5', 'true', 'null', '"1"', '[1,"a"]', '{"a":1}', 'one', '', '1 2', '{a:1}', 'NaN'];
  expect(typed.map(parseArgument)).toEqual([
    1,
    -2.5,
    true,
    null,
    '1',
    [1, 'a'],
    { a: 1 },
    'one',
    '',
    '1 2',
    '{a:1}',
    'NaN',
  ]);
});
