// One hostile connection: says what a peer would say, damaged, until it is cut off or has said enough.
// Invariant: all that it does follows from its seed and from what it is sent.
import { CloseCode, FrameType } from '../../../src/protocol/frames.ts';
import { frame, RawPeer, type Closed } from '../raw.ts';
import { Dice } from './dice.ts';
import { mutate } from './mutate.ts';
import { clientFrames, dictionary, nodeFrames, registerFrame, synced, type Handed } from './transcripts.ts';

export interface Offence {
  /** Damaged frames that the hub certainly read: all of a message that it outlived, one of the message that ended it. */
  readonly mutatedFrames: number;
  /** How the hub ended it; undefined when it did not. */
  readonly closed: Closed | undefined;
}

/** Most offenders wait after each message until the hub has read it; the others pour. */
const MESSAGES = 60;

export async function offend(url: string, seed: number, number: number): Promise<Offence> {
  const dice = new Dice(seed, `offender ${number}`);
  const role = dice.pick(['node', 'client'] as const);
  const manner = dice.pick(['subtle', 'subtle', 'subtle', 'gentle', 'gentle', 'rough'] as const);
  const share = dice.pick([0.05, 0.2, 0.6, 0.9]);
  const pace = dice.pick(['waiting', 'waiting', 'waiting', 'waiting', 'waiting', 'pouring'] as const);
  const peer = await RawPeer.dial(url);
  let mutatedFrames = 0;
  let pulses = 0xf000_0000;
  let attempts = 0;

  /** Resolves when all that was sent has been read, or the connection has ended. */
  async function read(): Promise<'alive' | Closed> {
    pulses += 1;
    const id = pulses;
    if (peer.ws.readyState === peer.ws.OPEN) peer.send(frame(FrameType.PING, '', { id }));
    return peer
      .takeAny([FrameType.PONG, FrameType.UNKNOWN], (it) => it.id === id)
      .then(
        () => 'alive',
        () => peer.closed,
      );
  }
  /** False when there is nobody to talk to any more. */
  async function say(said: readonly Uint8Array[]): Promise<boolean> {
    const mutated = mutate(said, dice, share, manner);
    peer.send(...mutated.frames);
    const waits = pace === 'waiting';
    const state = waits
      ? await read()
      : await Promise.race([peer.closed, new Promise<'alive'>((go) => setImmediate(() => go('alive')))]);
    mutatedFrames += !waits || state !== 'alive' ? Math.min(1, mutated.count) : mutated.count;
    return state === 'alive' && peer.ws.readyState === peer.ws.OPEN;
  }
  function handed(): Handed[] {
    if (peer.inbox.length > 300) peer.inbox.splice(0, 200);
    peer.messages.length = 0;
    return peer.seen(FrameType.CALL).map(({ peer: from, id }) => ({ peer: from, id }));
  }

  const register = registerFrame(role, `${seed}-${number}`);
  // A third is damaged from the first frame on, the others register as they should.
  if (dice.once(3)) await say([register, synced, ...dictionary]);
  else {
    peer.send(register);
    await Promise.race([peer.take(FrameType.SYNC).catch(() => undefined), peer.closed]);
    if (peer.ws.readyState === peer.ws.OPEN) peer.send(synced, ...(role === 'client' ? dictionary : []));
  }
  for (
    let messages = 1 + dice.below(MESSAGES);
    messages > 0 && peer.ws.readyState === peer.ws.OPEN;
    messages -= 1
  ) {
    const said: Uint8Array[] = [];
    const calls = handed();
    const count = 1 + dice.below(24);
    while (said.length < count) {
      said.push(...(role === 'client' ? clientFrames(dice, () => (attempts += 1)) : nodeFrames(dice, calls)));
    }
    if (!(await say(said))) break;
  }
  const end = await read();
  if (end !== 'alive') return { mutatedFrames, closed: end };
  if (dice.once(2)) peer.vanish();
  else peer.ws.close(CloseCode.NORMAL);
  await peer.closed;
  return { mutatedFrames, closed: undefined };
}
