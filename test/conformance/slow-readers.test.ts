// Peers that do not read what they are sent, and peers that send more than anybody asked for: what it costs them, the hub and others.
import { describe, expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { call, callPayload, define, join, type Joined } from './fleet.ts';
import { HubProcess, startBystanders } from './fuzz/children.ts';
import { concat, frame, jsonOf, RawPeer } from './raw.ts';

const MIB = 1_048_576;
/** What may lie in the kernel's buffers of both ends besides. */
const chunk = new Uint8Array(limits.maxChunkBytes).fill(0x31);

/** A hub with bystanders, and what is to be true of them in the end. */
async function beside(env: Readonly<Record<string, string>> = {}) {
  const hub = await HubProcess.start({ WARNINGS: 'yes', ...env });
  const bystanders = await startBystanders(hub.url);
  const before = await hub.memory();
  return {
    hub,
    async settle(mostBytes: number, p99Ms = 250): Promise<void> {
      const experience = await bystanders.experience();
      expect(experience).toMatchObject({ failures: [], nodeReconnects: 0, clientReconnects: 0, retries: 0 });
      expect(experience.calls).toBeGreaterThan(50);
      expect(experience.p99Ms).toBeLessThan(p99Ms);
      expect(hub.defects).toEqual([]);
      const { peakRssBytes } = await hub.memory();
      expect(peakRssBytes - before.peakRssBytes).toBeLessThan(mostBytes);
      await expect
        .poll(
          async () => {
            const { heapBytes, bufferBytes } = await hub.memory();
            return Math.max(heapBytes - before.heapBytes, bufferBytes - before.bufferBytes);
          },
          { timeout: 10_000, interval: 100 },
        )
        .toBeLessThan(16 * MIB);
    },
  };
}

/** The number of bytes that a close reason names. */
const bytesOf = (reason: string): number => Number(/^(\d+) bytes wait/.exec(reason)?.[1]);

/** Resolves when the hub has noticed a peer that does not read. */
async function noticed(hub: HubProcess): Promise<void> {
  await expect
    .poll(() => hub.warnings.filter((text) => text.startsWith('peer does not read')), { timeout: 30_000 })
    .toHaveLength(1);
}

/** A client that does not read, and more results for it than may wait. */
async function drowned() {
  const { hub, settle } = await beside();
  const node = await join(hub, 'node', { functions: ['pour'], maxConcurrent: 100_000 });
  const client = await join(hub, 'client');
  const count = (limits.maxOutboxBytes + 16 * MIB) / chunk.length;
  client.peer.send(define(0, 'pour'), ...Array.from({ length: count }, (_, at) => call(at + 1)));
  await node.peer.take(FrameType.CALL, ({ id }) => id === count);
  client.peer.ws.pause();
  for (let id = 1; id <= count; id += 1) {
    node.peer.send(frame(FrameType.RESULT, chunk, { peer: client.number, id }));
  }
  await noticed(hub);
  return { hub, settle, node, client };
}

/** Sends frames until the hub takes no more of them or `until` has come; answers how many. */
async function pour(peer: RawPeer, next: () => Uint8Array, until: () => boolean): Promise<number> {
  let count = 0;
  while (!until() && peer.ws.readyState === peer.ws.OPEN) {
    peer.ws.send(next());
    count += 1;
    while (peer.ws.bufferedAmount > 4 * MIB && !until() && peer.ws.readyState === peer.ws.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (count % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return count;
}

describe('A peer that does not read', () => {
  it(
    'what results pour in for it, is cut off with 4505 when more than maxOutboxBytes wait, and others are not delayed',
    { timeout: 90_000 },
    async () => {
      const { settle, node, client } = await drowned();
      client.peer.ws.resume();
      const { code, reason } = await client.peer.closed;
      expect(code).toBe(CloseCode.SLOW_READER);
      expect(bytesOf(reason)).toBeGreaterThan(limits.maxOutboxBytes);
      expect(bytesOf(reason)).toBeLessThan(limits.maxOutboxBytes + 2 * MIB);
      await node.peer.barrier();
      await settle(3 * limits.maxOutboxBytes);
    },
  );

  it(
    'and goes on not reading is ended all the same, and what waited for it is freed',
    { timeout: 90_000 },
    async () => {
      const { hub, settle } = await drowned();
      // Bystanders, and the node: the client's socket is gone although it never read its close frame.
      await expect.poll(async () => (await hub.status()).status['connections'], { timeout: 10_000 }).toBe(3);
      await settle(3 * limits.maxOutboxBytes);
    },
  );

  it.each(['node', 'client'] as const)(
    'the answers to what it asks (%s) is cut off with 4505',
    { timeout: 90_000 },
    async (role) => {
      const { hub, settle } = await beside();
      const functions = Array.from({ length: 900 }, (_, at) => `${at}`.padStart(250, 'f'));
      const large = await join(hub, 'node', { functions });
      const peer = role === 'node' ? large.peer : (await join(hub, 'client')).peer;
      const question = frame(FrameType.ASK, { ask: 'nodes' }, { id: 1 });
      peer.ws.pause();
      peer.send(...Array.from({ length: 500 }, () => question));
      await noticed(hub);
      peer.ws.resume();
      const { code, reason } = await peer.closed;
      expect(code).toBe(CloseCode.SLOW_READER);
      expect(bytesOf(reason)).toBeGreaterThan(limits.maxOutboxBytes);
      expect(bytesOf(reason)).toBeLessThan(limits.maxOutboxBytes + 2 * MIB);
      await settle(3 * limits.maxOutboxBytes);
    },
  );

  it(
    'its calls (a node) has them wait at the hub, up to what may wait there, and others are not delayed',
    { timeout: 90_000 },
    async () => {
      const { hub, settle } = await beside();
      const node = await join(hub, 'node', { functions: ['swallow'], maxConcurrent: 100_000 });
      node.peer.ws.pause();
      const clients: Joined[] = [];
      const args = callPayload(new Uint8Array(60_000));
      // More than the kernel, the node's outbox and its queue take together.
      const calls = 1_000;
      for (let count = 0; count < 3; count += 1) {
        const client = await join(hub, 'client');
        clients.push(client);
        client.peer.send(define(0, 'swallow'));
        for (let id = 1; id <= calls; id += 1) client.peer.send(call(id, args));
        await client.peer.barrier();
      }
      const refused = clients.map(({ peer }) => peer.seen(FrameType.FAILURE).length);
      expect(refused.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
      const { status } = await hub.status();
      expect(Number(status['waiting']) * args.length).toBeLessThan(limits.maxQueueBytes + 2 * args.length);
      expect(hub.warnings).toEqual([]);
      // When it reads again, it gets what waited.
      node.peer.ws.resume();
      await expect.poll(async () => (await hub.status()).status['waiting'], { timeout: 20_000 }).toBe(0);
      node.peer.vanish();
      for (const { peer } of clients) peer.vanish();
      await settle(3 * limits.maxOutboxBytes);
    },
  );

  it('pings of WebSocket itself is ended before their pongs take memory', { timeout: 60_000 }, async () => {
    const { hub, settle } = await beside();
    const { peer } = await join(hub, 'client');
    peer.ws.pause();
    const payload = Buffer.alloc(125);
    let ended = false;
    void peer.closed.then(() => (ended = true));
    for (let count = 0; count < 400_000 && !ended; count += 1) {
      if (peer.ws.readyState !== peer.ws.OPEN) break;
      peer.ws.ping(payload);
      if (count % 2_000 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    peer.ws.resume();
    await peer.closed;
    await settle(64 * MIB);
  });
});

describe('A peer that floods', () => {
  /** For how long it does. */
  const FLOOD_MS = 1_000;
  /** The hub has one processor, which the flood keeps busy. */
  const FLOODED_P99_MS = 750;
  /**
   * Mostly buffers of 64 KiB that were read and dropped, and that V8 has not collected yet: with a small heap it lets hundreds
   * of MiB of them lie. What the hub holds on to is measured apart, after collections.
   */
  const FLOODED_RSS_BYTES = 512 * MIB;

  const many = (count: number, make: (at: number) => Uint8Array): Uint8Array =>
    concat(Array.from({ length: count }, (_, at) => make(at)));
  const pings = many(5_000, (id) => frame(FrameType.PING, '', { id }));
  const checks = many(1_000, () => frame(FrameType.CHECK, { functions: 1, digest: 'x' }));
  const large = frame(FrameType.PING, new Uint8Array(limits.maxControlBytes));
  const cancels = many(5_000, () => frame(FrameType.CANCEL));
  let attempts = 0;
  const calls = (): Uint8Array =>
    many(500, () => {
      attempts += 1;
      return call(attempts, callPayload('[]', { route: '{"node":"nobody"}' }));
    });

  it.each([
    ['PINGs', 'client', () => pings],
    ['CHECKs', 'client', () => checks],
    ['calls that nobody can run', 'client', calls],
    ['large control frames', 'node', () => large],
    ['frames before it registers', 'nobody', () => cancels],
  ] as const)(
    'the hub with %s costs others little time and the hub little memory',
    { timeout: 60_000 },
    async (_, role, next) => {
      const { hub, settle } = await beside();
      const peer =
        role === 'nobody' ? await RawPeer.dial(hub.url) : (await join(hub, role, { functions: [] })).peer;
      if (role === 'client') peer.send(define(0, 'nobody'));
      peer.ws.on('message', () => {
        peer.inbox.length = 0;
        peer.messages.length = 0;
      });
      const until = performance.now() + FLOOD_MS;
      const sent = await pour(peer, next, () => performance.now() > until);
      expect(sent).toBeGreaterThan(10);
      expect(peer.ws.readyState).toBe(peer.ws.OPEN);
      peer.vanish();
      await settle(FLOODED_RSS_BYTES, FLOODED_P99_MS);
    },
  );

  it('the hub with registrations of its instance costs others little time', { timeout: 60_000 }, async () => {
    const { hub, settle } = await beside();
    const { peer, message } = await join(hub, 'client');
    peer.ws.on('message', () => {
      peer.inbox.length = 0;
      peer.messages.length = 0;
    });
    const until = performance.now() + FLOOD_MS;
    let registrationEpoch = 1;
    while (performance.now() < until) {
      const frames = Array.from({ length: limits.maxUndecided }, () => {
        registrationEpoch += 1;
        return frame(FrameType.REGISTER, { ...message, registrationEpoch });
      });
      peer.send(...frames);
      const last = registrationEpoch;
      await peer.take(FrameType.REGISTERED, (it) => jsonOf(it)['registrationEpoch'] === last);
    }
    expect(registrationEpoch).toBeGreaterThan(1_000);
    peer.vanish();
    await settle(FLOODED_RSS_BYTES, FLOODED_P99_MS);
  });

  it('the hub with questions costs others little time', { timeout: 60_000 }, async () => {
    const { hub, settle } = await beside();
    const nodes = await Promise.all(Array.from({ length: 40 }, () => join(hub, 'node')));
    const until = performance.now() + FLOOD_MS;
    const { peer } = await join(hub, 'client');
    let answered = 0;
    while (performance.now() < until) {
      const ids = Array.from({ length: 500 }, (_, at) => at + 1);
      peer.send(...ids.map((id) => frame(FrameType.ASK, { ask: 'nodes' }, { id })));
      await peer.take(FrameType.ANSWER, ({ id }) => id === 500);
      answered += 500;
      peer.inbox.length = 0;
      peer.messages.length = 0;
    }
    expect(answered).toBeGreaterThanOrEqual(500);
    peer.vanish();
    for (const node of nodes) node.peer.vanish();
    await settle(FLOODED_RSS_BYTES, FLOODED_P99_MS);
  });
});
