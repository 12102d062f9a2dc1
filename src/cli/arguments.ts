// What people type, turned into values: durations with units, labels, numbers, call arguments.
// Invariant: a value that cannot be meant is refused with an example of one that can; nothing is guessed.
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `1.5s`, `2m`, `1h`, `1d` as whole milliseconds. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (amount === undefined || factor === undefined) {
    const bare = /^\d+(?:\.\d+)?$/.test(text.trim());
    throw new InvalidArgumentError(
      bare
        ? `It has no unit: say ${text.trim()}s or ${text.trim()}ms.`
        : 'Durations look like 500ms, 10s, 2m or 1h.',
    );
  }
  const durationMs = Math.round(Number(amount) * factor);
  if (durationMs === 0) throw new InvalidArgumentError('It must be longer than nothing.');
  return durationMs;
}

/** @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return Number(text);
}

/** @throws InvalidArgumentError */
export function parseAtLeastOne(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('It must be at least 1.');
  return count;
}

/** @throws InvalidArgumentError */
export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError('Ports go from 0 (any free one) to 65535.');
  return port;
}

/** Adds `key=value` to the labels given before it. @throws InvalidArgumentError */
export function collectLabel(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Labels look like gpu=true.');
  const key = text.slice(0, at);
  if (key === '__proto__') throw new InvalidArgumentError('That name cannot be a label.');
  return { ...before, [key]: text.slice(at + 1) };
}

/** JSON where it is JSON, text where it is not: `1` is a number, `"1"` and `one` are texts. */
export function parseArgument(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:2379`, `[::1]:2379`, `localhost:0`. @throws InvalidArgumentError */
export function parseAddress(text: string): Address {
  const [, ipv6, host, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  if (port === undefined) throw new InvalidArgumentError('Addresses look like 127.0.0.1:2379 or [::1]:2379.');
  return { host: ipv6 ?? host ?? '', port: parsePort(port) };
}

/** `http://127.0.0.1:7081` or `https://…`. @throws InvalidArgumentError */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('Addresses look like http://127.0.0.1:7081.');
  return text;
}

export interface User {
  readonly name: string;
  readonly password: string;
}

export function parseUser(text: string): User {
  const at = text.indexOf(':');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Users look like name:password.');
  return { name: text.slice(0, at), password: text.slice(at + 1) };
}
