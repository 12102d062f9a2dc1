// How the page is bundled: into dist/visualizer, every file from its own origin, nothing inline (the server's
// Content-Security-Policy allows no inline script and no inline style).
// Invariant: the page works from any path and without a network.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

// oxlint-disable-next-line import/no-default-export -- vite reads the default export
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  publicDir: false,
  cacheDir: '../node_modules/.cache/vite',
  build: {
    outDir: '../dist/visualizer',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2_000,
    modulePreload: { polyfill: false },
    // What is bundled is passed on to users, so its terms go with it.
    license: { fileName: 'licenses.md' },
  },
  worker: { format: 'es' },
});
