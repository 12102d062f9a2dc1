// The hub's shell in the model: sessions' effects, frames from nodes, and the directory between them.
// Invariant: whatever one frame or effect leads to inside the hub happens in the same turn.
import { model, type Message, type ModelActor, type Output } from '../../src/checker/index.ts';
import * as rules from './directory.ts';
import type { Directory, Order } from './directory.ts';
import {
  HUB,
  lateClose,
  numbersOf,
  session,
  terminate,
  WITNESS,
  wire,
  type Numbers,
  type Send,
} from './names.ts';

/** The rules that a broken twin may replace. */
export type Rules = Pick<typeof rules, 'attach' | 'cameOnline' | 'registrationCame'>;

export const productionRules: Rules = rules;

export function routeSession(instance: string, type: string, payload: object): Output[] | undefined {
  const { epoch, registrationEpoch } = numbersOf(payload);
  const toHub: Output = { tell: HUB, event: { type, instance, epoch, registrationEpoch } };
  switch (type) {
    case 'prepareSync': {
      const prepared = { event: { type: 'sync.prepared', epoch, registrationEpoch } };
      return [{ later: [prepared], key: 'prepareSync', atMost: 2 }];
    }
    case 'measureSilence':
      return [{ tell: wire(instance), event: { type: 'measure', end: 'far', epoch } }];
    case 'terminateSocket':
      return [toHub, lateClose(session(instance), epoch, { how: 'loss' })];
    case 'sendDrain':
      // Some time the operator lets the node in again.
      return [toHub, { later: [{ event: { type: 'undrain', instance }, to: HUB }], key: 'drained' }];
    case 'attachSocket':
    case 'dismissSocket':
    case 'sendRegistered':
    case 'sendSync':
    case 'sendReplaced':
    case 'announceOnline':
    case 'announceExpired':
      return [toHub];
    case 'announceSuspect':
    case 'announceAbsent':
    case 'announceDraining':
      return [];
    default:
      return undefined;
  }
}

interface Answer {
  readonly state: Directory;
  readonly outputs?: readonly Output[];
}

/** The hub process around its sessions. */
export function hubModel(
  instances: readonly string[],
  { attach, cameOnline, registrationCame }: Rules,
  send: Send,
): ModelActor {
  const frame = (instance: string, epoch: number, type: string, registrationEpoch?: number) =>
    send(instance, epoch, registrationEpoch === undefined ? { type } : { type, registrationEpoch });

  function carryOut(order: Order): Output[] {
    const { instance } = order;
    switch (order.do) {
      case 'startSession':
        return [{ start: session(instance) }];
      case 'register':
        return [{ tell: session(instance), event: { type: 'registration.received', ...numbersOf(order) } }];
      case 'replaceSession':
        return [
          { tell: session(instance), event: { type: 'session.replaced' } },
          { tell: WITNESS, event: { type: 'replaced', instance } },
        ];
      case 'forbid':
        return [
          frame(instance, order.epoch, 'forbidden', order.registrationEpoch),
          terminate(instance, 'far', order.epoch),
        ];
      case 'terminate':
        return [
          terminate(instance, 'far', order.epoch),
          lateClose(session(instance), order.epoch, { how: 'loss' }),
        ];
    }
  }

  const decided = ({ directory, orders }: rules.Decision): Answer => ({
    state: directory,
    outputs: orders.flatMap(carryOut),
  });

  function frameCame(
    state: Directory,
    instance: string,
    epoch: number,
    { type, registrationEpoch }: Message,
  ): Answer {
    const numbers: Numbers = { epoch, registrationEpoch: registrationEpoch as number };
    if (type === 'register') {
      const { state: next, outputs = [] } = decided(
        registrationCame(state, instance, epoch, numbers.registrationEpoch),
      );
      return {
        state: next,
        outputs: [{ tell: WITNESS, event: { type: 'registered', instance, epoch } }, ...outputs],
      };
    }
    if (!rules.isAttached(state, instance, epoch)) {
      return { state, outputs: [frame(instance, epoch, 'unknown', numbers.registrationEpoch)] };
    }
    const tell = (event: Message): Output => ({ tell: session(instance), event });
    switch (type) {
      case 'synced':
        return {
          state,
          outputs: [
            { tell: WITNESS, event: { type: 'acknowledged', instance, ...numbers } },
            tell({ type: 'sync.acknowledged', ...numbers }),
          ],
        };
      case 'departing':
        return { state, outputs: [tell({ type: 'departure.announced', ...numbers })] };
      case 'check':
        return { state, outputs: [frame(instance, epoch, 'checked', numbers.registrationEpoch)] };
      case 'ping':
        return { state };
      default:
        throw new Error(`the hub does not know the frame ${type}`);
    }
  }

  /** The process is gone, and so is what it knew; with `keeps`, its sessions come back and find no socket. */
  function restarted(directory: Directory, keeps: boolean): Answer {
    if (!keeps) return { state: rules.emptyDirectory(instances) };
    const state = directory.map((seat) => ({ ...seat, attachedEpoch: 0, sockets: [] }));
    const outputs = directory.flatMap(({ instance, attachedEpoch: epoch }): Output[] =>
      epoch === 0
        ? []
        : [{ tell: session(instance), event: { type: 'socket.closed', epoch, how: 'loss', reason: '' } }],
    );
    return { state, outputs };
  }

  return model<Directory>({
    initial: rules.emptyDirectory(instances),
    step(state, event) {
      const instance = event['instance'] as string;
      const { epoch, registrationEpoch } = numbersOf(event);
      switch (event.type) {
        case 'frame':
          return frameCame(state, instance, epoch, event['frame'] as Message);
        case 'closed': {
          const outputs: Output[] = rules.isAttached(state, instance, epoch)
            ? [{ tell: session(instance), event: { type: 'socket.closed', epoch, how: 'loss', reason: '' } }]
            : [];
          return { state: rules.detach(state, instance, epoch), outputs };
        }
        case 'crashed':
          return restarted(state, false);
        case 'restarted':
          return restarted(state, true);
        case 'attachSocket': {
          const { state: next, outputs = [] } = decided(attach(state, instance, epoch));
          return {
            state: next,
            outputs: [...outputs, { tell: WITNESS, event: { type: 'attached', instance } }],
          };
        }
        case 'dismissSocket':
        case 'terminateSocket':
          return {
            state: rules.detach(state, instance, epoch),
            outputs: [terminate(instance, 'far', epoch)],
          };
        case 'sendRegistered':
          return { state, outputs: [frame(instance, epoch, 'registered', registrationEpoch)] };
        case 'sendSync':
          return { state, outputs: [frame(instance, epoch, 'sync', registrationEpoch)] };
        case 'sendDrain':
          return {
            state,
            outputs: [
              frame(instance, epoch, 'draining'),
              { tell: WITNESS, event: { type: 'drained', instance } },
            ],
          };
        case 'undrain':
          return {
            state,
            outputs: [
              { tell: WITNESS, event: { type: 'undrained', instance } },
              { tell: session(instance), event: { type: 'undrain.requested' } },
            ],
          };
        case 'sendReplaced':
          return {
            state: rules.detach(state, instance, epoch),
            outputs: [frame(instance, epoch, 'replaced'), terminate(instance, 'far', epoch)],
          };
        case 'announceOnline': {
          const { state: next, outputs = [] } = decided(cameOnline(state, instance));
          const online = { type: 'online', instance, epoch, registrationEpoch };
          return { state: next, outputs: [{ tell: WITNESS, event: online }, ...outputs] };
        }
        case 'announceExpired':
          return {
            state: rules.ended(state, instance),
            outputs: [{ tell: WITNESS, event: { type: 'expired', instance } }],
          };
        default:
          return undefined;
      }
    },
  });
}

