// What checkpoints must do on every engine.
// Invariant: no test knows which engine it is.
import { expect, test } from 'vitest';
import { fedAdam } from '../../../src/index.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { checkpointKey } from '../../../src/protocol/training-records.ts';
import type { Checkpoint } from '../../../src/training/checkpoint.ts';
import type { Weights } from '../../../src/training/contract.ts';
import { key, opened, openStore, put, text, type StoreUnderTest } from '../store/under-test.ts';
import { checkpointAt, checkpointsOf, facts, pieces } from './made.ts';

function expectSame(found: Checkpoint | undefined, expected: Checkpoint): void {
  expect(facts(found)).toEqual(facts(expected));
}

export function describeCheckpoints(under: StoreUnderTest): void {
  test('a run without one has none', async () => {
    expect(await checkpointsOf(await openStore(under)).load()).toBeUndefined();
  });

  const piece = limits.checkpointPieceBytes;
  test.each([
    ['nothing', 0],
    ['a few bytes', 4],
    ['exactly a piece, with its head', piece - 24 - 40],
    ['a piece and a little', piece - 20],
    ['several pieces', 3_400_000],
  ])(
    '%s is loaded bit for bit as it was saved, moments and all, also after the store was opened again',
    async (_, bytes) => {
      const { store, reopen } = await opened(under);
      const saved = await checkpointAt(3, bytes);
      await checkpointsOf(store).save(saved);
      expectSame(await checkpointsOf(store).load(), saved);
      if (reopen !== undefined) expectSame(await checkpointsOf(await reopen()).load(), saved);
    },
  );

  test('each save replaces the one before and sweeps its pieces; other runs keep theirs', async () => {
    const store = await openStore(under);
    const other = await checkpointAt(9);
    await checkpointsOf(store, 'run 1/checkpoint').save(other);
    const checkpoints = checkpointsOf(store);
    for (const round of [1, 2, 3]) {
      await checkpoints.save(await checkpointAt(round, 1_200_000));
      expect(await pieces(store)).toHaveLength(3);
      expectSame(await checkpointsOf(store).load(), await checkpointAt(round, 1_200_000));
    }
    await checkpoints.save(await checkpointAt(4, 8));
    expect(await pieces(store)).toHaveLength(1);
    expectSame(await checkpointsOf(store, 'run 1/checkpoint').load(), other);
  });

  test('who loaded it goes on from it; who did not is refused, and so is one whose run was taken over', async () => {
    const store = await openStore(under);
    const first = checkpointsOf(store);
    await first.save(await checkpointAt(1));
    await expect(checkpointsOf(store).save(await checkpointAt(1))).rejects.toThrow(
      /run 1 has a checkpoint of round 1 that this trainer did not write; resume the run/,
    );
    const second = checkpointsOf(store);
    await second.load();
    await second.save(await checkpointAt(2));
    await expect(first.save(await checkpointAt(2))).rejects.toMatchObject({
      code: 'store_failed',
      started: 'notStarted',
    });
    expectSame(await checkpointsOf(store).load(), await checkpointAt(2));
    // What the loser wrote goes with the next save.
    await second.save(await checkpointAt(3));
    expect(await pieces(store)).toHaveLength(1);
  });

  test('what belongs to the round is written with it, or not at all', async () => {
    const store = await openStore(under);
    const first = checkpointsOf(store);
    await first.save(await checkpointAt(1), { beside: [put('beside', 'of round 1')] });
    expect(text((await store.range(key('beside'))).entries[0]?.value)).toBe('of round 1');
    const rival = checkpointsOf(store);
    await rival.load();
    await rival.save(await checkpointAt(2));
    await expect(
      first.save(await checkpointAt(2), { beside: [put('beside', 'of round 2')] }),
    ).rejects.toThrow(/did not write/);
    expect(text((await store.range(key('beside'))).entries[0]?.value)).toBe('of round 1');
  });

  test('damage is noticed and said, wherever it is', async () => {
    const store = await openStore(under);
    const saved = await checkpointAt(5, 1_200_000);
    const flip = async (name = ''): Promise<void> => {
      const value = (await store.range(key(name))).entries[0]?.value ?? new Uint8Array();
      value[value.length >> 1] = (value[value.length >> 1] ?? 0) ^ 1;
      await store.put({ key: key(name).key, value });
    };
    const damages: [RegExp, (pieces: string[], pointer: string) => Promise<unknown>][] = [
      [
        /its round 5: piece 1 of 3 .* has no bytes where 1048576/,
        ([, second = '']) => store.delete(key(second)),
      ],
      [
        /piece 2 of 3 .* has 1 bytes where \d+ were written/,
        ([, , third = '']) => store.put(put(third, 'x')),
      ],
      [/its model has the hash [0-9a-f]{64} where/, ([first]) => flip(first)],
      [/its state has the hash [0-9a-f]{64} where/, ([, , third]) => flip(third)],
      [
        /what stands at .*run%20\d\/checkpoint: .*restore the store/s,
        (_, pointer) => store.put(put(pointer, '{}')),
      ],
      [/what stands at .* not valid JSON/, (_, pointer) => store.put(put(pointer, 'no JSON'))],
    ];
    for (const [index, [what, harm]] of damages.entries()) {
      const run = `run ${index}`;
      await checkpointsOf(store, run).save(saved);
      await harm(await pieces(store, run), checkpointKey(run));
      await expect(checkpointsOf(store, run).load()).rejects.toMatchObject({
        code: 'store_failed',
        message: expect.stringMatching(what) as string,
      });
    }
  });

  test('one of another strategy or another model is refused to who would go on from it', async () => {
    const store = await openStore(under);
    const saved = await checkpointAt(5);
    await checkpointsOf(store).save(saved);
    const load = (strategy: string, weights?: Weights): Promise<unknown> =>
      checkpointsOf(store).load({ strategy, weights });
    expectSame((await load(fedAdam().name, saved.weights)) as Checkpoint, saved);
    await expect(load('fed-avg')).rejects.toThrow(
      /run run 1 has a checkpoint of round 5 of the strategy fed-adam, and fed-avg cannot go on from it/,
    );
    await expect(load('fed-adam', (await checkpointAt(5, 8)).weights)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/tensor 0 is float32\[2\] where the model has float32\[250\]/) as string,
    });
  });
}
