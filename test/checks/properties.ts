// What must hold of connection × session, said once for every system that is explored.
// Invariant: a property reads the state and nothing else.
import type { Predicate } from '../../src/checker/index.ts';
import { look, type Seen } from './fleet.ts';

const each =
  (instances: readonly string[], holds: (seen: Seen) => boolean): Predicate =>
  (view) =>
    instances.every((instance) => holds(look(view, instance)));

/** Final, or waiting for someone to ask again: nothing more is owed. */
const isOver = ({ node }: Seen) => node.status !== 'active' || node.in('failed');

/** Both sides agree that work may flow, on the same socket and registration. */
function isSettled({ node, session, seat }: Seen): boolean {
  return (
    node.in('connected') &&
    session.in('online') &&
    session.control['registrationEpoch'] === node.control['registrationEpoch'] &&
    seat.attachedEpoch === node.control['epoch']
  );
}

/** Sockets end at both sides, so these hold where frames travel on sockets. */
export const socketProperties = (instances: readonly string[] = ['a']): Record<string, Predicate> => ({
  'a node owns at most one socket': each(
    instances,
    ({ dials }) => dials.filter((dial) => dial.near !== 'closed').length <= 1,
  ),
  'the hub holds at most one registered socket of an instance, the attached one': each(
    instances,
    ({ seat }) => seat.sockets.every((socket) => socket.epoch === seat.attachedEpoch),
  ),
  'the attached socket is that of the newest registration': each(
    instances,
    ({ seat, testimony }) => seat.attachedEpoch === 0 || seat.attachedEpoch === testimony.registeredEpoch,
  ),
});

export const sessionProperties = (instances: readonly string[] = ['a']): Record<string, Predicate> => ({
  'a session is online only after its own registration was acknowledged': each(
    instances,
    ({ testimony }) => testimony.verdict !== 'online without acknowledgement',
  ),
  'a node that was drained is not online before it is let in again': each(
    instances,
    ({ testimony }) => testimony.verdict !== 'online while it was drained',
  ),
  'at most one instance of a node id takes work': (view) =>
    instances.filter((instance) => {
      const { session } = look(view, instance);
      return session.in('online') || session.in('suspect');
    }).length <= 1,
});

/** Two instances would kick each other for ever only if one that was replaced could come back online, and replace. */
export const kickProperties = (instances: readonly string[]): Record<string, Predicate> => ({
  'an instance that was replaced does not come back online': each(
    instances,
    ({ testimony }) => testimony.verdict !== 'online after it was replaced',
  ),
  'not every instance is turned away': (view) =>
    !instances.every((instance) => look(view, instance).node.in('rejected')),
});

/** Where no time is ever over and nobody stops. */
export const keptProperties = (instances: readonly string[] = ['a']): Record<string, Predicate> => ({
  'no session ends before its grace': each(instances, ({ session }) => !session.in('expired')),
});

/** No trap: without another fault, some instance can get connected and online, or has ended for good. */
export const recovery = (instances: readonly string[] = ['a']): Record<string, Predicate> => ({
  'connected and online can be reached': (view) => {
    const all = instances.map((instance) => look(view, instance));
    return all.some(isSettled) || all.every(isOver);
  },
});

/** Something is owed to every node that runs and was not told to give up. */
export const owed =
  (instances: readonly string[] = ['a']): Predicate =>
  (view) =>
    instances.some((instance) => {
      const seen = look(view, instance);
      return !isOver(seen) && !isSettled(seen);
    });

/** The same where time-outs are budgeted and frames get lost: nobody recovers from a loss without one. */
export const whileTimeoutsLast = (properties: Record<string, Predicate>): Record<string, Predicate> =>
  Object.fromEntries(
    Object.entries(properties).map(([name, holds]): [string, Predicate] => [
      `${name}, as long as there are time-outs`,
      (view) => view.budget('timeout') === 0 || holds(view),
    ]),
  );
