// What viewers see of payloads: enough to follow a machine, nothing that is a secret, and never much.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact, redactEvent } from '../../../../src/inspect/stream/redact.ts';

describe('a payload that is redacted', () => {
  it('keeps numbers, yes and no, and texts that look like ids', () => {
    const payload = {
      epoch: 3,
      ok: true,
      node: 'n-1',
      at: Infinity,
      nothing: null,
      state: 'online.listening',
    };
    expect(redact(payload, 'redacted')).toEqual({ ...payload, at: 'Infinity' });
  });

  it('hides sentences, long texts and bytes', () => {
    const payload = {
      reason: 'my cat is called Momo',
      key: 'k'.repeat(64),
      image: new Uint8Array(9),
      fn() {},
    };
    expect(redact(payload, 'redacted')).toEqual({ reason: '…', key: '…', image: '9 bytes', fn: '…' });
    expect(redact(payload, 'shown')).toMatchObject({ reason: 'my cat is called Momo', image: '9 bytes' });
  });

  it.each(['token', 'resumeToken', 'operatorToken', 'password', 'apiKey', 'Authorization', 'clientSecret'])(
    'never shows a field called %s',
    (name) => {
      for (const payloads of ['redacted', 'shown'] as const)
        expect(redact({ inner: [{ [name]: 'abc123' }] }, payloads)).toEqual({ inner: [{ [name]: '…' }] });
    },
  );

  it('hides keys that are words of a stranger, too', () => {
    expect(redact({ 'dear diary, today': 1 }, 'redacted')).toEqual({ '…': 1 });
  });

  it('shows twenty entries and five levels, and survives circles and getters that throw', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    Object.defineProperty(circle, 'bad', { enumerable: true, get: () => expect.unreachable() });
    expect(JSON.stringify(redact(circle, 'shown')).length).toBeLessThan(300);
    const list = redact(
      Array.from({ length: 1_000 }, (_, n) => n),
      'shown',
    ) as unknown[];
    expect([list.length, list[20]]).toEqual([21, 'and 980 more']);
    expect(Object.keys(redact(Object.fromEntries(list.entries()), 'shown') as object)).toHaveLength(21);
  });

  it('is JSON, whatever it was, and not its memory', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withTypedArray: true, withMap: true, withSet: true }),
        (value) => {
          const shown = redact(value, 'shown');
          expect(() => JSON.stringify(shown)).not.toThrow();
          if (typeof shown === 'object' && shown !== null) expect(shown).not.toBe(value);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('as an event keeps its type, which names no person', () => {
    expect(
      redactEvent({ type: 'a long name, of the author', note: 'dear you' } as never, 'redacted'),
    ).toEqual({
      type: 'a long name, of the author',
      note: '…',
    });
  });
});
