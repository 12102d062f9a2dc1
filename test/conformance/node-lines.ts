// What a fake hub says to a real node, and what it hears from it.
// Invariant: the client is peer 9, unless a test says otherwise.
import { FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { FakeHub, fn, startNode } from './fake-hub.ts';
import { callPayload } from './fleet.ts';
import { concat, frame, u32s, type Frame, type RawPeer } from './raw.ts';

export const introduce = (number = 9, more: object = {}): Uint8Array =>
  frame(FrameType.PEER, { id: `c${number}`, instance: `ci${number}`, ...more }, { peer: number });

export const call = (
  id: number,
  args: string | Uint8Array,
  number: number = fn.echo,
  flags = 0,
  peer = 9,
): Uint8Array => frame(FrameType.CALL, callPayload(args, { fn: number }), { id, peer, flags });

export const ack = (...ids: number[]): Uint8Array => frame(FrameType.ACK, u32s(...ids), { peer: 9 });

export function fatesOf({ payload }: Frame): [number, number][] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: payload.length / 5 }, (_, at) => [
    view.getUint32(at * 5, true),
    view.getUint8(at * 5 + 4),
  ]);
}

export const query = (...entries: readonly (readonly [number, number?, number?])[]): Uint8Array =>
  frame(
    FrameType.QUERY,
    concat(
      entries.map(([id, received = 0, window = limits.creditWindowBytes]) => u32s(id, received, window)),
    ),
    { peer: 9 },
  );

/** A connected node, and the socket that its hub has. */
export async function connected(options: Parameters<typeof startNode>[1] = {}) {
  const hub = await FakeHub.start();
  const node = startNode(hub, options);
  const peer = await hub.welcome();
  return { hub, node, peer };
}

/** Resolves when the node has read all that was sent: it answers a query of nothing known. */
export async function read(peer: RawPeer): Promise<void> {
  peer.send(introduce(8), frame(FrameType.QUERY, u32s(4_000_000, 0, 1), { peer: 8 }));
  await peer.take(FrameType.FATE, (it) => it.peer === 8);
}
