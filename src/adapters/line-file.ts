// A file that lines are appended to, such as a transition log.
// Invariant: lines stand in the file whole and in order; only the last one can be cut, by a crash or a full disk.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { HoldfastError } from '../protocol/errors.ts';

export interface LineFile {
  /** Appends a line, which ends with its newline. Does nothing after `close`, or after a failure. */
  write(line: string): void;
  /** Writes what waits and closes the file. Twice is a no-op. */
  close(): void;
}

export interface LineFileOptions {
  /** Called once, with the failure after which nothing more is written. */
  onFailed(error: HoldfastError): void;
}

/** What waits in memory: a process that is killed loses no more than this, and nothing older than `FLUSH_AFTER_MS`. */
const MAX_WAITING_CHARS = 65_536;
const FLUSH_AFTER_MS = 50;
const NEWLINE = 10;

/**
 * Opens a file for appending, and makes it when there is none. What it holds stays: a line that a crash cut is ended first.
 * Writing blocks until the system has taken the text, so a slow disk slows the writer and memory stays bounded.
 *
 * @throws HoldfastError `invalid_option` when the file cannot be written
 */
export function openLineFile(path: string, { onFailed }: LineFileOptions): LineFile {
  let file: number | undefined = openToAppend(path);
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;

  const end = (): void => {
    if (file === undefined) return;
    const open = file;
    file = undefined;
    waiting = '';
    clearTimeout(timer);
    process.off('exit', close);
    closeSync(open);
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (file === undefined || waiting === '') return;
    const bytes = Buffer.from(waiting);
    waiting = '';
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
    } catch (cause) {
      end();
      const why = (cause as Error).message;
      const message = `${path} ends here: ${why}; make room, or name another file, and start again`;
      onFailed(new HoldfastError(message, { code: 'invalid_option', cause }));
    }
  };
  const close = (): void => {
    flush();
    end();
  };
  // Whatever ends the process, short of a kill, what waits is written.
  process.on('exit', close);
  return {
    write(line) {
      if (file === undefined) return;
      waiting += line;
      if (waiting.length >= MAX_WAITING_CHARS) flush();
      else timer ??= setTimeout(flush, FLUSH_AFTER_MS).unref();
    },
    close,
  };
}

function openToAppend(path: string): number {
  try {
    const file = openSync(path, 'a+');
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE) writeSync(file, '\n');
    return file;
  } catch (cause) {
    const message = `cannot write ${path}: ${(cause as Error).message}; give a file in a folder that exists and may be written`;
    throw new HoldfastError(message, { code: 'invalid_option', cause });
  }
}
