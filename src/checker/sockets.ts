// A ready-made model of the sockets between one dialler (near) and one listener (far).
// Invariant: within one socket and direction messages keep their order and none is missing before the last that
// arrives; after a break each end reads what it may still get and then learns of the end, later or never.
import { inWords } from './part.ts';
import { model, type Choice, type Message, type ModelActor, type Output } from './system.ts';

export type End = 'near' | 'far';

/** One socket, from its dial until both ends are rid of it. */
export interface Dial {
  readonly epoch: number;
  readonly near: 'dialling' | 'open' | 'closed';
  readonly far: 'none' | 'open' | 'closed';
  /** In flight from near to far. */
  readonly up: readonly Message[];
  /** In flight from far to near. */
  readonly down: readonly Message[];
  /** Cut: both ends may learn of it. Swallowed: no end ever does. */
  readonly link: 'whole' | 'cut' | 'swallowed';
}

/** What an end hears of its sockets. `deaf`: it cannot hear the other end any more. */
export type Heard =
  | { readonly type: 'opened'; readonly epoch: number }
  | { readonly type: 'closed'; readonly epoch: number }
  | { readonly type: 'frame'; readonly epoch: number; readonly frame: Message }
  | { readonly type: 'measured'; readonly epoch: number; readonly deaf: boolean };

/** What ends tell the model: `dial`, `send`, `terminate` (also for a graceful close), `measure`; `crash` ends all of an end's sockets. */
export interface SocketsOptions {
  /** In plain words, for counterexamples: `socket of node a`. */
  readonly called: string;
  readonly near: (heard: Heard) => readonly Output[];
  readonly far: (heard: Heard) => readonly Output[];
  /** Dials wait while the listener holds so many sockets, so that dead ones cannot pile up. @default 2 */
  readonly maxFarSockets?: number;
  /** Equal frames in flight: merged, so that repeated pings cannot fill the model, or kept, each in its place. @default 'merged' */
  readonly equalFrames?: 'merged' | 'kept';
  /** Which breaks may happen. A text names the budget that they spend, true stands for any number of times. @default none */
  readonly breaks?: { readonly [kind in 'cut' | 'swallow' | 'refuse']?: boolean | string };
}

const READ_OPENED: Message = { type: 'opened' };

const isGone = ({ near, far }: Dial) => near === 'closed' && far !== 'open';
/** The other end is gone or the wire is: what is in flight towards `end` may be missing from some point on. */
const isBroken = (dial: Dial, end: End) =>
  dial.link === 'cut' || dial[end === 'near' ? 'far' : 'near'] === 'closed';
const isDeaf = (dial: Dial, end: End) => dial.link !== 'whole' || isBroken(dial, end);

/** A model actor; its state is a list of `Dial`, the oldest first. */
export function sockets(options: SocketsOptions): ModelActor {
  const { near, far, maxFarSockets = 2, equalFrames = 'merged' } = options;
  const hear = (end: End, heard: Heard) => (end === 'near' ? near(heard) : far(heard));
  return model<readonly Dial[]>({
    initial: [],
    step(dials, event) {
      const { epoch, end } = event as unknown as { epoch: number; end: End }; // written by the ends and by `choices`
      if (event.type === 'dial') {
        const fresh: Dial = { epoch, near: 'dialling', far: 'none', up: [], down: [], link: 'whole' };
        return { state: [...dials, fresh] };
      }
      if (event.type === 'crash')
        return { state: dials.map((dial) => terminated(dial, end)).filter((dial) => !isGone(dial)) };
      const dial = dials.find((one) => one.epoch === epoch);
      if (event.type === 'measure')
        return {
          state: dials,
          outputs: hear(end, { type: 'measured', epoch, deaf: dial === undefined || isDeaf(dial, end) }),
        };
      if (dial === undefined) return { state: dials };
      const [next, heard] = change(dial, event, end, equalFrames);
      const state =
        next === dial ? dials : dials.map((one) => (one === dial ? next : one)).filter((one) => !isGone(one));
      return { state, outputs: heard === undefined ? [] : hear(end, heard) };
    },
    choices(dials) {
      const held = dials.filter((dial) => dial.far === 'open').length;
      return dials.flatMap((dial) => choicesOf(dial, options, held < maxFarSockets));
    },
  });
}

