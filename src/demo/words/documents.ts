// The input of the demo: text files below a folder, the same list on every run.
// Invariant: nothing but names, kinds and sizes decides, in sorted order; links are not followed.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEXTS = new Set([
  '.md',
  '.txt',
  '.html',
  '.css',
  '.js',
  '.mjs',
  '.cjs',
  '.ts',
  '.mts',
  '.cts',
  '.json',
  '.yml',
  '.yaml',
]);
/** Files without an extension that are prose. */
const PROSE = /^(license|licence|readme|changelog|authors|notice|copying|history)([.-]|$)/i;
const MAX_BYTES = 262_144;

export interface Documents {
  /** Folder that the paths start from. */
  readonly root: string;
  readonly paths: readonly string[];
  /** How many there were to choose from. */
  readonly found: number;
  readonly bytes: number;
}

/** At most `limit` of the text files below `root`, evenly spread over the sorted list. */
export function listDocuments(root: string, limit: number): Documents {
  const all: { path: string; bytes: number }[] = [];
  walk(root, '', all);
  const count = Math.min(limit, all.length);
  const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]);
  const documents = chosen.filter((it) => it !== undefined);
  return {
    root,
    paths: documents.map(({ path }) => path),
    found: all.length,
    bytes: documents.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function walk(root: string, folder: string, into: { path: string; bytes: number }[]): void {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const entry of entries) {
    // Folders such as `.bin` and `.cache` hold links, and what tools write while we look.
    if (entry.name.startsWith('.')) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) walk(root, path, into);
    else if (entry.isFile() && (TEXTS.has(extname(entry.name).toLowerCase()) || PROSE.test(entry.name))) {
      const { size } = statSync(join(root, path));
      if (size > 0 && size <= MAX_BYTES) into.push({ path, bytes: size });
    }
  }
}

/** The folder `node_modules` that this package's dependencies lie in. */
export function nodeModules(): string {
  const ours = fileURLToPath(import.meta.resolve('xstate'));
  for (let folder = dirname(ours); folder !== dirname(folder); folder = dirname(folder)) {
    if (folder.endsWith('node_modules') && existsSync(folder)) return folder;
  }
  return dirname(ours);
}
