// Control payloads: what obeys its schema is read, everything else is a MALFORMED that says what was wrong.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/protocol/digest.ts';
import { ProtocolViolation } from '../../../src/protocol/errors.ts';
import { CloseCode, Fate } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import * as lists from '../../../src/protocol/lists.ts';
import * as messages from '../../../src/protocol/messages.ts';
import { utf8 } from './wire.ts';

const register = {
  role: 'node',
  id: 'n1',
  instance: 'i1',
  epoch: 1,
  registrationEpoch: 1,
  functions: ['add'],
  labels: { gpu: 'true' },
  maxConcurrent: 4,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 15_000,
  encodings: ['json', 'msgpack'],
  version: '0.1.0',
};

function readJson<T>(reader: (bytes: Uint8Array, start: number, end: number) => T, json: string): T {
  const bytes = utf8(`..${json}.`);
  return reader(bytes, 2, bytes.length - 1);
}

function fault(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    expect(error.closeCode).toBe(CloseCode.MALFORMED);
    return error.message;
  }
  return 'none';
}

const faultOf = (change: object): string =>
  fault(() => readJson(messages.readRegister, JSON.stringify({ ...register, ...change })));
const record = (size: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: size }, (_, index) => [`label${index}`, 'x']));

describe('REGISTER', () => {
  it('is read as it was written, without fields that this version does not know', () => {
    const json = JSON.stringify({ ...register, later: 'unknown' });
    expect(readJson(messages.readRegister, json)).toEqual(register);
    expect(readJson(messages.readRegister, JSON.stringify({ ...register, token: 't' }))).toEqual({
      ...register,
      token: 't',
    });
  });

  it.each([
    ['an unknown role', { role: 'hub' }, 'REGISTER: role: '],
    ['an empty id', { id: '' }, 'REGISTER: id: '],
    ['an id of blanks', { id: ' n1' }, 'must be printable text'],
    ['an id with a line break', { id: 'n\n1' }, 'must be printable text'],
    ['an id that turns the direction of text', { id: 'n\u202e1' }, 'must be printable text'],
    ['a negative epoch', { epoch: -1 }, 'REGISTER: epoch: '],
    ['an epoch that is no whole number', { epoch: 1.5 }, 'REGISTER: epoch: '],
    [
      'an epoch beyond what numbers can count',
      { registrationEpoch: 2 ** 53 },
      'REGISTER: registrationEpoch: ',
    ],
    ['an unknown encoding', { encodings: ['xml'] }, 'REGISTER: encodings.0: '],
    ['no encoding', { encodings: [] }, 'REGISTER: encodings: '],
    ['a label that is no text', { labels: { a: 1 } }, 'REGISTER: labels.a: '],
    ['a missing field', { functions: undefined }, 'REGISTER: functions: '],
  ])('is refused for %s, in words', (_name, change, message) => {
    expect(faultOf(change)).toContain(message);
  });

  it.each([
    ['an id', (size: number) => ({ id: 'x'.repeat(size) }), limits.maxNameLength],
    ['the name of a function', (size: number) => ({ functions: ['x'.repeat(size)] }), limits.maxNameLength],
    ['a token', (size: number) => ({ token: 'x'.repeat(size) }), limits.maxTokenLength],
    ['the labels', (size: number) => ({ labels: record(size) }), limits.maxLabels],
    ['the functions', (size: number) => ({ functions: Array(size).fill('f') }), limits.maxFunctionsPerNode],
  ])('takes %s up to the limit, and nothing beyond', (_name, change, limit) => {
    expect(faultOf(change(limit))).toBe('none');
    expect(faultOf(change(limit + 1))).toContain('REGISTER: ');
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'is refused for a property named %s, wherever it stands',
    (key) => {
      for (const json of [`{"${key}":{}}`, JSON.stringify(register).replace('"gpu"', `"${key}"`)]) {
        expect(fault(() => readJson(messages.readRegister, json))).toContain(
          'names a property of prototypes',
        );
      }
      expect(({} as { gpu?: unknown }).gpu).toBe(undefined);
    },
  );

  it('is refused for what is no JSON, no UTF-8, no object, or nested without end', () => {
    expect(fault(() => readJson(messages.readRegister, '{'))).toContain('no JSON');
    expect(fault(() => messages.readRegister(Uint8Array.from([0xff]), 0, 1))).toContain('no UTF-8');
    expect(fault(() => readJson(messages.readRegister, '[]'))).toContain('REGISTER: message: ');
    expect(fault(() => readJson(messages.readRegister, '['.repeat(100_000) + ']'.repeat(100_000)))).toContain(
      'nests too deep',
    );
  });
});

describe('every reader', () => {
  const readers = Object.entries(messages)
    .filter(
      ([name, value]) => name.startsWith('read') && name !== 'readFailure' && typeof value === 'function',
    )
    .map(
      ([name, value]) => [name, value as (bytes: Uint8Array, start: number, end: number) => unknown] as const,
    );

  it.each(readers)('%s answers any JSON and any bytes with a message or MALFORMED', (_name, reader) => {
    fc.assert(
      fc.property(fc.oneof(fc.json().map(utf8), fc.uint8Array()), (bytes) => {
        fault(() => reader(bytes, 0, bytes.length));
      }),
      { numRuns: 300 },
    );
  });
});

describe('RESUME', () => {
  const resume = (call: object): string =>
    fault(() =>
      readJson(
        messages.readResume,
        JSON.stringify({ nodes: [{ id: 'n', instance: 'i', calls: [call] }], unassigned: [] }),
      ),
    );
  const call = { attempt: 1, received: 0, windowBytes: 0, idempotent: false };

  it('takes attempts of 32 bits and windows up to the window', () => {
    expect(resume({ ...call, attempt: 0xffff_ffff, windowBytes: limits.creditWindowBytes })).toBe('none');
    expect(resume({ ...call, attempt: 0x1_0000_0000 })).toContain('attempt');
    expect(resume({ ...call, windowBytes: limits.creditWindowBytes + 1 })).toContain('windowBytes');
    expect(resume({ ...call, received: -1 })).toContain('received');
  });
});

describe('FAILURE', () => {
  it('is read with its texts cut to their limits', () => {
    const long = {
      code: 'failed',
      name: 'n'.repeat(1_000),
      message: 'm'.repeat(10_000),
      stack: 's'.repeat(50_000),
    };
    const failure = readJson(messages.readFailure, JSON.stringify(long));
    expect([failure.name?.length, failure.message.length, failure.stack?.length]).toEqual([
      limits.maxNameLength,
      limits.maxReasonLength,
      limits.maxStackLength,
    ]);
  });

  it('that cannot be read is a failure like any other: it came past the hub unread', () => {
    for (const json of ['{', '{"code":"sabotage","message":"x"}', '[]']) {
      expect(readJson(messages.readFailure, json)).toMatchObject({ code: 'invalid' });
    }
  });
});

describe('names', () => {
  it('are visible text of limited length', () => {
    expect(['add', 'größe', '名前', 'a b', 'x'.repeat(limits.maxNameLength)].map(messages.isName)).toEqual(
      Array(5).fill(true),
    );
    expect(
      ['', ' ', 'a\u0000', 'a\u2028b', 'x'.repeat(limits.maxNameLength + 1)].map(messages.isName),
    ).toEqual(Array(5).fill(false));
  });

  it('come in DEFINE', () => {
    expect(readJson(messages.readName, 'größe')).toBe('größe');
    expect(fault(() => readJson(messages.readName, ''))).toContain('DEFINE: ');
  });
});

describe('lists', () => {
  const u32 = fc.nat(0xffff_ffff);

  it('come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(u32, u32, u32), { minLength: 1 }),
        fc.nat(Fate.VANISHED),
        (rows, fate) => {
          const queries: number[][] = [];
          const queryBytes = lists.writeQueries(rows);
          lists.readQueries(queryBytes, 0, queryBytes.length, (...row) => queries.push(row));
          expect(queries).toEqual(rows);
          const ids: number[] = [];
          const idBytes = lists.writeIds(rows.map(([id]) => id));
          lists.readIds(idBytes, 0, idBytes.length, (id) => ids.push(id));
          expect(ids).toEqual(rows.map(([id]) => id));
          const fates: number[][] = [];
          const fateBytes = lists.writeFates(rows.map(([id]) => [id, fate as Fate] as const));
          lists.readFates(fateBytes, 0, fateBytes.length, (...row) => fates.push(row));
          expect(fates).toEqual(rows.map(([id]) => [id, fate]));
        },
      ),
    );
  });

  it('are refused when they are empty or end within an entry', () => {
    const ignore = (): void => undefined;
    for (const [read, size] of [
      [lists.readIds, 4],
      [lists.readQueries, 12],
      [lists.readFates, 5],
    ] as const) {
      const bytes = new Uint8Array(2 * size + 1);
      expect(fault(() => read(bytes, 0, 2 * size, ignore))).toBe('none');
      for (const length of [0, size - 1, size + 1]) {
        expect(fault(() => read(bytes, 0, length, ignore))).toContain('no whole number of entries');
      }
    }
  });

  it('of fates are refused for a fate that does not exist', () => {
    const bytes = Uint8Array.from([1, 0, 0, 0, Fate.VANISHED + 1]);
    expect(fault(() => lists.readFates(bytes, 0, 5, () => undefined))).toBe('FATE: 5 is no fate');
  });

  it('fit into a frame up to their stated number of entries', () => {
    expect(lists.writeIds(Array(lists.maxEntries.ids).fill(1)).length).toBeLessThanOrEqual(
      limits.maxControlBytes,
    );
    expect(lists.writeIds(Array(lists.maxEntries.ids + 1).fill(1)).length).toBeGreaterThan(
      limits.maxControlBytes,
    );
    expect(lists.maxEntries.queries * 12).toBeLessThanOrEqual(limits.maxControlBytes);
    expect(lists.maxEntries.fates * 5).toBeLessThanOrEqual(limits.maxControlBytes);
  });

  it('are not what a CREDIT is: 4 bytes, more than 0', () => {
    const bytes = lists.writeCredit(0xffff_ffff);
    expect(lists.readCredit(bytes, 0, 4)).toBe(0xffff_ffff);
    expect(fault(() => lists.readCredit(bytes, 0, 3))).toContain('3 bytes instead of 4');
    expect(fault(() => lists.readCredit(new Uint8Array(4), 0, 4))).toBe('CREDIT: of nothing');
  });
});

describe('the digest of a registry', () => {
  it('depends on the names, not on their order or on where one ends', () => {
    expect(digestOf(['b', 'a'])).toBe(digestOf(['a', 'b']));
    expect(digestOf(['ab'])).not.toBe(digestOf(['a', 'b']));
    expect(digestOf([])).toBe('811c9dc5');
  });
});
