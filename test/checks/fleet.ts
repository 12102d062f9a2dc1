// connection × session as one system: the machines of production, the sockets between them, the hub's directory.
// Invariant: the machines are those of the registry; a broken twin differs by the one patch that its test names.
import type { AnyStateMachine } from 'xstate';
import { connectionEffects, connectionInput, connectionMachine } from '../../machines/connection.ts';
import { sessionEffects, sessionInput, sessionMachine } from '../../machines/session.ts';
import { defineSystem, sockets } from '../../src/checker/index.ts';
import type {
  Action,
  ActorView,
  Channel,
  Dial,
  Output,
  SystemDefinition,
  View,
} from '../../src/checker/index.ts';
import type { Directory, Seat } from './directory.ts';
import { hubModel, productionRules, routeSession, witness, type Rules, type Testimony } from './hub-side.ts';
import { door, type Admit } from './door.ts';
import { DOOR, down, HUB, measured, node, session, up, WITNESS, wire, type Send } from './names.ts';
import { eventOfFrame, nearHears, routeConnection } from './node-side.ts';

export interface FleetOptions {
  /** Instances of one node id. @default ['a'] */
  readonly instances?: readonly string[];
  readonly connection?: AnyStateMachine;
  readonly session?: AnyStateMachine;
  readonly rules?: Partial<Rules>;
  /** The hub's application decides who may join, and takes its time for each. @default everyone joins at once */
  readonly admit?: Admit;
  /** 0 = retry for ever. @default 0 */
  readonly maxRetryAttempts?: number;
  readonly breaks?: { readonly [kind in 'cut' | 'swallow' | 'refuse']?: boolean | string };
  /** Heartbeats found overdue on a link that still delivers. @default false */
  readonly falseAlarms?: boolean;
  /** 'wild': frames leave the sockets and travel on lossy, duplicating, unordered channels. @default 'sockets' */
  readonly frames?: 'sockets' | 'wild';
  /** Replaces what the channels of wild frames do. @default losses spend 'loss', copies spend 'copy' */
  readonly channel?: Channel;
  /** Names of actions beside "is asked to connect", with the budget of each, or `true` for any number of times. */
  readonly actions?: Readonly<Record<string, string | true>>;
  readonly budgets?: Readonly<Record<string, number>>;
  readonly fires?: (actor: string, delay: string) => boolean | string;
  /** Sockets of one instance that the hub may hold at once. @default 2 */
  readonly maxFarSockets?: number;
}

function actionsFor(instances: readonly string[], doors: readonly string[]): Record<string, Output[]> {
  const forgotten: Output[] = [
    ...instances.map((instance): Output => ({ stop: session(instance) })),
    ...doors.map((name): Output => ({ tell: name, event: { type: 'crashed' } })),
    { tell: HUB, event: { type: 'crashed' } },
    { tell: WITNESS, event: { type: 'crashed' } },
  ];
  const cutOff = instances.map((instance): Output => ({
    tell: wire(instance),
    event: { type: 'crash', end: 'far' },
  }));
  const actions: Record<string, Output[]> = {
    'the hub crashes and restarts without memory': [...forgotten, ...cutOff],
    'the hub crashes and restarts with its sessions': [
      { tell: HUB, event: { type: 'restarted' } },
      ...cutOff,
    ],
    'the hub forgets its nodes behind kept sockets': forgotten,
  };
  const tell = (part: string, type: string): Output[] => [{ tell: part, event: { type } }];
  for (const instance of instances) {
    actions[`node ${instance} is asked to stop`] = tell(node(instance), 'stop.requested');
    actions[`node ${instance} wakes up`] = tell(node(instance), 'wake.hinted');
    actions[`the operator disconnects ${instance}`] = tell(session(instance), 'disconnect.requested');
    actions[`the hub drains ${instance}`] = tell(session(instance), 'drain.requested');
    actions[`the process of node ${instance} dies`] = [
      { stop: node(instance) },
      { tell: wire(instance), event: { type: 'crash', end: 'near' } },
    ];
  }
  return actions;
}

function chosenActions(
  instances: readonly string[],
  wanted: NonNullable<FleetOptions['actions']>,
  doors: readonly string[],
): Record<string, Action> {
  const known = actionsFor(instances, doors);
  const chosen: Record<string, Action> = {};
  for (const instance of instances) {
    chosen[`node ${instance} is asked to connect`] = {
      outputs: [{ tell: node(instance), event: { type: 'connect.requested' } }],
      fault: false,
    };
  }
  for (const [name, budget] of Object.entries(wanted)) {
    const outputs = known[name];
    if (outputs === undefined)
      throw new Error(`no action is called '${name}'; there are: ${Object.keys(known).join(', ')}`);
    chosen[name] = budget === true ? { outputs } : { outputs, budget };
  }
  return chosen;
}

