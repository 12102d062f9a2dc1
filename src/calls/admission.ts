// Which calls a client does not even try to send.
// Invariant: what is let in obeys what the hub would demand of it, so that no call can cost the client its link.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { isName } from '../protocol/messages.ts';
import * as outcome from './outcome.ts';
import type { CallOptions, Target } from './pending.ts';

const MAX_DEADLINE_MS = 0xffff_ffff;

export class Admission {
  readonly #maxQueueSize: number;
  /** Function names that were found good. */
  readonly #names = new Set<string>();

  constructor(maxQueueSize: number) {
    this.#maxQueueSize = maxQueueSize;
  }

  /** @throws HoldfastError that says what to do instead */
  check(name: string, deadlineMs: number, options: CallOptions, waiting: number): void {
    if (!this.#names.has(name)) {
      if (!isName(name)) throw outcome.badName('a function name', name);
      if (this.#names.size >= limits.maxDefinitionsPerClient) {
        const message = `a client may call ${limits.maxDefinitionsPerClient} different functions; ${name} is one more`;
        throw new HoldfastError(message, { code: 'invalid_argument' });
      }
      this.#names.add(name);
    }
    if (options.node !== undefined || options.labels !== undefined) checkTarget(options);
    if (options.signal?.aborted) {
      const facts = {
        name,
        attempt: 0,
        deadlineMs,
        node: undefined,
        state: 'queued',
        past: 'notStarted',
      } as const;
      throw outcome.cancelled(facts, options.signal.reason);
    }
    if (!(deadlineMs > 0 && deadlineMs <= MAX_DEADLINE_MS)) {
      const message = `deadlineMs is ${deadlineMs}; it must be between 1 and ${MAX_DEADLINE_MS}`;
      throw new HoldfastError(message, { code: 'invalid_option' });
    }
    if (waiting < this.#maxQueueSize) return;
    throw new HoldfastError(
      `${waiting} calls wait for the link to the hub already; await some of them, or raise maxQueueSize`,
      { code: 'queue_full', retryable: true, started: 'notStarted' },
    );
  }
}

function checkTarget({ node, labels = {} }: Target): void {
  for (const text of [node, ...Object.entries(labels).flat()]) {
    if (text !== undefined && !isName(text)) throw outcome.badName('a node or label', text);
  }
}
