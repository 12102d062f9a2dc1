// How the parts of the composed system connection × session are called, and what both sides of it share.
// Invariant: the instance's name is the last word of a part's name.
import type { Choice, Message, Output } from '../../src/checker/index.ts';

export const node = (instance: string) => `node ${instance}`;
export const session = (instance: string) => `session ${instance}`;
export const wire = (instance: string) => `sockets ${instance}`;
export const up = (instance: string) => `up ${instance}`;
export const down = (instance: string) => `down ${instance}`;
export const HUB = 'hub';
export const DOOR = 'door';
export const WITNESS = 'witness';

export interface Numbers {
  readonly epoch: number;
  readonly registrationEpoch: number;
}

/** Puts a frame on a socket. */
export type Send = (instance: string, epoch: number, frame: Message) => Output;

/** The numbers of an effect or an event; `undefined` where it has none. */
export const numbersOf = (from: object) => {
  const { epoch, registrationEpoch } = from as Numbers;
  return { epoch, registrationEpoch };
};

/** Ends a socket from one side; a graceful close and a termination look alike to a model without time. */
export const terminate = (instance: string, end: 'near' | 'far', epoch: number): Output => ({
  tell: wire(instance),
  event: { type: 'terminate', end, epoch },
});

/** The socket that was ended reports its end afterwards, at any time. */
export const lateClose = (to: string, epoch: number, more: { how?: 'loss' } = {}): Output => ({
  later: [{ event: { type: 'socket.closed', epoch, ...more, reason: '' } }],
  key: 'closed',
  to,
});

/** What a side's shell answers when the machine asks how long the link was silent. */
export function measured(to: string, epoch: number, deaf: boolean, falseAlarms: boolean): Output[] {
  const answer = (type: string): Choice => ({ event: { type, epoch, silentMs: 0 } });
  const overdue = answer('heartbeat.overdue');
  const later = deaf
    ? [answer('link.silent'), overdue]
    : [answer('link.active'), answer('link.silent'), ...(falseAlarms ? [{ ...overdue, fault: true }] : [])];
  return [{ later, key: 'measureSilence', to }];
}
