// The route of a call: which node may run it.
// Invariant: a small JSON object, checked before anything is routed by it.
import * as z from 'zod';
import { ProtocolViolation } from './errors.ts';
import { CloseCode } from './frames.ts';
import { limits } from './limits.ts';
import { isHarmless } from './messages.ts';
import { decodeText } from './text.ts';

const name = z.string().min(1).max(limits.maxNameLength);
const schema = z.object({ node: name.optional(), labels: z.record(name, name).optional() });

export interface Route {
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** @throws ProtocolViolation MALFORMED when it reaches beyond `limit` or is no route, LIMIT_EXCEEDED when it is too long */
export function readRoute(bytes: Uint8Array, start: number, end: number, limit: number): Route {
  if (end > limit)
    throw new ProtocolViolation(CloseCode.MALFORMED, 'a CALL whose route is longer than its payload');
  if (end - start > limits.maxRouteBytes) {
    const message = `a route of ${end - start} bytes; at most ${limits.maxRouteBytes} are allowed`;
    throw new ProtocolViolation(CloseCode.LIMIT_EXCEEDED, message);
  }
  let json: unknown;
  try {
    json = JSON.parse(decodeText(bytes, start, end));
  } catch {
    throw new ProtocolViolation(CloseCode.MALFORMED, 'a CALL whose route is not JSON');
  }
  if (!isHarmless(json)) {
    throw new ProtocolViolation(CloseCode.MALFORMED, 'a CALL whose route names a property of prototypes');
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw new ProtocolViolation(CloseCode.MALFORMED, `a CALL whose route is wrong: ${parsed.error.message}`);
  const { node, labels } = parsed.data;
  return { ...(node === undefined ? {} : { node }), ...(labels === undefined ? {} : { labels }) };
}
