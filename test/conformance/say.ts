// What well-behaved peers say: payloads and frames for tests to send as they are, or to damage.
// Invariant: pure; every REGISTER is of another instance.
import { CALL_PREFIX_BYTES, FrameType } from '../../src/protocol/frames.ts';
import { concat, frame } from './raw.ts';

let instances = 0;

/** The payload of a REGISTER that a hub takes. */
export function registration(role: 'node' | 'client', more: object = {}): Record<string, unknown> {
  instances += 1;
  return {
    role,
    id: `${role}-${instances}`,
    instance: `instance-${instances}`,
    epoch: 1,
    registrationEpoch: 1,
    functions: role === 'node' ? ['echo', 'slow'] : [],
    labels: {},
    maxConcurrent: 16,
    encodings: ['json'],
    version: 'test',
    heartbeatIntervalMs: 5_000,
    heartbeatTimeoutMs: 15_000,
    ...more,
  };
}

export interface CallParts {
  readonly fn?: number;
  readonly route?: string;
  readonly routeLength?: number;
  readonly deadlineMs?: number;
}

/** The payload of a CALL. */
export function callPayload(args: string | Uint8Array = '[]', parts: CallParts = {}): Uint8Array {
  const { fn = 0, route = '', deadlineMs = 10_000 } = parts;
  const text = new TextEncoder().encode(route);
  const prefix = new Uint8Array(CALL_PREFIX_BYTES);
  const view = new DataView(prefix.buffer);
  view.setUint16(0, fn, true);
  view.setUint16(2, parts.routeLength ?? text.length, true);
  view.setUint32(4, deadlineMs, true);
  return concat([prefix, text, typeof args === 'string' ? new TextEncoder().encode(args) : args]);
}

export function define(number: number, name: string): Uint8Array {
  return frame(FrameType.DEFINE, name, { id: number });
}

export function call(id: number, payload: Uint8Array = callPayload(), flags = 0): Uint8Array {
  return frame(FrameType.CALL, payload, { id, flags });
}
