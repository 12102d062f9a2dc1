// An event stream is cut between events only, however its bytes arrive.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventStream, type Opening } from '../../../../src/endpoints/proxy/event-stream.ts';

const MAX = 4_096;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (all: readonly Uint8Array[]): string => Buffer.concat(all).toString();

interface Cutter {
  take(chunk: Uint8Array): Uint8Array;
  readonly rest: Uint8Array;
}

const line = fc.constantFrom(
  'data: x',
  'data:',
  'event: e',
  ': comment',
  'data: {"a":1}',
  'id: 7',
  'data: ä€',
);
const end = fc.constantFrom('\n', '\r\n', '\r');
/** Events whose lines all end in the same way, the last one perhaps not whole. */
const streams = fc
  .tuple(fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), end, fc.boolean())
  .map(([events, eol, isWhole]) => {
    const all = events.map((lines) => lines.map((each) => each + eol).join('') + eol).join('');
    return isWhole ? all : `${all}data: half`;
  });
const splits = fc.array(fc.nat(200), { maxLength: 12 });

function pieces(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((each) => Math.min(each, whole.length)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => whole.subarray(from, places[i] ?? whole.length));
}

/** What is wrong with how a stream was cut; undefined when nothing is. */
function fault(cutter: Cutter, stream: string, at: readonly number[]): string | undefined {
  const runs = pieces(bytes(stream), at).map((piece) => cutter.take(piece));
  if (text([...runs, cutter.rest]) !== stream) return 'bytes were changed';
  const cut = runs.find((run) => run.length > 0 && !/(?:\n\n|\r\r|\r\n\r\n|\n\r|\r\n\r)$/.test(text([run])));
  return cut === undefined ? undefined : `cut within an event: ${JSON.stringify(text([cut]))}`;
}

describe('an event stream', () => {
  it('is cut between events, and loses no byte', () => {
    fc.assert(
      fc.property(streams, splits, (stream, at) => {
        expect(fault(new EventStream(MAX), stream, at)).toBeUndefined();
      }),
    );
  });

  it('is not: cut at line ends, the property fails', () => {
    const naive = (): Cutter => {
      let held: Uint8Array = new Uint8Array();
      return {
        take(chunk) {
          const all = Buffer.concat([held, chunk]);
          const at = all.lastIndexOf(0x0a) + 1;
          held = all.subarray(at);
          return all.subarray(0, at);
        },
        get rest() {
          return held;
        },
      };
    };
    const result = fc.check(
      fc.property(streams, splits, (stream, at) => fault(naive(), stream, at) === undefined),
      { seed: 1 },
    );
    expect(result.failed).toBe(true);
  });

  it('holds no more than one event of the largest size', () => {
    const stream = new EventStream(16);
    expect(stream.take(bytes('data: 0123')).length).toBe(0);
    expect(text([stream.take(bytes('456789012'))])).toBe('data: 0123456789012');
    expect(stream.rest.length).toBe(0);
  });

  const openings: readonly (readonly [stream: string, opening: Opening, form: 'named' | 'unnamed'])[] = [
    ['', 'none', 'unnamed'],
    [': OPENROUTER PROCESSING\n\n', 'none', 'unnamed'],
    ['event: ping\ndata: {"type": "ping"}\n\n', 'none', 'unnamed'],
    ['retry: 3000\n\n', 'none', 'unnamed'],
    ['data: half', 'none', 'unnamed'],
    ['data: [DONE]\n\n', 'event', 'unnamed'],
    [': hello\n\ndata: {"choices":[],"error":null}\n\n', 'event', 'unnamed'],
    ['\ufeffdata: {"text":"an \\"error\\" in words"}\n\n', 'event', 'unnamed'],
    ['event: message_start\r\ndata: {"type":"message_start"}\r\n\r\n', 'event', 'named'],
    ['data: {"error":{"message":"no"}}\n\n', 'error', 'unnamed'],
    ['event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', 'error', 'named'],
    ['event: ping\ndata: {}\n\ndata: {"type":"error"}\r\r', 'error', 'unnamed'],
  ];
  it.each(openings)('%j begins with: %s, %s', (stream, opening, form) => {
    for (const at of [[], [3], [5, 6, 7], Array.from(stream, (_, i) => i)]) {
      const read = new EventStream(MAX);
      for (const piece of pieces(bytes(stream), at)) read.take(piece);
      expect([read.opening, read.form]).toEqual([opening, form]);
    }
  });
});
