// Randomness from the platform's Web Crypto: browsers, Deno, Bun, Node.
// Invariant: ids are version 4 UUIDs. `crypto.randomUUID` exists in secure contexts only, a page served over plain http has none.

import type { Random } from '../ports.ts';

interface PlatformCrypto {
  getRandomValues<T extends Uint8Array | Uint32Array>(array: T): T;
}

export function createWebRandom(): Random {
  // The cast names what is used of the platform, so that this file compiles without the types of browsers or of Node.
  const { crypto } = globalThis as unknown as { crypto: PlatformCrypto };
  const word = new Uint32Array(1);
  return {
    id: () => uuid(crypto.getRandomValues(new Uint8Array(16))),
    uint32: () => crypto.getRandomValues(word)[0] ?? 0,
  };
}

/** RFC 9562, 5.4: version 4, variant 10. */
function uuid(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte, index) => {
    if (index === 6) return hex((byte & 0x0f) | 0x40);
    if (index === 8) return hex((byte & 0x3f) | 0x80);
    return hex(byte);
  }).join('');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join(
    '-',
  );
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