export function fleet(options: FleetOptions = {}): SystemDefinition {
  const {
    instances = ['a'],
    breaks = {},
    falseAlarms = false,
    maxFarSockets = 2,
    maxRetryAttempts = 0,
    frames = 'sockets',
  } = options;
  const sendFrom =
    (end: 'near' | 'far', channel: (instance: string) => string): Send =>
    (instance, epoch, frame) =>
      frames === 'sockets'
        ? { tell: wire(instance), event: { type: 'send', end, epoch, frame } }
        : { send: { ...frame, epoch, instance }, on: channel(instance) };
  const sendUp = sendFrom('near', up);
  const entrance = options.admit === undefined ? HUB : DOOR;
  const actors: Record<string, SystemDefinition['actors'][string]> = {};
  const channels: Record<string, NonNullable<SystemDefinition['channels']>[string]> = {};
  for (const instance of instances) {
    actors[node(instance)] = {
      machine: options.connection ?? connectionMachine,
      effects: connectionEffects,
      input: { ...connectionInput, maxRetryAttempts },
    };
    actors[session(instance)] = {
      machine: options.session ?? sessionMachine,
      effects: sessionEffects,
      input: sessionInput,
      started: false,
    };
    actors[wire(instance)] = sockets({
      called: `socket of ${instance}`,
      near: (heard) => nearHears(instance, heard, falseAlarms),
      far: (heard) =>
        heard.type === 'measured'
          ? measured(session(instance), heard.epoch, heard.deaf, falseAlarms)
          : [{ tell: entrance, event: { instance, ...heard } }],
      maxFarSockets,
      breaks,
    });
    if (frames === 'wild') {
      const wild = { order: 'unordered', lossy: 'loss', duplicating: 'copy', ...options.channel } as const;
      channels[up(instance)] = wild;
      channels[down(instance)] = wild;
    }
  }
  actors[HUB] = hubModel(instances, { ...productionRules, ...options.rules }, sendFrom('far', down));
  actors[WITNESS] = witness(instances);
  if (options.admit !== undefined) actors[DOOR] = door(options.admit);
  return defineSystem({
    actors,
    channels,
    actions: chosenActions(instances, options.actions ?? {}, entrance === DOOR ? [DOOR] : []),
    budgets: options.budgets ?? {},
    route(actor, { type, payload }) {
      const [kind, instance = ''] = actor.split(' ');
      return kind === 'node'
        ? routeConnection(instance, type, payload, sendUp)
        : routeSession(instance, type, payload);
    },
    deliver(channel, message) {
      const epoch = message['epoch'] as number;
      const instance = message['instance'] as string;
      if (channel === down(instance)) return [{ to: node(instance), event: eventOfFrame(epoch, message) }];
      return [{ to: HUB, event: { type: 'frame', instance, epoch, frame: message } }];
    },
    ...(options.fires === undefined ? {} : { fires: options.fires }),
    epochFamily: (field, holder, part) =>
      `${(holder['instance'] as string | undefined) ?? part.split(' ').at(-1)} ${field === 'registrationEpoch' ? field : 'epoch'}`,
  });
}

/** What a property needs to know of one instance. */
export interface Seen {
  readonly node: ActorView;
  readonly session: ActorView;
  readonly dials: readonly Dial[];
  readonly seat: Seat;
  readonly testimony: Testimony;
}

/** Each is asked of the view when it is read, since a property is judged anew for all that it asks for. */
export function look(view: View, instance: string): Seen {
  return {
    get node() {
      return view.actor(node(instance));
    },
    get session() {
      return view.actor(session(instance));
    },
    get dials() {
      return view.model<readonly Dial[]>(wire(instance));
    },
    get seat() {
      return ownOf(view.model<Directory>(HUB), instance);
    },
    get testimony() {
      return ownOf(view.model<readonly Testimony[]>(WITNESS), instance);
    },
  };
}

function ownOf<T extends { readonly instance: string }>(all: readonly T[], instance: string): T {
  const found = all.find((one) => one.instance === instance);
  if (found === undefined) throw new Error(`no instance ${instance} in this system`);
  return found;
}
