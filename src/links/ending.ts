// Why a link will not come back by itself, as an error for those who use it.
// Invariant: says what happened and what to do about it.
import { HoldfastError } from '../protocol/errors.ts';

export function endingOf(
  state: 'failed' | 'rejected' | 'shutdown',
  reason: string,
  { id, url, maxRetryAttempts }: { id: string; url: string; maxRetryAttempts: number },
): HoldfastError {
  switch (state) {
    case 'rejected':
      return new HoldfastError(`the hub refused ${id} for good: ${reason}`, {
        code: reason.includes('took over') ? 'replaced' : 'registration_refused',
        blame: 'remote',
      });
    case 'failed':
      return new HoldfastError(
        `gave up on ${url} after ${maxRetryAttempts} attempts: ${reason}; ` +
          'raise maxRetryAttempts (0 = for ever) or call connect() again',
        { code: 'not_connected', retryable: true, blame: 'remote' },
      );
    case 'shutdown':
      return new HoldfastError(`${id} was stopped`, { code: 'stopped' });
  }
}
