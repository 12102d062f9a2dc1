// What every store subject is, and where it lies.
// Invariant: all of them write to the same disk.
import { join } from 'node:path';
import type { Store } from '../../../src/index.ts';

export interface OpenSubject {
  readonly store: Store;
  /** Closes it and opens what it left behind; absent where nothing is left. */
  reopen?(): Promise<Store>;
  /** Closes it and removes what it left behind. */
  close(): Promise<void>;
}

export interface StoreSubject {
  readonly name: string;
  open(): Promise<OpenSubject>;
}

/** Beside the sources and not in /tmp, which may be memory: a flush must cost what a disk takes. */
export const place = join(import.meta.dirname, '../../..', '.store-');
