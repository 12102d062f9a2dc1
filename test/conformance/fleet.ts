// A real hub on a free port, and raw peers that registered with it.
// Invariant: everything that a test starts ends with it.
import { onTestFinished } from 'vitest';

import { createHub } from '../../src/index.ts';
import type { Hub, Log } from '../../src/index.ts';
import type { HubOptions } from '../../src/hub/options.ts';
import { CALL_PREFIX_BYTES, FrameType } from '../../src/protocol/frames.ts';
import { concat, frame, jsonOf, RawPeer, type Frame } from './raw.ts';

export interface Complaint {
  readonly level: 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

/** A log that keeps warnings and errors. */
export function listeningLog(): { log: Log; complaints: Complaint[] } {
  const complaints: Complaint[] = [];
  const keep = (level: Complaint['level']) => (fields: object, message: string) =>
    void complaints.push({ level, fields, message });
  return { complaints, log: { debug() {}, info() {}, warn: keep('warn'), error: keep('error') } };
}

/** A hub that does not wait for its calls when the test is over. */
export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const hub = await createHub({ port: 0, drainTimeoutMs: 1, log: listeningLog().log, ...options });
  onTestFinished(() => hub.stop());
  return hub;
}

export async function dial(hub: Pick<Hub, 'url'>): Promise<RawPeer> {
  const peer = await RawPeer.dial(hub.url);
  onTestFinished(() => peer.vanish());
  return peer;
}

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

/** A raw peer that is online. */
export interface Joined {
  readonly peer: RawPeer;
  /** What it registered as. */
  readonly message: Record<string, unknown>;
  readonly number: number;
}

/** Registers on an open connection, and acknowledges the sync. */
export async function register(peer: RawPeer, message: Record<string, unknown>): Promise<Joined> {
  const { epoch, registrationEpoch } = message;
  peer.json(FrameType.REGISTER, message);
  const registered = jsonOf(await peer.take(FrameType.REGISTERED));
  await peer.take(FrameType.SYNC);
  peer.json(FrameType.SYNCED, { epoch, registrationEpoch });
  await peer.barrier();
  return { peer, message, number: Number(registered['session']) };
}

export async function join(hub: Pick<Hub, 'url'>, role: 'node' | 'client', more: object = {}): Promise<Joined> {
  return register(await dial(hub), registration(role, more));
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

/** A node that offers `echo` and `slow`, and a client that defined both as 0 and 1. */
export async function pair(hub: Pick<Hub, 'url'>, more: object = {}): Promise<{ node: Joined; client: Joined }> {
  const node = await join(hub, 'node', more);
  const client = await join(hub, 'client');
  client.peer.send(define(0, 'echo'), define(1, 'slow'));
  return { node, client };
}

/** Sends a call and has it arrive at the node. */
export async function running(
  { node, client }: { node: Joined; client: Joined },
  id: number,
  payload: Uint8Array = callPayload(),
  flags = 0,
): Promise<{ assigned: Frame; arrived: Frame }> {
  client.peer.send(call(id, payload, flags));
  const assigned = await client.peer.take(FrameType.ASSIGNED, (it) => it.id === id);
  const arrived = await node.peer.take(FrameType.CALL, (it) => it.id === id);
  return { assigned, arrived };
}
