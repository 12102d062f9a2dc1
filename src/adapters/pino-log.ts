// Logs over pino: one readable line an event on a terminal, NDJSON anywhere else.
// Invariant: a line is written before the call returns, so that the last lines of a process that dies are not lost.

import { destination, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';

import type { Log } from '../ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface PinoLogOptions {
  /** The least severe level that is written. @default 'info' */
  readonly level?: LogLevel;
  /** Lines for people instead of NDJSON; fields are shown with errors, and everywhere at level `debug`. @default whether standard error is a terminal */
  readonly pretty?: boolean;
  /** Fields of every line, such as `{ node: 'n1' }`. @default none */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Takes the lines. @default standard error (standard output belongs to results) */
  readonly stream?: { write(line: string): void };
}

export function createPinoLog(options: PinoLogOptions = {}): Log {
  const level = options.level ?? 'info';
  const pretty = options.pretty ?? process.stderr.isTTY;
  const target = options.stream ?? standardError();
  const log = pino({ level, base: options.fields ?? null }, pretty ? prettyLines(target, level) : target);
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

/** pino-pretty as a plain function: its own stream writes later, and a process that is killed loses what waits in it. */
function prettyLines(target: { write(line: string): void }, level: LogLevel): { write(line: string): void } {
  const shared = {
    colorize: process.stderr.isTTY && process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
  };
  const brief = prettyFactory({ ...shared, hideObject: true });
  const detailed = prettyFactory({ ...shared, singleLine: true });
  const isError = (line: string): boolean => line.startsWith('{"level":50');
  return { write: (line) => target.write(level === 'debug' || isError(line) ? detailed(line) : brief(line)) };
}

function standardError(): { write(line: string): void } {
  const stream = destination({ dest: 2, sync: true });
  // Whoever read the log went away: the hub goes on without it.
  stream.on('error', () => {});
  return { write: (line) => void stream.write(line) };
}
