// A client for one command: it waits for its hub for a while, and says clearly when there is none.
// Invariant: a command that could not reach its hub says which address it tried, what came of it, and what to do.
import { HoldfastError, type Client } from '../index.ts';

/** Resolves when registered. @throws HoldfastError `not_connected` after `withinMs` milliseconds, or the refusal */
export async function connected(
  client: Client,
  hub: string,
  withinMs: number,
  signal?: AbortSignal,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const { reason } = client.status();
      reject(
        new HoldfastError(
          `no hub at ${hub} within ${withinMs} ms${reason === '' ? '' : `: ${reason}`}; ` +
            'start one with `holdfast hub`, or name another with --hub or HOLDFAST_HUB',
          { code: 'not_connected', retryable: true, blame: 'remote' },
        ),
      );
    }, withinMs);
    signal?.addEventListener('abort', () => reject(new HoldfastError('interrupted', { code: 'cancelled' })), {
      once: true,
    });
  });
  try {
    await Promise.race([client.ready(), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
