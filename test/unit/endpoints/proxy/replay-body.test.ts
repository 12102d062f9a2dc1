// A body that is sent again is the same body, or it is not sent again.
import { describe, expect, it } from 'vitest';
import { ReplayBody, type ReplayLimits } from '../../../../src/endpoints/proxy/replay-body.ts';

const told = { progressed() {}, ended() {} };
const chunks = (count: number, size = 10): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(size).fill(i + 1));

async function* from(all: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* all;
}

/** A source that gives a chunk when it is told to. */
function manual() {
  const waiting: ((result: IteratorResult<Uint8Array>) => void)[] = [];
  return {
    source: {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<Uint8Array>>((resolve) => waiting.push(resolve)),
      }),
    },
    give: (value: Uint8Array) => waiting.shift()!({ value, done: false }),
    end: () => waiting.shift()!({ value: undefined, done: true }),
  };
}

const limits = (given: Partial<ReplayLimits> = {}): ReplayLimits => ({
  bodyBytes: 1_000,
  replayBytes: 100,
  room: { left: 1_000 },
  ...given,
});

async function all(iterable: AsyncIterable<Uint8Array>, most = Infinity): Promise<number[]> {
  const seen: number[] = [];
  for await (const chunk of iterable) {
    seen.push(chunk[0]!);
    if (seen.length >= most) break;
  }
  return seen;
}

describe('a body', () => {
  it('is read again from its first byte, as often as it takes', async () => {
    const body = new ReplayBody(from(chunks(5)), limits());
    expect(await all(body.read(told), 3)).toEqual([1, 2, 3]);
    expect(body.isRepeatable).toBe(true);
    expect(await all(body.read(told), 1)).toEqual([1]);
    expect(await all(body.read(told))).toEqual([1, 2, 3, 4, 5]);
    expect(await all(body.read(told))).toEqual([1, 2, 3, 4, 5]);
  });

  it('is not kept beyond its limit, and then never repeated from the middle', async () => {
    const room = { left: 1_000 };
    const body = new ReplayBody(from(chunks(20)), limits({ room }));
    expect(await all(body.read(told), 5)).toHaveLength(5);
    expect(room.left).toBe(950);
    expect(await all(body.read(told), 12)).toHaveLength(12);
    expect([body.isRepeatable, room.left]).toEqual([false, 1_000]);
    await expect(all(body.read(told))).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('is kept by nobody when all of them together have no room', async () => {
    const room = { left: 15 };
    const body = new ReplayBody(from(chunks(3)), limits({ room }));
    expect(await all(body.read(told))).toEqual([1, 2, 3]);
    expect([body.isRepeatable, room.left]).toEqual([false, 15]);
  });

  it('gives its room back when it is closed', async () => {
    const room = { left: 100 };
    const body = new ReplayBody(from(chunks(3)), limits({ room }));
    await all(body.read(told));
    expect(room.left).toBe(70);
    body.close();
    body.close();
    expect(room.left).toBe(100);
    expect(body.isRepeatable).toBe(false);
  });

  it('loses no chunk that one attempt asked for and the next one gets', async () => {
    const { source, give, end } = manual();
    const body = new ReplayBody(source, limits({ replayBytes: 15 }));
    const first = all(body.read(told));
    give(chunks(1)[0]!);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    // The first attempt waits for the second chunk; the next attempt takes its place.
    const second = all(body.read(told));
    await expect(Promise.race([first, Promise.resolve('waits')])).resolves.toBe('waits');
    // Too long to be kept, now that it comes: what was not read is owed all the same.
    give(chunks(2)[1]!);
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    await new Promise((resolve) => setImmediate(resolve));
    end();
    expect(await second).toEqual([1, 2]);
  });

  it('that is too long is an error, and so is one that breaks off: never an end', async () => {
    const long = new ReplayBody(from(chunks(3)), limits({ bodyBytes: 25 }));
    await expect(all(long.read(told))).rejects.toMatchObject({ code: 'value_too_large' });
    await expect(all(long.read(told))).rejects.toMatchObject({ code: 'cancelled' });
    const broken = new ReplayBody(
      (async function* () {
        yield chunks(1)[0]!;
        throw new Error('gone');
      })(),
      limits(),
    );
    await expect(all(broken.read(told))).rejects.toThrow('gone');
    await expect(all(broken.read(told))).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('says who holds it up', async () => {
    const { source, give } = manual();
    const body = new ReplayBody(source, limits());
    const reader = body.read(told)[Symbol.asyncIterator]();
    const next = reader.next();
    expect(body.holder).toBe('client');
    give(chunks(1)[0]!);
    await next;
    expect(body.holder).toBe('upstream');
  });
});
