// All of the wire protocol. PROTOCOL.md is its reference.
// Invariant: exports only.
export * from './assembler.ts';
export * from './errors.ts';
export * from './frames.ts';
export * from './limits.ts';
export * from './lists.ts';
export * from './messages.ts';
export * from './outbox.ts';
export * from './read.ts';
export * from './values.ts';
