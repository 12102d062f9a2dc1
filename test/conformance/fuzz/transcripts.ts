// What well-behaved peers would say: the raw material of the fuzzer.
// Invariant: sent as they are, these frames break no rule.
import { digestOf } from '../../../src/protocol/digest.ts';
import { Fate, Flag, FrameType } from '../../../src/protocol/frames.ts';
import { concat, frame, u32s } from '../raw.ts';
import { callPayload, registration } from '../say.ts';
import type { Dice } from './dice.ts';

/** Functions of hostile nodes, which hostile clients call. The bystanders' own is among what clients call. */
export const HOSTILE = ['hostile.a', 'hostile.b', 'hostile.c'];
export const BYSTANDER = 'bystander.echo';

export function registerFrame(role: 'node' | 'client', name: string): Uint8Array {
  const message = registration(role, {
    id: `hostile-${role}-${name}`,
    instance: `instance-${name}`,
    functions: role === 'node' ? HOSTILE : [],
    labels: { zone: 'a', gpu: 'true' },
    maxConcurrent: 8,
    ordinals: role === 'node' ? [{ hub: 'h1', ordinal: 1 }] : [],
  });
  return frame(FrameType.REGISTER, message);
}

export const synced = frame(FrameType.SYNCED, { epoch: 1, registrationEpoch: 1 });

function always(role: 'node' | 'client', dice: Dice): Uint8Array {
  const functions = role === 'node' ? HOSTILE : [];
  return dice.pick([
    frame(FrameType.PING, '', { id: 1 }),
    frame(FrameType.CHECK, { functions: functions.length, digest: digestOf(functions) }, { id: 1 }),
    frame(FrameType.ASK, { ask: dice.pick(['status', 'nodes']), from: 0 }, { id: dice.below(9) }),
    synced,
    ...(dice.once(20) ? [frame(FrameType.DEPARTING, { epoch: 1, registrationEpoch: 1 })] : []),
  ]);
}

/** A client's dictionary. */
export const dictionary: readonly Uint8Array[] = [...HOSTILE, BYSTANDER].map((name, number) =>
  frame(FrameType.DEFINE, name, { id: number }),
);

/** A client's next frames; `next` numbers its attempts. */
export function clientFrames(dice: Dice, next: () => number): Uint8Array[] {
  const id = next();
  const fn = dice.below(dictionary.length);
  const route = dice.once(4) ? dice.pick(['{"labels":{"zone":"a"}}', '{"node":"bystander"}', '{}']) : '';
  const payload = callPayload('[1,"two",{"three":[3]}]', { fn, route, deadlineMs: 1 + dice.below(3_000) });
  const earlier = Math.max(1, id - dice.below(6));
  switch (dice.below(8)) {
    case 0:
      return [always('client', dice)];
    case 1: {
      // A long value, which may or may not be brought to its end.
      const total = 3_000;
      const first = callPayload(concat([u32s(total), new Uint8Array(1_000)]), { fn, deadlineMs: 2_000 });
      const chunks = [
        frame(FrameType.CHUNK, new Uint8Array(1_000), { id, flags: Flag.MORE }),
        frame(FrameType.CHUNK, new Uint8Array(1_000), { id }),
      ];
      return [frame(FrameType.CALL, first, { id, flags: Flag.MORE }), ...(dice.once(3) ? [] : chunks)];
    }
    case 2:
      return [frame(FrameType.CALL, payload, { id }), frame(FrameType.CANCEL, '', { id: earlier })];
    case 3:
      return [
        frame(FrameType.CALL, payload, { id }),
        frame(FrameType.ACK, u32s(earlier), { peer: dice.below(16) }),
      ];
    case 4:
      return [frame(FrameType.CREDIT, u32s(1 + dice.below(100_000)), { id: earlier, peer: dice.below(16) })];
    case 5: {
      const call = {
        attempt: earlier,
        received: dice.below(3),
        windowBytes: dice.below(1_048_577),
        idempotent: dice.once(2),
      };
      const nodes = [
        { id: dice.pick(['bystander', 'nobody', 'n1']), instance: `i${dice.below(50)}`, calls: [call] },
      ];
      const rosters = [{ hub: dice.pick(['h1', 'h2']), nodes: [dice.below(3), dice.below(3), 1, 1] }];
      return [
        frame(FrameType.ROSTER, '', { id: dice.below(20_000) }),
        frame(
          FrameType.RESUME,
          { nodes, unassigned: [id], ...(dice.once(2) ? { rosters } : {}) },
          { peer: dice.below(4), flags: dice.below(2) },
        ),
      ];
    }
    default:
      return [
        frame(FrameType.CALL, payload, {
          id,
          flags: dice.pick([0, Flag.IDEMPOTENT, Flag.STREAM, Flag.MSGPACK]),
        }),
      ];
  }
}

/** A call that a node was handed. */
export interface Handed {
  readonly peer: number;
  readonly id: number;
}

/** A node's next frames: answers to `calls`, or whatever a node says unasked. */
export function nodeFrames(dice: Dice, calls: readonly Handed[]): Uint8Array[] {
  const to =
    calls.length > 0 && !dice.once(5) ? dice.pick(calls) : { peer: dice.below(16), id: 1 + dice.below(40) };
  const fates = Uint8Array.of(to.id, 0, 0, 0, dice.pick(Object.values(Fate)));
  switch (dice.below(8)) {
    case 0:
      return [always('node', dice)];
    case 1:
      return [frame(FrameType.RESULT, '{"done":true}', to)];
    case 2:
      return [
        frame(FrameType.RESULT, concat([u32s(2_000), new Uint8Array(1_000)]), { ...to, flags: Flag.MORE }),
        frame(FrameType.CHUNK, new Uint8Array(1_000), to),
      ];
    case 3:
      return [
        frame(FrameType.ITEM, '"item"', to),
        frame(FrameType.ITEM, '{"n":1}', to),
        frame(FrameType.RESULT, '', { ...to, flags: Flag.STREAM }),
      ];
    case 4:
      return [frame(FrameType.FAILURE, { code: 'failed', name: 'Error', message: 'no' }, to)];
    case 5:
      return [frame(FrameType.CREDIT, u32s(1 + dice.below(300_000)), to)];
    case 6:
      return [frame(FrameType.FATE, fates, { peer: to.peer })];
    default:
      return [frame(FrameType.RESULT, '1', to), frame(FrameType.RESULT, '2', to)];
  }
}
