// The inspector's page: files of one folder, over HTTP, under a policy that lets them talk to their own hub only.
// Invariant: nothing outside the folder is ever read, whatever a path says; no file is trusted to be what a browser guesses.
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';
import type { Page } from '../ports.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** Scripts, styles and sockets of the page's own origin; pictures also from memory, for what it exports. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SAFE = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Names of assets that end in a hash of what is in them never change. */
const HASHED = /-[\w-]{8,}\.\w+$/;

/** The page that this package brings: `dist/visualizer`. Undefined in a bundle, which has no package around it. */
export function createInspectorSite(): ((path: string) => Promise<Page | undefined>) | undefined {
  try {
    const root = dirname(createRequire(import.meta.url).resolve('holdfast/package.json'));
    return createSite(join(root, 'dist', 'visualizer'), 'the page is not built; run: npm run build');
  } catch {
    return undefined;
  }
}

/** Answers paths with the files of `directory`; `missing` says what to do when there are none. */
export function createSite(directory: string, missing: string): (path: string) => Promise<Page | undefined> {
  /** What may be asked for, by its path. Read once: a page that is built anew has other names. */
  let files: Map<string, string> | undefined;
  return async (path) => {
    if (files === undefined || files.size === 0) files = await list(directory);
    const name = path === '/' ? '/index.html' : path;
    const file = files.get(name);
    if (file === undefined)
      return path === '/'
        ? { status: 503, contentType: 'text/plain; charset=utf-8', body: `${missing}\n`, headers: SAFE }
        : undefined;
    const caching = HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache';
    return {
      status: 200,
      contentType: TYPES[extname(file)] ?? 'application/octet-stream',
      body: await readFile(file),
      headers: { ...SAFE, 'cache-control': caching },
    };
  };
}

async function list(directory: string): Promise<Map<string, string>> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    return new Map(files.map((file) => [file.slice(directory.length).split(sep).join('/'), file]));
  } catch {
    return new Map();
  }
}
