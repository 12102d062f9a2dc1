// The hub as an actor of the model: what it hears of its sockets, and what its clock may do at any time.
// Invariant: a crash loses everything; the next hub is young.
import { model, type Choice, type Message, type ModelActor } from '../../../src/checker/index.ts';
import { isOwed, owesAnswer, type Hub, type HubOptions } from './hub-records.ts';
import type { Routing } from './hub-side.ts';
import { CLIENT, fieldsOf } from './names.ts';

const emptyHub = ({ slots }: HubOptions, age: Hub['age']): Hub => ({
  client: {
    peer: CLIENT,
    session: 'none',
    epoch: 0,
    lists: 'due',
    past: 'here',
    told: [],
    roster: [],
    heard: [],
    former: undefined,
  },
  calls: [],
  nodes: [],
  gone: [],
  vanished: [],
  expiredUpTo: 0,
  age,
  favourite: slots[0] ?? '',
});

/** Everyone is back and has answered, as far as the hub can know. */
const allCame = (hub: Hub, { slots }: HubOptions): boolean =>
  hub.client.epoch !== 0 &&
  hub.client.lists === 'came' &&
  slots.every((slot) => hub.nodes.some((node) => node.peer === slot && node.state === 'online'));

function choicesOf(hub: Hub, options: HubOptions, young: 'in time' | 'at any time'): Choice[] {
  const choices: Choice[] = [];
  const offer = (type: string, label: string, more: object = {}, rest: Partial<Choice> = {}) =>
    choices.push({ event: { ...more, type }, label, ...rest });
  if (hub.calls.some(({ state }) => state === 'held')) offer('dispatch', 'the hub’s turn ends');
  const isSearching = hub.calls.some(({ state, time }) => state === 'sought' && time === 'left');
  if ((hub.age === 'young' || isSearching) && (young === 'at any time' || allCame(hub, options)))
    offer('giveUp', 'nobody more is waited for by the hub');
  const isOver = hub.calls.some((call) => call.state === 'sought' && call.time === 'over');
  if (isOver && (young === 'at any time' || (allCame(hub, options) && !hub.nodes.some(owesAnswer))))
    offer('graceOver', 'the hub waits no longer for nodes that may have what is sought');
  for (const slot of options.slots)
    if (slot !== hub.favourite && options.slots.length > 1)
      offer('prefer', `the balance prefers ${slot}`, { slot }, { fault: true });
  for (const { instance, state } of hub.nodes) {
    if (state === 'online') continue;
    if (options.idempotent === 1 && hub.calls.some((call) => call.node === instance && isOwed(call)))
      offer('failover', `${instance} was away for too long for an idempotent call`, { instance });
    if (hub.age === 'old')
      offer('nodeExpired', `the hub waits for ${instance} no longer`, { instance }, { budget: 'expire' });
  }
  if (hub.client.session === 'live' && hub.client.epoch === 0 && hub.age === 'old')
    offer('clientExpired', 'the hub waits for the client no longer', {}, { budget: 'expire' });
  return choices;
}

function heard(turn: Routing, event: Message): void {
  const { hub } = turn;
  const peer = event['peer'] as string;
  const epoch = event['epoch'] as number;
  const frame = event['frame'] as Message | undefined;
  const node = hub.nodes.find((one) => one.peer === peer && one.state === 'online' && one.epoch === epoch);
  if (event.type === 'closed') {
    if (node !== undefined) turn.nodeAway(node);
    else if (peer === CLIENT && hub.client.epoch === epoch) turn.clientDetached();
  } else if (frame?.type === 'register') {
    if (peer === CLIENT) turn.clientAttached(epoch, fieldsOf(frame, 'register').links);
    else turn.nodeJoined(peer, fieldsOf(frame, 'register').instance, epoch);
  } else if (frame !== undefined) {
    if (node !== undefined) turn.nodeFrame(node, frame);
    else if (peer === CLIENT && hub.client.epoch === epoch) turn.clientFrame(frame);
  }
}

/** The lists in one order, so that equal hubs are one state. */
function ordered(hub: Hub): Hub {
  hub.calls.sort((a, b) => a.attempt - b.attempt);
  hub.nodes.sort((a, b) => (a.instance < b.instance ? -1 : 1));
  return hub;
}

export function hubModel(
  Shell: typeof Routing,
  options: HubOptions,
  young: 'in time' | 'at any time',
): ModelActor {
  return model<Hub>({
    initial: emptyHub(options, 'old'),
    step(before, event) {
      if (event.type === 'crashed') return { state: emptyHub(options, 'young') };
      const turn = new Shell(before, options);
      const node = turn.place(event['instance'] as string);
      if (event.type === 'dispatch') turn.dispatch();
      else if (event.type === 'giveUp') turn.giveUp();
      else if (event.type === 'graceOver') turn.graceOver();
      else if (event.type === 'prefer') turn.hub.favourite = event['slot'] as string;
      else if (event.type === 'clientExpired') turn.removeClient();
      else if (event.type === 'nodeExpired' && node !== undefined) turn.removeNode(node);
      else if (event.type === 'failover' && node !== undefined) {
        for (const call of [...turn.hub.calls])
          if (call.node === node.instance && isOwed(call)) turn.vanish(call);
      } else heard(turn, event);
      return { state: ordered(turn.hub), outputs: turn.out };
    },
    choices: (hub) => choicesOf(hub, options, young),
  });
}
