// What a fake hub says to a real client, and what it hears from it.
// Invariant: the node is peer 12, unless a test says otherwise.
import type { Client } from '../../src/index.ts';
import { FrameType } from '../../src/protocol/frames.ts';
import { FakeHub, startClient, welcome } from './fake-hub.ts';
import { frame, textOf, type Frame, type RawPeer } from './raw.ts';

export const introduce = (number = 12): Uint8Array =>
  frame(FrameType.PEER, { id: `n${number}`, instance: `ni${number}` }, { peer: number });
export const assigned = (id: number, peer = 12): Uint8Array => frame(FrameType.ASSIGNED, '', { peer, id });
export const result = (id: number, value: string | Uint8Array, flags = 0, peer = 12): Uint8Array =>
  frame(FrameType.RESULT, value, { peer, id, flags });
export const failure = (id: number, code: string, peer = 12): Uint8Array =>
  frame(FrameType.FAILURE, { code, message: 'so it is' }, { peer, id });
export const fate = (id: number, what: number, peer = 12): Uint8Array =>
  frame(FrameType.FATE, Uint8Array.of(id, 0, 0, 0, what), { peer });

/** A connected client, and the socket that its hub has. */
export async function connected(options: Parameters<typeof startClient>[1] = {}) {
  const hub = await FakeHub.start();
  const client = startClient(hub, options);
  const peer = await hub.welcome();
  return { hub, client, peer };
}

/** Resolves when the client has read all that was sent before: it registers anew. */
export async function read(peer: RawPeer): Promise<void> {
  peer.send(frame(FrameType.UNKNOWN));
  await welcome(peer);
}

/** Resolves when the client has read all that was sent before: it has the answer to a question. */
export async function heard(client: Client, peer: RawPeer): Promise<void> {
  const status = client.hubStatus();
  const { id } = await peer.take(FrameType.ASK);
  peer.json(FrameType.ANSWER, { ok: true, status: {} }, { id });
  await status;
}

export function prefixOf({ payload }: Frame): {
  fn: number;
  route: string;
  deadlineMs: number;
  args: string;
} {
  const view = new DataView(payload.buffer, payload.byteOffset);
  const routeEnd = 8 + view.getUint16(2, true);
  return {
    fn: view.getUint16(0, true),
    route: textOf(payload.subarray(8, routeEnd)),
    deadlineMs: view.getUint32(4, true),
    args: textOf(payload.subarray(routeEnd)),
  };
}

export const idsOf = ({ payload }: Frame): number[] => {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: payload.length / 4 }, (_, at) => view.getUint32(at * 4, true));
};

export const codeOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    (value) => `no error, but ${JSON.stringify(value)}`,
    (error: { code: string }) => error.code,
  );
