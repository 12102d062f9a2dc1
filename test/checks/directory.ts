// The hub's directory as a pure function: which session a registration belongs to, which socket is a session's own,
// and who must hear that another instance took over.
// Invariant: a session has at most one attached socket, and attaching one ends the one before in the same turn.

/** What the hub holds of one instance of a node id. Epochs are those of the instance's dials; 0 = none. */
export interface Seat {
  readonly instance: string;
  readonly session: 'none' | 'live';
  readonly attachedEpoch: number;
  /** The open sockets on which the instance registered. */
  readonly sockets: readonly { readonly instance: string; readonly epoch: number }[];
  /** An instance that another replaced stays refused, in case it never heard of it. */
  readonly standing: 'welcome' | 'replaced';
}

export type Directory = readonly Seat[];

/** What the directory wants done, in order. */
export type Order =
  | { readonly do: 'startSession'; readonly instance: string }
  | {
      readonly do: 'register';
      readonly instance: string;
      readonly epoch: number;
      readonly registrationEpoch: number;
    }
  | { readonly do: 'replaceSession'; readonly instance: string }
  | {
      readonly do: 'forbid';
      readonly instance: string;
      readonly epoch: number;
      readonly registrationEpoch: number;
    }
  | { readonly do: 'terminate'; readonly instance: string; readonly epoch: number };

export interface Decision {
  readonly directory: Directory;
  readonly orders: readonly Order[];
}

export const emptyDirectory = (instances: readonly string[]): Directory =>
  instances.map((instance) => ({
    instance,
    session: 'none',
    attachedEpoch: 0,
    sockets: [],
    standing: 'welcome',
  }));

function seatOf(directory: Directory, instance: string): Seat {
  const seat = directory.find((one) => one.instance === instance);
  if (seat === undefined) throw new Error(`the directory has no seat for ${instance}`);
  return seat;
}

const withSeat = (directory: Directory, seat: Seat): Directory =>
  directory.map((one) => (one.instance === seat.instance ? seat : one));

/** A registration came on socket `epoch`. */
export function registrationCame(
  directory: Directory,
  instance: string,
  epoch: number,
  registrationEpoch: number,
): Decision {
  const seat = seatOf(directory, instance);
  if (seat.standing === 'replaced') {
    return { directory, orders: [{ do: 'forbid', instance, epoch, registrationEpoch }] };
  }
  const register: Order = { do: 'register', instance, epoch, registrationEpoch };
  const others = seat.sockets.filter((socket) => socket.epoch !== epoch);
  const registered = [...others, { instance, epoch }].toSorted((a, b) => a.epoch - b.epoch);
  if (seat.session === 'live')
    return { directory: withSeat(directory, { ...seat, sockets: registered }), orders: [register] };
  const fresh: Seat = {
    instance,
    session: 'live',
    attachedEpoch: 0,
    sockets: registered,
    standing: 'welcome',
  };
  return { directory: withSeat(directory, fresh), orders: [{ do: 'startSession', instance }, register] };
}

/** Anything but a registration came on socket `epoch`: true when it is for the session of `instance`. */
export function isAttached(directory: Directory, instance: string, epoch: number): boolean {
  const seat = seatOf(directory, instance);
  return seat.session === 'live' && seat.attachedEpoch === epoch;
}

/** The session of `instance` makes socket `epoch` its own. */
export function attach(directory: Directory, instance: string, epoch: number): Decision {
  const seat = seatOf(directory, instance);
  const older = seat.attachedEpoch;
  const orders: Order[] = older === 0 || older === epoch ? [] : [{ do: 'terminate', instance, epoch: older }];
  const sockets = seat.sockets.filter((socket) => orders.length === 0 || socket.epoch !== older);
  return { directory: withSeat(directory, { ...seat, sockets, attachedEpoch: epoch }), orders };
}

/** Socket `epoch` is gone. */
export function detach(directory: Directory, instance: string, epoch: number): Directory {
  const seat = seatOf(directory, instance);
  const sockets = seat.sockets.filter((socket) => socket.epoch !== epoch);
  return withSeat(directory, {
    ...seat,
    sockets,
    attachedEpoch: seat.attachedEpoch === epoch ? 0 : seat.attachedEpoch,
  });
}

/** The session of `instance` is online, after its sync was acknowledged: every other instance is replaced. */
export function cameOnline(directory: Directory, instance: string): Decision {
  const others = directory.filter((one) => one.instance !== instance && one.session === 'live');
  return {
    directory: directory.map((one) => (others.includes(one) ? { ...one, standing: 'replaced' } : one)),
    orders: others.map((one) => ({ do: 'replaceSession', instance: one.instance })),
  };
}

/** The session of `instance` ended. */
export function ended(directory: Directory, instance: string): Directory {
  return withSeat(directory, {
    ...seatOf(directory, instance),
    session: 'none',
    attachedEpoch: 0,
    sockets: [],
  });
}
