// The keyspace in memory against the model, and what compaction gives back.
import { describe, expect, test } from 'vitest';
import type { KeyRange } from '../../../src/store/contract.ts';
import type { ChangesThrough, Keyspace, Page } from '../../../src/store/keyspace.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import { fails, keyspaceBehaves } from './keyspace-behaviour.ts';

describe('keyspace in memory', () => {
  keyspaceBehaves(() => new MemoryKeyspace(), 500);

  test('the model notices a history that splits a revision, a roll-back that keeps changes, and a lost lease', () => {
    class Splits extends MemoryKeyspace {
      override history(range: KeyRange, from: number, to: number, most: Page): ChangesThrough {
        const { changes, through } = super.history(range, from, to, most);
        return { changes: changes.slice(0, most.changes), through };
      }
    }
    class Keeps extends MemoryKeyspace {
      override rollback(): void {}
    }
    class Forgets extends MemoryKeyspace {
      override keysOf(): readonly Uint8Array[] {
        return [];
      }
    }
    const broken: (new () => Keyspace)[] = [Splits, Keeps, Forgets];
    for (const Broken of broken)
      expect(
        fails(() => new Broken()),
        Broken.name,
      ).toBe(true);
  });

  test('compaction gives back what was overwritten and what was deleted', () => {
    const keyspace = new MemoryKeyspace();
    const entry = (key: number, modRevision: number, size: number) => ({
      key: Uint8Array.of(key),
      value: new Uint8Array(size),
      createRevision: size === 0 ? 0 : 2,
      modRevision,
      version: size === 0 ? 0 : modRevision - 1,
    });
    keyspace.begin();
    for (let revision = 2; revision < 102; revision++) {
      keyspace.write(revision, [
        { type: 'put', sub: 0, entry: entry(1, revision, 100), previous: undefined },
        { type: 'put', sub: 1, entry: entry(2, revision, 100), previous: undefined },
      ]);
    }
    keyspace.write(102, [{ type: 'delete', sub: 0, entry: entry(2, 102, 0), previous: undefined }]);
    keyspace.write(103, [{ type: 'put', sub: 0, entry: entry(3, 103, 0), previous: undefined }]);
    keyspace.commit();
    expect(keyspace.sizeBytes).toBe(200 * 101 + 2);
    keyspace.begin();
    keyspace.compact(103);
    keyspace.commit();
    expect(keyspace.sizeBytes).toBe(101 + 1);
  });
});
