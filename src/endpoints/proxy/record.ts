// What is told of a request when it is over.
// Invariant: no header, no body and no key is in it; what may be a key in the query is not shown.
import type { TransportFault, VerdictKind } from '../classify.ts';
import type { RequestRefusal } from '../request.ts';

/**
 * - `answered`: the client has an upstream's answer, whole.
 * - `cut`: an answer broke after its beginning had been passed on; the client's connection was ended.
 * - `failed`: no upstream answered; the client has the proxy's own error.
 * - `refused`: the proxy did not take the request.
 * - `cancelled`: the client went away.
 */
export type ExchangeOutcome = 'answered' | 'cut' | 'failed' | 'refused' | 'cancelled';

export interface AttemptRecord {
  readonly endpoint: string;
  /** Undefined when no answer began. */
  readonly status: number | undefined;
  readonly fault: TransportFault | undefined;
  readonly verdict: VerdictKind;
  /** From its beginning to its verdict. */
  readonly durationMs: number;
}

export interface ExchangeRecord {
  /** Unique in this run of the proxy. */
  readonly id: string;
  readonly method: string;
  /** As the client wrote it; values in the query that may be keys are replaced. */
  readonly target: string;
  readonly remoteAddress: string;
  readonly outcome: ExchangeOutcome;
  /** What the client got; undefined when it got none. */
  readonly status: number | undefined;
  /** The endpoint whose answer it got. */
  readonly endpoint: string | undefined;
  /** In the order in which they began. */
  readonly attempts: readonly AttemptRecord[];
  /** Why there was no further attempt. */
  readonly refusal: RequestRefusal | undefined;
  /** In words, when it did not end well. */
  readonly problem: string | undefined;
  /** From the request's headers to the first byte that was passed on; −1 when none was. */
  readonly firstByteMs: number;
  readonly durationMs: number;
  /** Of the answer's body, passed on. */
  readonly bytes: number;
}

const SECRET = /(?:key|token|secret|password|signature|auth|credential|^sig$)/i;

/** The same target, with the values of what sounds like a secret replaced. */
export function redactTarget(target: string): string {
  const query = target.indexOf('?');
  if (query < 0) return target;
  const pairs = target
    .slice(query + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals >= 0 && SECRET.test(decoded(pair.slice(0, equals)))
        ? `${pair.slice(0, equals)}=redacted`
        : pair;
    });
  return `${target.slice(0, query)}?${pairs.join('&')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
