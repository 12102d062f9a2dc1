// Tells when files differ from what was read of them: written in place, replaced, or behind a link that was turned.
// Invariant: a change after the look that preceded the reading is told; a file that is still being written is not, as far as two
// looks can tell.
import { readFileSync, statSync } from 'node:fs';

/** Files as they were when they were read: path, and what the system said of each just before. */
export type FileStamps = ReadonlyMap<string, string>;

export class StampedFiles {
  readonly stamps = new Map<string, string>();

  /** @throws an error of the system */
  read(file: string): string {
    this.stamps.set(file, stampOf(file));
    return readFileSync(file, 'utf8');
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'gone' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
}

function joined(stamps: FileStamps): string {
  return [...stamps].map(([file, stamp]) => `${file} ${stamp}`).join('\n');
}

/** Events of the system miss changes behind links and on network disks, so it looks. */
const LOOK_MS = 500;

/** `read` answers what was read last; it is asked at each look. Looks until the returned function is called. */
export function watchFiles(read: () => FileStamps, changed: () => void): () => void {
  let last = '';
  let told = '';
  const timer = setInterval(() => {
    const stamps = read();
    const now = joined(new Map([...stamps.keys()].map((file) => [file, stampOf(file)])));
    const isSettled = now === last;
    last = now;
    // What was told and could not be used is told again when it changes again.
    if (!isSettled || now === told || now === joined(stamps)) return;
    told = now;
    changed();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
