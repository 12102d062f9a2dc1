// Flags that several commands share, and what they mean to the library.
// Invariant: one name, one description, one meaning, whatever the command.
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { HoldfastError, createTransitionFile, presets, type Preset, type TransitionSink } from '../index.ts';
import { parseDuration } from './arguments.ts';
import { printError } from './report.ts';

export const DEFAULT_HUB = 'ws://127.0.0.1:7070';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** How to reach a hub. */
export interface HubFlags {
  readonly hub: string;
  readonly token?: string;
  readonly ca?: string;
}

export function addHubFlags(command: Command): Command {
  return command
    .addOption(new Option('--hub <url>', 'address of the hub').env('HOLDFAST_HUB').default(DEFAULT_HUB))
    .addOption(new Option('--token <secret>', "the hub's join token").env('HOLDFAST_TOKEN'))
    .option('--ca <file>', "PEM file of the authority that signed the hub's certificate (wss://)");
}

/** The same, as options of a node or client. @throws HoldfastError when the file cannot be read */
export function hubOptions({ hub, token, ca }: HubFlags): { hub: string; token?: string; ca?: string } {
  return { hub, ...given({ token, ca: ca === undefined ? undefined : readText('--ca', ca) }) };
}

export function addLogFlag(command: Command, level: LogLevel): Command {
  const choices: LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
  const flag = new Option('--log-level <level>', 'least severe lines of the log on standard error');
  return command.addOption(flag.choices(choices).default(level));
}

export function presetFlag(): Option {
  return new Option('--preset <name>', 'defaults for a kind of network').choices(
    Object.keys(presets) as Preset[],
  );
}

export function durationFlag(flag: string, description: string): Option {
  return new Option(`${flag} <duration>`, description).argParser(parseDuration);
}

export function transitionsFlag(): Option {
  return new Option(
    '--transitions <file>',
    'append every transition of every actor to this file, for `holdfast conform`',
  );
}

/** Where the transitions go; what waits is written when the process ends. @throws HoldfastError `invalid_option` */
export function transitionsTo(file: string | undefined): TransitionSink | undefined {
  return file === undefined ? undefined : createTransitionFile(file, printError).write;
}

/** @throws HoldfastError that names the flag and the file */
export function readText(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new HoldfastError(`cannot read the file of ${flag}: ${(error as Error).message}`, {
      code: 'invalid_option',
      cause: error,
    });
  }
}

/** The certificate that a listener shows, and its key. */
export interface TlsFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** @throws HoldfastError `invalid_option` when one is missing, or cannot be read */
export function tlsOf({ tlsCert, tlsKey }: TlsFlags): { cert: string; key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new HoldfastError('TLS needs both --tls-cert and --tls-key', { code: 'invalid_option' });
  }
  return { cert: readText('--tls-cert', tlsCert), key: readText('--tls-key', tlsKey) };
}

/** Only what was given: an option that is left out must not count as one that is undefined. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
