// The node's shell in the model: what the connection's effects do, and what frames mean to it.
// Invariant: an effect that this file does not name is an error of the search, never silently dropped.
import type { Heard, Message, Output } from '../../src/checker/index.ts';
import { lateClose, measured, node, numbersOf, terminate, wire, type Send } from './names.ts';

export function routeConnection(
  instance: string,
  type: string,
  payload: object,
  send: Send,
): Output[] | undefined {
  const { epoch, registrationEpoch } = numbersOf(payload);
  const frame = (name: string) => send(instance, epoch, { type: name, epoch, registrationEpoch });
  switch (type) {
    case 'openSocket':
      return [{ tell: wire(instance), event: { type: 'dial', epoch } }];
    case 'sendRegister':
      return [frame('register')];
    case 'acknowledgeSync':
      return [frame('synced')];
    case 'sendPing':
      return [frame('ping')];
    case 'sendHealthCheck':
      return [frame('check')];
    case 'announceDrain':
      return [frame('departing'), { later: [{ event: { type: 'drain.finished' } }], key: 'drain' }];
    case 'measureSilence':
      return [{ tell: wire(instance), event: { type: 'measure', end: 'near', epoch } }];
    case 'terminateSocket': {
      const released: Output = { later: [{ event: { type: 'socket.released', epoch } }], key: 'released' };
      return [terminate(instance, 'near', epoch), released, lateClose(node(instance), epoch)];
    }
    case 'closeSocket':
      return [terminate(instance, 'near', epoch)];
    case 'settleInFlight':
    case 'announceBackoff':
    case 'announceFailed':
    case 'announceRejected':
      return [];
    default:
      return undefined;
  }
}

/** The event that a frame from the hub becomes. */
export function eventOfFrame(epoch: number, { type, registrationEpoch }: Message): Message {
  switch (type) {
    case 'registered':
      return { type: 'registration.accepted', epoch, registrationEpoch };
    case 'forbidden':
      return { type: 'registration.forbidden', epoch, registrationEpoch, reason: '' };
    case 'sync':
      return { type: 'sync.received', epoch, registrationEpoch };
    case 'unknown':
      return { type: 'node.unknown', epoch, registrationEpoch };
    case 'checked':
      return { type: 'health.confirmed', epoch, registrationEpoch, hubLagMs: 0 };
    case 'mismatched':
      return { type: 'health.mismatched', epoch, registrationEpoch };
    case 'draining':
      return { type: 'hub.draining', epoch, retryAfterMs: 0 };
    case 'replaced':
      return { type: 'node.replaced', epoch, reason: '' };
    default:
      throw new Error(`the node does not know the frame ${type}`);
  }
}

export function nearHears(instance: string, heard: Heard, falseAlarms: boolean): Output[] {
  const { epoch } = heard;
  const tell = (event: Message): Output[] => [{ tell: node(instance), event }];
  switch (heard.type) {
    case 'opened':
      return tell({ type: 'socket.opened', epoch });
    case 'closed':
      return tell({ type: 'socket.closed', epoch, reason: '' });
    case 'measured':
      return measured(node(instance), epoch, heard.deaf, falseAlarms);
    case 'frame':
      return tell(eventOfFrame(epoch, heard.frame));
  }
}
