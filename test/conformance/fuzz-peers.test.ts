// Bad input the other way: a node and a client whose hub has gone mad. They must not fail, say why they leave, and come back.
// The seed is printed; `FUZZ_SEED=… npx vitest run … test/conformance/fuzz-peers.test.ts` says the same frames again.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, it } from 'vitest';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { FakeHub, startClient, startNode } from './fake-hub.ts';
import { Dice, seedOf } from './fuzz/dice.ts';
import { hubFrames, welcomeFrames, type Role } from './fuzz/hub-lines.ts';
import { mutate } from './fuzz/mutate.ts';
import { frame, jsonOf, type Closed, type RawPeer } from './raw.ts';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 12_000) / 2;
const KEPT_BYTES = 32 * 1_048_576;
/** How a peer may break off. 1006: it gave up on a hub that did not register it in time, or was told to go for good. */
const documented = new Set<number>([
  CloseCode.MALFORMED,
  CloseCode.OUT_OF_ORDER,
  CloseCode.UNEXPECTED_TYPE,
  CloseCode.LIMIT_EXCEEDED,
  CloseCode.TOO_BIG,
  CloseCode.LOST,
]);
const quick = { reconnectIntervalMs: 1, reconnectMaxMs: 4, connectionTimeoutMs: 60, maxRetryAttempts: 0 };

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

interface Madness {
  mutatedFrames: number;
  connections: number;
  readonly codes: Map<number, number>;
}

/** One connection: registers the peer, as it should or not quite, then says what makes no sense until the peer leaves. */
async function rave(role: Role, peer: RawPeer, dice: Dice, madness: Madness): Promise<Closed> {
  const share = dice.pick([0.05, 0.3, 0.8]);
  const manner = dice.pick(['subtle', 'gentle', 'rough'] as const);
  const say = (said: readonly Uint8Array[], itsShare: number): void => {
    const mutated = mutate(said, dice, itsShare, manner);
    madness.mutatedFrames += mutated.count;
    peer.send(...mutated.frames);
  };
  const register = await peer.take(FrameType.REGISTER).catch(() => peer.closed);
  if ('code' in register) return register;
  const { epoch, registrationEpoch } = jsonOf<{ epoch: number; registrationEpoch: number }>(register);
  say(welcomeFrames(epoch, registrationEpoch), dice.once(4) ? share : 0);
  for (
    let messages = 1 + dice.below(30);
    messages > 0 && peer.ws.readyState === peer.ws.OPEN;
    messages -= 1
  ) {
    const said: Uint8Array[] = [];
    const count = 1 + dice.below(20);
    while (said.length < count) said.push(...hubFrames(role, dice));
    say(said, share);
    peer.inbox.length = 0;
    peer.messages.length = 0;
    // It registers again when it is alive and was registered; else it leaves, or is left alone.
    if (dice.once(4)) {
      peer.send(frame(FrameType.UNKNOWN));
      const again = await peer.take(FrameType.REGISTER).catch(() => peer.closed);
      if ('code' in again) return again;
      const epochs = jsonOf<{ epoch: number; registrationEpoch: number }>(again);
      peer.send(...welcomeFrames(epochs.epoch, epochs.registrationEpoch));
    } else await new Promise((resolve) => setImmediate(resolve));
  }
  // The end that every connection finds: a type that does not exist.
  peer.send(frame(0xee));
  return peer.closed;
}

it.each(['node', 'client'] as const)(
  `A %s outlives ${FRAMES} damaged frames of its hub: it breaks off by a named code and comes back`,
  { timeout: 120_000 },
  async (role) => {
    const seed = seedOf();
    console.log(`FUZZ_SEED=${seed}`);
    const hub = await FakeHub.start();
    const madness: Madness = { mutatedFrames: 0, connections: 0, codes: new Map() };
    const settled: string[] = [];
    const defects: string[] = [];
    const odd: string[] = [];
    const dice = new Dice(seed, `calls of ${role}`);
    let lives = 0;
    let asked = 0;

    const live = (): { ended: unknown[]; log: { complaints: { level: string; message: string }[] } } => {
      lives += 1;
      if (role === 'node') return startNode(hub, quick);
      const client = startClient(hub, { ...quick, maxCallAttempts: 3 });
      return client;
    };
    let present = live();
    const before = heapBytes();
    while (madness.mutatedFrames < FRAMES) {
      const number = madness.connections;
      const peer = await hub.accept();
      hub.peers[number] = undefined as never; // let it go: there are thousands
      madness.connections += 1;
      if (role === 'client' && 'it' in present) {
        // Something to speak of.
        const { it: client } = present as ReturnType<typeof startClient>;
        for (let calls = dice.below(4); calls > 0 && client.status().inFlight < 100; calls -= 1) {
          asked += 1;
          const options = { deadlineMs: 400, idempotent: dice.once(2) };
          const call = dice.once(3)
            ? (async () => {
                for await (const _ of client.stream('f', [1], options));
              })()
            : client.call('f', [new Uint8Array(dice.once(9) ? 300_000 : 3)], options);
          void call.then(
            () => settled.push('value'),
            (error: { code?: string }) => settled.push(error.code ?? String(error)),
          );
        }
      }
      const closed = await rave(role, peer, new Dice(seed, `${role} ${number}`), madness);
      madness.codes.set(closed.code, (madness.codes.get(closed.code) ?? 0) + 1);
      if (!documented.has(closed.code)) odd.push(`connection ${number}: ${closed.code} ${closed.reason}`);
      defects.push(
        ...present.log.complaints
          .filter(({ message }) => message.startsWith('defect'))
          .map(({ message }) => message),
      );
      present.log.complaints.length = 0;
      // A damaged REPLACED or REFUSED may be final all the same: then another one takes its place.
      if (present.ended.length > 0) present = live();
    }
    const after = heapBytes();
    console.log(
      JSON.stringify({
        role,
        ...madness,
        codes: Object.fromEntries(madness.codes),
        lives,
        asked,
        before,
        after,
      }),
    );
    expect(defects).toEqual([]);
    expect(odd).toEqual([]);
    expect([...madness.codes.keys()]).toEqual(expect.arrayContaining([4400, 4403]));
    expect(madness.connections).toBeGreaterThan(100);
    expect(lives).toBeLessThan(madness.connections / 10);
    expect(after - before).toBeLessThan(KEPT_BYTES);
    // Each call ends exactly once, whatever it was told, at the latest by its deadline.
    await expect.poll(() => settled.length, { timeout: 10_000 }).toBe(asked);
    expect(settled.filter((how) => !/^[a-z_]+$/.test(how))).toEqual([]);
  },
);
