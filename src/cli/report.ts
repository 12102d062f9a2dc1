// How commands speak: results on standard output, everything else on standard error.
// Invariant: an error is one line that says what happened and what to do, without a stack.
import { HoldfastError, RemoteFunctionError } from '../index.ts';

/** Milliseconds as a person reads them: `0.41 ms`, `12 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

/** A result as JSON; typed arrays as lists, big integers as text, and what JSON cannot say as null. */
export function formatJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_key, it: unknown) => {
      if (typeof it === 'bigint') return it.toString();
      if (ArrayBuffer.isView(it) && !(it instanceof DataView))
        return Array.from(it as unknown as ArrayLike<unknown>);
      return it;
    },
    indent,
  ) as string | undefined;
  return text ?? 'null';
}

/** A result for a person: text as it is, the rest as JSON; nothing for undefined. */
export function formatResult(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : formatJson(value);
}

const systemHints: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'the port is taken; choose another one with --port, --admin-port, --listen or --etcd-api (0 = any free one)',
  EADDRNOTAVAIL: 'this machine has no such address; choose another one with --host',
  EACCES: 'not allowed; choose a port above 1023',
};

/** What an error is, for machines and for people. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof RemoteFunctionError) {
    return { code: error.code, message: `${error.remoteName}: ${error.message}` };
  }
  if (error instanceof HoldfastError) {
    const hint = error.code === 'registration_refused' ? '; check --token, or HOLDFAST_TOKEN' : '';
    return { code: error.code, message: error.message + hint };
  }
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : 'error';
    const hint = systemHints[code];
    return { code, message: hint === undefined ? error.message : `${error.message}: ${hint}` };
  }
  return { code: 'error', message: String(error) };
}

/** Says on standard error what went wrong. */
export function printError(error: unknown, format: 'text' | 'json' = 'text'): void {
  const { code, message } = describeError(error);
  process.stderr.write(
    format === 'json' ? `${JSON.stringify({ code, message })}\n` : `holdfast: ${message} [${code}]\n`,
  );
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Time of day, for people: `14:03:09`. */
export function timeOfDay(): string {
  return new Date().toTimeString().slice(0, 8);
}