/** What the witness remembers of one instance: the registration whose sync was acknowledged, and what it saw. */
export interface Testimony extends Numbers {
  readonly instance: string;
  /** The newest dial that registered since the session began. */
  readonly registeredEpoch: number;
  readonly standing: 'never replaced' | 'replaced';
  /** Whether it was drained, and not let in again. */
  readonly order: 'none' | 'drain';
  readonly verdict:
    | 'fine'
    | 'online without acknowledgement'
    | 'online after it was replaced'
    | 'online while it was drained';
}

/**
 * Watches that a session goes online (and so replaces others) only for an acknowledgement of its own registration,
 * never after it was replaced, and not while it is drained. It forgets when the hub does.
 */
export function witness(instances: readonly string[]): ModelActor {
  const silent = (instance: string): Testimony => ({
    instance,
    epoch: 0,
    registrationEpoch: 0,
    registeredEpoch: 0,
    standing: 'never replaced',
    order: 'none',
    verdict: 'fine',
  });
  function changed(seen: Testimony, event: Message): Testimony {
    const { epoch, registrationEpoch } = numbersOf(event);
    if (event.type === 'registered')
      return { ...seen, registeredEpoch: Math.max(seen.registeredEpoch, epoch) };
    if (event.type === 'expired')
      return { ...seen, epoch: 0, registrationEpoch: 0, registeredEpoch: 0, order: 'none' };
    if (event.type === 'drained') return { ...seen, order: 'drain' };
    if (event.type === 'undrained') return { ...seen, order: 'none' };
    if (event.type === 'attached') return { ...seen, epoch: 0, registrationEpoch: 0 };
    if (event.type === 'acknowledged') return { ...seen, epoch, registrationEpoch };
    if (event.type === 'replaced') return { ...seen, standing: 'replaced' };
    if (seen.standing === 'replaced') return { ...seen, verdict: 'online after it was replaced' };
    if (seen.order === 'drain') return { ...seen, verdict: 'online while it was drained' };
    if (seen.epoch === epoch && seen.registrationEpoch === registrationEpoch) return seen;
    return { ...seen, verdict: 'online without acknowledgement' };
  }
  return model<readonly Testimony[]>({
    initial: instances.map(silent),
    step: (testimonies, event) => {
      if (event.type === 'crashed') return { state: instances.map(silent) };
      return {
        state: testimonies.map((seen) => (seen.instance === event['instance'] ? changed(seen, event) : seen)),
      };
    },
  });
}
