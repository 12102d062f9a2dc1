// Which directory a `file:` URL means.
// Invariant: what is not plainly one directory is refused.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../protocol/errors.ts';

/** What lies in the directory of a store. */
export const STORE_FILE = 'holdfast.db';

/**
 * `file:./data` and `file:data` lie in the working directory, as they are written; `file:///srv/data` is a URL, whose path
 * may be percent-encoded.
 *
 * @throws HoldfastError `invalid_option`
 */
export function storeDirectory(url: string): string {
  const path = url.slice('file:'.length);
  try {
    if (path.startsWith('//')) return fileURLToPath(url);
  } catch (cause) {
    throw refused(url, (cause as Error).message, cause);
  }
  if (path === '') throw refused(url, 'it names no directory');
  if (path.includes('\0')) throw refused(url, 'a path has no zero bytes');
  return resolve(path);
}

function refused(url: string, why: string, cause?: unknown): HoldfastError {
  const message = `${JSON.stringify(url)} is no store: ${why}; give file:./DIRECTORY or file:///DIRECTORY`;
  return new HoldfastError(message, { code: 'invalid_option', cause });
}
