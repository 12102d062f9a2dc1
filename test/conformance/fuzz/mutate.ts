// Damages frames of valid transcripts: bits, lengths, types, numbers, JSON, order.
// Invariant: what goes in stays as it is; each mutation is one change.
import { Flag, FrameType, HEADER_BYTES } from '../../../src/protocol/frames.ts';
import { concat, frame, u32s } from '../raw.ts';
import type { Dice } from './dice.ts';

/** Values that JSON may hold and that nobody expects. */
const odd: readonly string[] = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '1e999',
  '-1e999',
  '9007199254740993',
  '4294967296',
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '[]',
  '{}',
  '[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":1}}',
  `"${'x'.repeat(300)}"`,
  `[${'0,'.repeat(2_000)}0]`,
];
const numbers = [0, 1, 2, 3, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff];
const types = Object.values(FrameType);

type Mutation = (bytes: Uint8Array, dice: Dice, all: readonly Uint8Array[]) => Uint8Array;

function edited(bytes: Uint8Array, edit: (view: DataView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  edit(new DataView(copy.buffer));
  return copy;
}

const payloadOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(HEADER_BYTES);

/** The same header over another payload, whose length it tells. */
function withPayload(bytes: Uint8Array, payload: Uint8Array): Uint8Array {
  const whole = concat([bytes.subarray(0, HEADER_BYTES), payload]);
  new DataView(whole.buffer).setUint32(8, payload.length, true);
  return whole;
}

function flipped(bytes: Uint8Array, from: number, dice: Dice): Uint8Array {
  if (bytes.length <= from) return edited(bytes, (view) => view.setUint8(1, dice.below(256)));
  const copy = Uint8Array.from(bytes);
  for (let flips = 1 + dice.below(4); flips > 0; flips -= 1) {
    const at = from + dice.below(bytes.length - from);
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
  }
  return copy;
}

/** One value of the JSON text becomes another, a key is lost or doubled, or a character goes astray. */
function damagedJson(bytes: Uint8Array, dice: Dice): Uint8Array {
  const text = new TextDecoder().decode(payloadOf(bytes));
  const values = [...text.matchAll(/(?<=[:[,])("[^"]*"|-?\d[\d.]*|true|false|null|\{\}|\[\])/g)];
  let damaged: string;
  if (values.length === 0 || dice.once(6)) {
    const at = dice.below(text.length + 1);
    damaged =
      text.slice(0, at) +
      dice.pick(['{', '}', '[', ']', ',', ':', '"', '\\', '\u0000', '']) +
      text.slice(at + 1);
  } else {
    const value = dice.pick(values);
    const at = value.index;
    damaged = text.slice(0, at) + dice.pick(odd) + text.slice(at + value[0].length);
  }
  return withPayload(bytes, new TextEncoder().encode(damaged));
}

/** Changes that few rules forbid: numbers and values that nobody expects. They lead deepest. */
const subtle: readonly Mutation[] = [
  (bytes, dice) =>
    edited(bytes, (view) => view.setUint8(1, view.getUint8(1) ^ (dice.below(256) & ~Flag.MORE))),
  (bytes, dice) =>
    edited(bytes, (view) =>
      view.setUint16(2, dice.pick([...numbers, dice.below(32), dice.uint32()]) & 0xffff, true),
    ),
  (bytes, dice) => edited(bytes, (view) => view.setUint32(4, dice.uint32(), true)),
  (bytes, dice) => (isOpaque(bytes) ? flipped(bytes, bytes.length - 1, dice) : bytes),
  (bytes, dice) =>
    isOpaque(bytes) ? withPayload(bytes, concat([payloadOf(bytes), dice.bytes(1 + dice.below(200))])) : bytes,
  (_, dice) => {
    const type = dice.pick([FrameType.ACK, FrameType.CANCEL, FrameType.PING, FrameType.CREDIT]);
    return frame(type, u32s(1 + dice.below(0xffff_ffff)), { id: dice.below(60), peer: dice.below(32) });
  },
];

/** Frames whose payload the hub never looks at, or only at its beginning. */
function isOpaque(bytes: Uint8Array): boolean {
  const type = bytes[0];
  return (
    type === FrameType.CALL ||
    type === FrameType.RESULT ||
    type === FrameType.ITEM ||
    type === FrameType.FAILURE
  );
}

/** Changes after which the message is still a sequence of frames. */
const gentle: readonly Mutation[] = [
  (bytes, dice) =>
    edited(bytes, (view) =>
      view.setUint8(1, dice.pick([0, Flag.MORE, Flag.STREAM, Flag.MSGPACK, dice.below(256)])),
    ),
  (bytes, dice) =>
    edited(bytes, (view) => view.setUint16(2, dice.pick([...numbers, dice.uint32()]) & 0xffff, true)),
  (bytes, dice) =>
    edited(bytes, (view) => view.setUint32(4, dice.pick([...numbers, dice.below(64), dice.uint32()]), true)),
  (bytes, dice) => flipped(bytes, HEADER_BYTES, dice),
  (bytes, dice, all) => withPayload(bytes, payloadOf(dice.pick(all))),
  (bytes, dice) =>
    withPayload(bytes, payloadOf(bytes).subarray(0, dice.below(bytes.length - HEADER_BYTES + 1))),
  (bytes, dice) => withPayload(bytes, concat([payloadOf(bytes), dice.bytes(1 + dice.below(40))])),
  (bytes, dice) =>
    withPayload(
      bytes,
      u32s(...Array.from({ length: 1 + dice.below(12) }, () => dice.pick([...numbers, dice.below(64)]))),
    ),
  // Longer than a route, a chunk or a control frame may be; mostly by not so much.
  (bytes, dice) =>
    withPayload(
      bytes,
      concat([payloadOf(bytes), blanks(dice.once(12) ? dice.pick([4_097, 65_537, 262_145]) : 300)]),
    ),
  (bytes, dice) => longRoute(bytes, dice.pick([1, 4_096, 4_097])),
  damagedJson,
  damagedJson,
];

function blanks(length: number): Uint8Array {
  return new Uint8Array(length).fill(0x20);
}

/** As the payload of a CALL: a route of that many bytes. */
function longRoute(bytes: Uint8Array, length: number): Uint8Array {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setUint16(2, length, true);
  return withPayload(bytes, concat([prefix, new TextEncoder().encode('{}'.padEnd(length, ' '))]));
}

/** Changes after which it mostly is none. */
const rough: readonly Mutation[] = [
  (bytes, dice) => flipped(bytes, 0, dice),
  (bytes, dice) => edited(bytes, (view) => view.setUint8(0, dice.below(256))),
  (bytes, dice) => edited(bytes, (view) => view.setUint8(0, dice.pick(types))),
  (bytes, dice) =>
    edited(bytes, (view) =>
      view.setUint32(8, dice.pick([...numbers, bytes.length, bytes.length - 11, dice.uint32()]), true),
    ),
  (bytes, dice) => bytes.slice(0, dice.below(bytes.length)),
  (bytes, dice) => concat([bytes, dice.bytes(1 + dice.below(30))]),
  (_, dice) => dice.bytes(dice.below(60)),
  (_, dice) =>
    frame(dice.below(0x24), dice.bytes(dice.below(40)), {
      id: dice.below(8),
      peer: dice.below(8),
      flags: dice.below(16),
    }),
];

export type Manner = 'subtle' | 'gentle' | 'rough';

export interface Mutated {
  readonly frames: readonly Uint8Array[];
  /** Of these, how many are not what the transcript had at their place. */
  readonly count: number;
}

/** Damages about `share` of the frames; `manner` says how badly. */
export function mutate(frames: readonly Uint8Array[], dice: Dice, share: number, manner: Manner): Mutated {
  const out: Uint8Array[] = [];
  let count = 0;
  for (const each of frames) {
    if (dice.below(1_000) >= share * 1_000) {
      out.push(each);
      continue;
    }
    const how = dice.below(12);
    if (manner !== 'subtle') count += 1;
    if (how === 0 && manner !== 'subtle') {
      // Twice, the second time somewhere before.
      out.push(each);
      out.splice(dice.below(out.length), 0, each);
    } else if (how === 1 && out.length > 0 && manner !== 'subtle') {
      const [other] = out.splice(dice.below(out.length), 1, each);
      if (other !== undefined) out.push(other);
    } else if (manner === 'subtle') {
      const mutated = dice.pick(subtle)(each, dice, frames);
      if (mutated !== each) count += 1;
      out.push(mutated);
    } else {
      const mutations = manner === 'gentle' || dice.once(2) ? gentle : rough;
      out.push(dice.pick(mutations)(each, dice, frames));
    }
  }
  return { frames: out, count };
}