function terminated(dial: Dial, end: End): Dial {
  if (end === 'near') return { ...dial, near: 'closed', down: [] };
  return dial.far === 'open' ? { ...dial, far: 'closed', up: [] } : dial;
}

/** The socket after `event`, and what `end` hears of it. */
function change(dial: Dial, event: Message, end: End, equalFrames: 'merged' | 'kept'): [Dial, Heard?] {
  const { epoch } = dial;
  switch (event.type) {
    case 'send':
      return [sent(dial, end, event['frame'] as Message, equalFrames)];
    case 'terminate':
      return [terminated(dial, end)];
    case 'accept':
      return [{ ...dial, far: 'open', down: [READ_OPENED] }];
    case 'cut':
      return [{ ...dial, link: 'cut' }];
    case 'swallow':
      return [{ ...dial, link: 'swallowed', up: [], down: [] }];
    case 'notice':
      return [terminated(dial, end), { type: 'closed', epoch }];
    case 'read':
      return read(dial, end);
    default:
      throw new Error(
        `sockets do not know '${event.type}'; tell them dial, send, terminate, measure or crash`,
      );
  }
}

function sent(dial: Dial, from: End, frame: Message, equalFrames: 'merged' | 'kept'): Dial {
  if (dial.near !== 'open' || dial.far !== 'open' || dial.link !== 'whole') return dial;
  const lane = from === 'near' ? dial.up : dial.down;
  if (equalFrames === 'merged' && lane.some((waiting) => JSON.stringify(waiting) === JSON.stringify(frame)))
    return dial;
  return from === 'near' ? { ...dial, up: [...lane, frame] } : { ...dial, down: [...lane, frame] };
}

function read(dial: Dial, end: End): [Dial, Heard?] {
  const { epoch } = dial;
  const [frame, ...rest] = end === 'near' ? dial.down : dial.up;
  if (frame === undefined) return [dial];
  if (end === 'far')
    return [
      { ...dial, up: rest },
      { type: 'frame', epoch, frame },
    ];
  if (frame.type === 'opened')
    return [
      { ...dial, near: 'open', down: rest },
      { type: 'opened', epoch },
    ];
  return [
    { ...dial, down: rest },
    { type: 'frame', epoch, frame },
  ];
}

function choicesOf(dial: Dial, { called, breaks = {} }: SocketsOptions, hasRoom: boolean): Choice[] {
  const { epoch, near, far, up, down, link } = dial;
  const choices: Choice[] = [];
  const offer = (type: string, end: End, label: string) =>
    choices.push({ event: { type, epoch, end }, label: `${called} ${epoch}: ${label}` });
  const offerBreak = (kind: 'cut' | 'swallow' | 'refuse', type: string, label: string) => {
    const allowed = breaks[kind] ?? false;
    if (allowed === false) return;
    const choice = {
      event: { type, epoch, end: 'near' },
      label: `${called} ${epoch}: ${label}`,
      fault: true,
    };
    choices.push(typeof allowed === 'string' ? { ...choice, budget: allowed } : choice);
  };
  if (far === 'none') {
    if (hasRoom) offer('accept', 'far', 'the dial is accepted');
    offerBreak('refuse', 'notice', 'the dial is refused');
    return choices;
  }
  if (near !== 'closed' && down[0] !== undefined)
    offer('read', 'near', `the dialler reads ${inWords(down[0])}`);
  if (far === 'open' && up[0] !== undefined) offer('read', 'far', `the listener reads ${inWords(up[0])}`);
  if (link !== 'swallowed') {
    if (near !== 'closed' && isBroken(dial, 'near'))
      offer('notice', 'near', 'the dialler learns that it ended');
    if (far === 'open' && isBroken(dial, 'far')) offer('notice', 'far', 'the listener learns that it ended');
    if (link === 'whole') {
      if (near !== 'closed' && far === 'open') offerBreak('cut', 'cut', 'the link is cut');
      offerBreak('swallow', 'swallow', 'the link swallows everything from now on');
    }
  }
  return choices;
}
