// The errors that the proxy itself answers with, in the form that clients of LLM APIs read.
// Invariant: one form for all: `error.type`, `error.message` and `error.code` as OpenAI's clients read them, within the
// `type: 'error'` of Anthropic's; no key and no upstream's address is in it.
import type { HeaderList } from '../../ports.ts';
import type { TransportFault } from '../classify.ts';

/** What went wrong, with its status and its `error.type`. The names of types are those of Anthropic's API. */
const KINDS = {
  malformed_request: [400, 'invalid_request_error'],
  absolute_target: [400, 'invalid_request_error'],
  unsafe_path: [400, 'invalid_request_error'],
  wrong_token: [401, 'authentication_error'],
  request_too_slow: [408, 'timeout_error'],
  request_too_large: [413, 'request_too_large'],
  headers_too_large: [431, 'invalid_request_error'],
  method_refused: [405, 'invalid_request_error'],
  tunnel_refused: [501, 'invalid_request_error'],
  upgrade_refused: [501, 'invalid_request_error'],
  upstream_failed: [502, 'api_error'],
  upstream_unreachable: [503, 'overloaded_error'],
  proxy_overloaded: [503, 'overloaded_error'],
  proxy_stopping: [503, 'overloaded_error'],
  upstream_timeout: [504, 'timeout_error'],
  deadline_exceeded: [504, 'timeout_error'],
  loop_detected: [508, 'api_error'],
} as const satisfies Record<string, readonly [status: number, type: string]>;

export type ProxyErrorCode = keyof typeof KINDS;

export interface ProxyError {
  readonly code: ProxyErrorCode;
  readonly message: string;
  /** Sent as `Retry-After`, in seconds. */
  readonly retryAfterS?: number | undefined;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
}

function bodyOf({ code, message }: ProxyError): string {
  const [, type] = KINDS[code];
  return JSON.stringify({ type: 'error', error: { type, message, code, param: null } });
}

export function errorAnswer(error: ProxyError): ErrorAnswer {
  const { code, retryAfterS } = error;
  const [status] = KINDS[code];
  const headers = ['content-type', 'application/json', 'cache-control', 'no-store'];
  if (retryAfterS !== undefined) headers.push('retry-after', String(retryAfterS));
  if (code === 'wrong_token') headers.push('www-authenticate', 'Bearer');
  if (code === 'method_refused') headers.push('allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  return { status, headers, body: bodyOf(error) };
}

/**
 * The error as the last event of a stream. Clients of OpenAI look for `error` in the data of an event without a name, those of
 * Anthropic for an event of the name `error`: the stream's own events say which of the two it is.
 */
export function errorEvent(error: ProxyError, form: 'named' | 'unnamed'): string {
  return `${form === 'named' ? 'event: error\n' : ''}data: ${bodyOf(error)}\n\n`;
}

/** What a fault of the last attempt is to a client. */
export function codeOf(fault: TransportFault | undefined): ProxyErrorCode {
  if (fault === 'connect_failed' || fault === 'connect_timeout') return 'upstream_unreachable';
  if (fault === 'total_timeout') return 'deadline_exceeded';
  return fault === 'first_byte_timeout' || fault === 'idle_timeout' ? 'upstream_timeout' : 'upstream_failed';
}

const WORDS: Readonly<Record<TransportFault, string>> = {
  connect_failed: 'could not be reached',
  connect_timeout: 'could not be reached in time',
  first_byte_timeout: 'did not begin to answer in time',
  idle_timeout: 'fell silent in the middle',
  total_timeout: 'did not finish within the deadline of the request',
  broken_body: 'ended its answer before it was complete',
  unexpected_answer: 'answered with something else than a completion',
  failed_stream: 'began its stream with an error, or ended it before its first event',
  failed: 'closed the connection without an answer',
  cancelled: 'was not waited for',
};

export const faultInWords = (fault: TransportFault): string => WORDS[fault];
