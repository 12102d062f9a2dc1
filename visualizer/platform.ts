// What the page needs of the browser: time, frames, packing, files.
// Invariant: nothing here knows what is packed, drawn or saved.
import type { Platform } from './stream/watch.ts';

/** `gzip`: all browsers have it, and text of a stream shrinks to a twelfth. Packing goes in pieces: it is done by this thread. */
const PIECE_BYTES = 32 * 1024;

const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });

async function pack(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const { readable, writable } = new CompressionStream('gzip');
  const packed = new Response(readable).bytes();
  const writer = writable.getWriter();
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    await writer.write(bytes.subarray(start, start + PIECE_BYTES));
    await breathe();
  }
  await writer.close();
  return packed;
}

async function unpack(bytes: Uint8Array): Promise<string> {
  const whole = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'));
  return new Response(whole).text();
}

export const browser: Platform = {
  now: () => performance.now(),
  breathe,
  pack,
  unpack,
  nextFrame(fn) {
    // A page that nobody looks at draws no frames.
    if (document.hidden) setTimeout(fn, 100);
    else requestAnimationFrame(fn);
  },
};

/** Has the browser save a file. */
export function save(name: string, parts: readonly BlobPart[], type: string): void {
  const url = URL.createObjectURL(new Blob([...parts], { type }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
