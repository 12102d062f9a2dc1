// CRC-32C (Castagnoli), with which etcd compares the contents of its members.
// Invariant: the hash of pieces is the hash of the whole.

const POLYNOMIAL = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder >>> 0;
});

export class Crc32c {
  #state = 0xffffffff;

  update(bytes: Uint8Array): this {
    let state = this.#state;
    for (let i = 0; i < bytes.length; i++)
      state = (table[(state ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (state >>> 8);
    this.#state = state;
    return this;
  }

  /** An unsigned number of 32 bits. */
  digest(): number {
    return (this.#state ^ 0xffffffff) >>> 0;
  }
}
