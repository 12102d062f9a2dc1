// A real hub on a free port, and raw peers that registered with it.
// Invariant: everything that a test starts ends with it.
import { onTestFinished } from 'vitest';

import { createHub } from '../../src/index.ts';
import type { Hub, Log } from '../../src/index.ts';
import type { HubOptions } from '../../src/hub/options.ts';
import { FrameType } from '../../src/protocol/frames.ts';
import { jsonOf, RawPeer, type Frame } from './raw.ts';
import { call, callPayload, define, registration } from './say.ts';

export * from './say.ts';

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

export async function join(
  hub: Pick<Hub, 'url'>,
  role: 'node' | 'client',
  more: object = {},
): Promise<Joined> {
  return register(await dial(hub), registration(role, more));
}

/** A node that offers `echo` and `slow`, and a client that defined both as 0 and 1. */
export async function pair(
  hub: Pick<Hub, 'url'>,
  more: object = {},
): Promise<{ node: Joined; client: Joined }> {
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
