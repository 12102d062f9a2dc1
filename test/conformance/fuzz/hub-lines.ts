// What a well-behaved hub would say to a node or a client: raw material for a hub gone mad.
// Invariant: sent as they are, these frames break no rule.
import { Fate, Flag, FrameType } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { concat, frame, u32s } from '../raw.ts';
import { callPayload } from '../say.ts';
import type { Dice } from './dice.ts';

export type Role = 'node' | 'client';

/** The answer to a REGISTER. */
export function welcomeFrames(epoch: number, registrationEpoch: number): Uint8Array[] {
  const registered = {
    hub: 'mad',
    session: 1,
    epoch,
    registrationEpoch,
    resumed: false,
    encoding: 'json',
    heartbeatTimeoutMs: 15_000,
    sessionGraceMs: 60_000,
    ordinal: epoch,
    roster: { upTo: 3, nodes: [1, 2] },
  };
  return [
    frame(FrameType.REGISTERED, registered),
    frame(FrameType.SYNC, '{"round":1}', { id: registrationEpoch }),
  ];
}

const introduce = (peer: number): Uint8Array =>
  frame(FrameType.PEER, { id: `p${peer}`, instance: `pi${peer}` }, { peer });

function toEither(dice: Dice): Uint8Array[] {
  return dice.pick([
    () => [frame(FrameType.PONG, '', { id: 1 })],
    () => [frame(FrameType.CHECKED, { ok: true, lagMs: 0.5 }, { id: 1 })],
    () => [frame(FrameType.DRAINING, { retryAfterMs: dice.below(5) })],
    () => [frame(FrameType.UNKNOWN, '', { id: dice.below(3) })],
    () => [introduce(1 + dice.below(4))],
  ])();
}

/** To a node: calls, small and long, and what comes after them. */
function toNode(dice: Dice): Uint8Array[] {
  const peer = 1 + dice.below(3);
  const id = 1 + dice.below(60);
  const fn = dice.below(5);
  return dice.pick([
    () => [
      introduce(peer),
      frame(FrameType.CALL, callPayload('[3]', { fn, deadlineMs: 50 }), {
        peer,
        id,
        flags: dice.pick([0, Flag.STREAM]),
      }),
    ],
    () => [
      introduce(peer),
      frame(FrameType.CALL, callPayload(concat([u32s(900), new Uint8Array(300)]), { fn, deadlineMs: 50 }), {
        peer,
        id,
        flags: Flag.MORE,
      }),
      frame(FrameType.CHUNK, new Uint8Array(300), { peer, id, flags: Flag.MORE }),
      frame(FrameType.CHUNK, new Uint8Array(300), { peer, id }),
    ],
    () => [introduce(peer), frame(FrameType.ACK, u32s(id, id + 1), { peer })],
    () => [introduce(peer), frame(FrameType.ACK, '', { peer })],
    () => [introduce(peer), frame(FrameType.CANCEL, '', { peer, id })],
    () => [introduce(peer), frame(FrameType.CREDIT, u32s(1 + dice.below(100_000)), { peer, id })],
    () => [
      introduce(peer),
      frame(FrameType.QUERY, u32s(id, dice.below(4), dice.below(limits.creditWindowBytes)), { peer }),
    ],
  ])();
}

/** To a client: assignments, outcomes of whatever attempts, answers. */
function toClient(dice: Dice): Uint8Array[] {
  const to = { peer: 1 + dice.below(3), id: 1 + dice.below(200) };
  const fates = Uint8Array.of(to.id, 0, 0, 0, dice.pick(Object.values(Fate)));
  return dice.pick([
    () => [introduce(to.peer), frame(FrameType.ASSIGNED, '', to)],
    () => [introduce(to.peer), frame(FrameType.RESULT, '{"n":[1,2]}', to)],
    () => [
      frame(FrameType.RESULT, concat([u32s(800), new Uint8Array(400)]), { ...to, flags: Flag.MORE }),
      frame(FrameType.CHUNK, new Uint8Array(400), to),
    ],
    () => [frame(FrameType.ITEM, '"i"', to), frame(FrameType.RESULT, '', { ...to, flags: Flag.STREAM })],
    () => [
      frame(
        FrameType.FAILURE,
        { code: dice.pick(['failed', 'unstarted', 'vanished', 'no_node']), message: 'm' },
        to,
      ),
    ],
    () => [frame(FrameType.FATE, fates, { peer: to.peer })],
    () => [frame(FrameType.RESUME, '', { peer: to.peer })],
    () => [frame(FrameType.ROSTER, { gone: [1 + dice.below(9)] }, { id: to.id })],
    () => [frame(FrameType.ROSTER, { nodes: [dice.below(3), 2, 1, dice.below(9)] }, { id: to.id })],
    () => [frame(FrameType.CREDIT, u32s(1 + dice.below(2_000_000)), to)],
    () => [frame(FrameType.ANSWER, { ok: true, nodes: [], total: 0 }, { id: dice.below(20) })],
  ])();
}

export function hubFrames(role: Role, dice: Dice): Uint8Array[] {
  if (dice.once(8)) return toEither(dice);
  return role === 'node' ? toNode(dice) : toClient(dice);
}
