// How the parts of the composed system of calls are called, and what they say to each other.
// Invariant: a frame is what PROTOCOL.md says, with instances in place of the numbers that links give them.
import type { Message, Output } from '../../../src/checker/index.ts';

export const CALL = 'call';
export const CLIENT = 'client';
export const HUB = 'hub';
/** Counts what really happened, for properties. */
export const WITNESS = 'witness';
export const link = (peer: string) => `link ${peer}`;
export const nodeOf = (slot: string) => `node ${slot}`;
export const execution = (slot: string, attempt: number) => `execution ${attempt} ${slot}`;

/** A process that runs, one life after the other, under one node id. */
export const instanceOf = (slot: string, life: number) => `${slot}.${life}`;
export const slotOf = (instance: string) => instance.split('.')[0] ?? '';

export const instanceOfOrdinal = (ordinal: string) => ordinal.split('#')[0] ?? '';

export type Fate = 'unstarted' | 'running' | 'done' | 'vanished' | 'waiting';
export type Told = readonly [attempt: number, fate: Fate];

export interface Frames {
  /** `later`: a RESUME follows. */
  register: { readonly instance: string; readonly links: 'first' | 'later' };
  /** The ordinals of the nodes that the hub has. */
  REGISTERED: { readonly nodes: readonly string[] };
  /** The same, when there are more or fewer; from the client: that it has heard of them. */
  ROSTER: { readonly nodes: readonly string[] };
  CALL: { readonly attempt: number; readonly presumed: string };
  ASSIGNED: { readonly node: string; readonly attempt: number };
  RESULT: { readonly node: string; readonly attempt: number };
  /** `node` is '' when the hub itself says so. */
  FAILURE: { readonly node: string; readonly attempt: number; readonly code: string };
  CANCEL: { readonly attempt: number };
  ACK: { readonly node: string; readonly attempts: readonly number[] };
  /** An acknowledgement of nothing: the client is gone. */
  DISMISS: object;
  RESUME: {
    /** The only node that it speaks of; '' for a complete list. */
    readonly only: string;
    readonly nodes: readonly {
      readonly instance: string;
      readonly attempts: readonly number[];
      /** Whether the hub said so. */
      readonly whereabouts: 'sure' | 'unsure';
    }[];
    readonly unassigned: readonly number[];
    /** All that may have any of them; undefined from a client that knows of no rosters. */
    readonly rosters: readonly string[] | undefined;
  };
  /** The hub asks the client about its calls at a node that came back. */
  ASK: { readonly node: string };
  QUERY: { readonly attempts: readonly number[] };
  FATE: { readonly node: string; readonly fates: readonly Told[] };
}

/** Puts a frame on the socket `epoch` of a peer. */
export function send<T extends keyof Frames>(
  peer: string,
  end: 'near' | 'far',
  epoch: number,
  type: T,
  fields: Frames[T],
): Output {
  return { tell: link(peer), event: { type: 'send', end, epoch, frame: { type, ...fields } } };
}

/** The fields of a frame whose type is known. */
export const fieldsOf = <T extends keyof Frames>(frame: Message, _type: T) => frame as unknown as Frames[T];

export const tell = (part: string, type: string, fields: object = {}): Output => ({
  tell: part,
  event: { ...fields, type },
});
