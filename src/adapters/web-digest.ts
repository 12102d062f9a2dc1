// SHA-256 from the platform's Web Crypto: browsers, Deno, Bun, Node.
// Invariant: where the platform has none, that is said before anything is to be digested.
import type { Digest } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';

interface Subtle {
  digest(algorithm: 'SHA-256', bytes: Uint8Array): Promise<ArrayBuffer>;
}

/** @throws HoldfastError `unsupported` in a page that was served over plain http: `crypto.subtle` exists in secure contexts only */
export function createWebDigest(): Digest {
  // The cast names what is used of the platform, so that this file compiles without the types of browsers or of Node.
  const { subtle } = (globalThis as unknown as { crypto: { subtle?: Subtle } }).crypto;
  if (subtle === undefined)
    throw new HoldfastError('there is no crypto.subtle here; serve the page over https, or from localhost', {
      code: 'unsupported',
    });
  return { sha256: async (parts) => hex(new Uint8Array(await subtle.digest('SHA-256', join(parts)))) };
}

/** Web Crypto takes all at once. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
