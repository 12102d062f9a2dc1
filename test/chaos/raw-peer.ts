// A peer that speaks the wire protocol by hand, so that a test can say what no node of ours would say.
// Invariant: it answers nothing by itself.
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { HEADER_BYTES, FrameType } from '../../src/protocol/frames.ts';
import { readFrames } from '../../src/protocol/read.ts';
import { eventually } from './eventually.ts';

export interface HeardFrame {
  readonly type: number;
  readonly flags: number;
  readonly peer: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export interface RawPeer {
  readonly heard: HeardFrame[];
  readonly state: 'open' | 'closed';
  readonly closed: Promise<{ code: number; reason: string }>;
  frame(type: number, flags: number, peer: number, id: number, payload?: Uint8Array): void;
  json(type: number, message: object, peer?: number, id?: number): void;
  register(identity: {
    role: 'node' | 'client';
    id: string;
    instance: string;
    epoch?: number;
    registrationEpoch?: number;
    token?: string;
  }): void;
  /** Acknowledges the sync, as the registration that is current. */
  synced(sync: HeardFrame): void;
  hears(type: number): Promise<HeardFrame>;
  terminate(): void;
}

export async function openPeer(hubUrl: string): Promise<RawPeer> {
  const socket = new WebSocket(hubUrl, 'holdfast.v1');
  const heard: HeardFrame[] = [];
  let epoch = 1;
  let registrationEpoch = 1;
  socket.on('message', (data: Buffer) =>
    readFrames(data, {
      frame: (type, flags, peer, id, bytes, start, end) =>
        void heard.push({ type, flags, peer, id, payload: bytes.slice(start, end) }),
    }),
  );
  socket.on('error', () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() })),
  );
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');

  const frame: RawPeer['frame'] = (type, flags, peer, id, payload = new Uint8Array()) => {
    const message = new Uint8Array(HEADER_BYTES + payload.length);
    const view = new DataView(message.buffer);
    view.setUint8(0, type);
    view.setUint8(1, flags);
    view.setUint16(2, peer, true);
    view.setUint32(4, id, true);
    view.setUint32(8, payload.length, true);
    message.set(payload, HEADER_BYTES);
    socket.send(message);
  };
  const json: RawPeer['json'] = (type, message, peer = 0, id = 0) =>
    frame(type, 0, peer, id, new TextEncoder().encode(JSON.stringify(message)));
  return {
    heard,
    closed,
    frame,
    json,
    get state() {
      return socket.readyState === WebSocket.OPEN ? 'open' : 'closed';
    },
    register(identity) {
      ({ epoch = 1, registrationEpoch = 1 } = identity);
      json(FrameType.REGISTER, {
        functions: [],
        labels: {},
        maxConcurrent: 1,
        encodings: ['json'],
        version: 'holdfast.v1',
        heartbeatIntervalMs: 300,
        heartbeatTimeoutMs: 1_500,
        ...identity,
        epoch,
        registrationEpoch,
      });
    },
    synced: ({ id }) => json(FrameType.SYNCED, { epoch, registrationEpoch: id }),
    hears: (type) =>
      eventually(`frame 0x${type.toString(16)}`, () => {
        const found = heard.find((it) => it.type === type);
        if (found === undefined && socket.readyState === WebSocket.CLOSED)
          throw new Error('the hub closed the connection');
        return found;
      }),
    terminate: () => socket.terminate(),
  };
}
