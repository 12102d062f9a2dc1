// A proxy on the level of WebSocket messages, as load balancers are: it keeps a peer's socket while it dials a new hub.
// Invariant: the peer's socket is closed only by the peer; what comes while there is no hub is lost.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer, type RawData } from 'ws';

export interface WsProxy {
  readonly url: string;
  /** Sockets of peers that it took, in all. */
  readonly accepted: number;
  /** Connections to hubs that were opened, in all. */
  readonly dialled: number;
}

const REDIAL_MS = 20;

export async function startWsProxy(hubUrl: () => string): Promise<WsProxy> {
  let accepted = 0;
  let dialled = 0;
  let running = true;
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'holdfast.v1' });
  await once(server, 'listening');

  server.on('connection', (peer) => {
    accepted += 1;
    let up: WebSocket | undefined;
    // Until the first hub is there the peer is not read.
    peer.pause();
    peer.on('message', (data: RawData) => {
      if (up?.readyState === WebSocket.OPEN) up.send(data as Buffer, { binary: true });
    });
    peer.on('close', () => up?.terminate());
    peer.on('error', () => undefined);
    const dial = (): void => {
      if (!running || peer.readyState !== WebSocket.OPEN) return;
      const hub = new WebSocket(hubUrl(), 'holdfast.v1');
      up = hub;
      hub.on('open', () => {
        dialled += 1;
        peer.resume();
      });
      hub.on('message', (data: RawData) => peer.send(data as Buffer, { binary: true }));
      hub.on('error', () => undefined);
      hub.on('close', () => setTimeout(dial, REDIAL_MS));
    };
    dial();
  });
  onTestFinished(() => {
    running = false;
    for (const peer of server.clients) peer.terminate();
    server.close();
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get accepted() {
      return accepted;
    },
    get dialled() {
      return dialled;
    },
  };
}
