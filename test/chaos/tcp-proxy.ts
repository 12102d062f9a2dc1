// A TCP proxy between a peer and its hub that a test can make lossy: cut, swallow, refuse.
// Invariant: it never closes anything unless it is told to, so a swallowing link looks alive to both ends.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { monotonicMs } from './eventually.ts';

interface Pair {
  readonly down: Socket;
  readonly up: Socket;
}

export interface TcpProxy {
  /** `ws://` URL for peers. */
  readonly url: string;
  /** Connections that it took, in all. */
  readonly accepted: number;
  /** Connections that are open. */
  readonly open: number;
  /** When bytes for the peer last went through, by `monotonicMs`. */
  readonly lastToPeerAt: number;
  readonly lastToHubAt: number;
  readonly bytesToHub: number;
  readonly bytesToPeer: number;
  /** Bytes of open and future connections vanish, in both directions or in one; nothing is closed. */
  swallow(direction?: 'both' | 'toPeer' | 'toHub'): void;
  /** Bytes go through again. What was swallowed is gone, so links that were open are cut. */
  heal(): void;
  /** Ends every open connection at once, without a goodbye. */
  cut(): void;
  /** New connections are closed at once, until `heal`. */
  refuse(): void;
  /** New connections lead elsewhere. */
  aim(port: number): void;
}

export async function startTcpProxy(hubPort: number): Promise<TcpProxy> {
  let port = hubPort;
  let mode: 'pass' | 'both' | 'toPeer' | 'toHub' | 'refuse' = 'pass';
  let accepted = 0;
  let lastToPeerAt = 0;
  let lastToHubAt = 0;
  let bytesToHub = 0;
  let bytesToPeer = 0;
  const pairs = new Set<Pair>();

  const server = createServer({ noDelay: true }, (down) => {
    accepted += 1;
    down.on('error', () => undefined);
    if (mode === 'refuse') return void down.destroy();
    const up = connect({ port, host: '127.0.0.1', noDelay: true });
    const pair = { down, up };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      down.destroy();
      up.destroy();
    };
    up.on('error', () => undefined);
    down.on('data', (bytes) => {
      if (mode === 'both' || mode === 'toHub') return;
      lastToHubAt = monotonicMs();
      bytesToHub += bytes.length;
      if (!up.write(bytes)) down.pause();
    });
    up.on('data', (bytes) => {
      if (mode === 'both' || mode === 'toPeer') return;
      lastToPeerAt = monotonicMs();
      bytesToPeer += bytes.length;
      if (!down.write(bytes)) up.pause();
    });
    up.on('drain', () => down.resume());
    down.on('drain', () => up.resume());
    // A swallowing link does not pass on the end of the other side either.
    down.on('close', () => (mode === 'pass' || mode === 'refuse' ? end() : undefined));
    up.on('close', () => (mode === 'pass' || mode === 'refuse' ? end() : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => {
    for (const { down, up } of [...pairs]) {
      down.destroy();
      up.destroy();
    }
    pairs.clear();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get accepted() {
      return accepted;
    },
    get open() {
      return pairs.size;
    },
    get lastToPeerAt() {
      return lastToPeerAt;
    },
    get lastToHubAt() {
      return lastToHubAt;
    },
    get bytesToHub() {
      return bytesToHub;
    },
    get bytesToPeer() {
      return bytesToPeer;
    },
    swallow(direction = 'both') {
      mode = direction;
    },
    heal() {
      if (mode !== 'pass' && mode !== 'refuse') cut();
      mode = 'pass';
    },
    cut,
    refuse() {
      mode = 'refuse';
    },
    aim(other) {
      port = other;
    },
  };
}
