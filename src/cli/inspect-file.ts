// A file for the inspector: a recording, a transition log, or a trace of the checker; which one it is shows in its text.
// Invariant: what is wrong with the file is said in terms of the file.
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { registry } from '../../machines/index.ts';
import {
  logRecording,
  readRecording,
  toDocument,
  traceRecording,
  type MachineDocument,
  type Recording,
} from '../inspect/index.ts';
import { loadMachine } from './machine-file.ts';
import { refusedFile } from './module-file.ts';

/** @throws HoldfastError `invalid_option` when the file cannot be read or is none of the three */
export async function loadRecording(file: string, machines: readonly string[]): Promise<Recording> {
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw refusedFile(`${path} cannot be read: ${(cause as Error).message}`, cause);
  }
  try {
    return await read(text, basename(path), machines);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw refusedFile(`${path} cannot be shown: ${why}`, cause);
  }
}

async function read(text: string, name: string, machines: readonly string[]): Promise<Recording> {
  const first = fields(text.slice(0, text.search(/\n|$/)));
  if (first?.['kind'] === 'hello') return readRecording(text);
  if (fields(text)?.['holdfast'] === 'trace') {
    const { parseTrace } = await import('../testing/index.ts');
    return { messages: traceRecording(parseTrace(text)), unread: 0, why: undefined };
  }
  if (first !== undefined && 'actor' in first && 'machine' in first) {
    return logRecording(text, { name, documentOf: await documents(machines) });
  }
  throw new Error(
    'it is neither a recording (saved by the page), nor a transition log (--transitions), nor a trace (holdfast check --save)',
  );
}

/** Charts by the ids of their machines: ours, and those that the user names. */
async function documents(
  specs: readonly string[],
): Promise<(machine: string) => MachineDocument | undefined> {
  const all = new Map(
    Object.values(registry).map(({ machine }) => [machine.id, machine as Parameters<typeof toDocument>[0]]),
  );
  for (const spec of specs) {
    const { machine } = await loadMachine(spec);
    all.set(machine.id, machine);
  }
  return (id) => {
    const machine = all.get(id);
    return machine && toDocument(machine).document;
  };
}

function fields(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
