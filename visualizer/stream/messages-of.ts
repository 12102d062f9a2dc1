// A fleet as the messages that tell of it, so that a recording whose beginning was dropped can begin anywhere.
// Invariant: folding them gives the same processes, live actors, charts and nodes; the past of actors is not told.
import type { ActorNow, Told } from '../../src/protocol/inspection.ts';
import type { ActorView, Model } from './model.ts';

export function messagesOf(model: Model): Told[] {
  const { hello, began, at } = model;
  if (hello === undefined) return [];
  const told: Told[] = [{ ...hello, ...began }];
  const live = new Map<string, ActorNow[]>();
  for (const process of model.processes.values()) {
    told.push({ kind: 'process', ...process });
    live.set(process.process, []);
  }
  for (const { machine, document, documents } of model.machines.values()) {
    if (document !== undefined) told.push({ kind: 'machine', machine, document });
    for (const [process, own] of documents) told.push({ kind: 'machine', machine, process, document: own });
  }
  for (const actor of model.actors.values())
    if (actor.status === 'active' && actor.state !== null)
      live.get(actor.process)?.push(now(actor, actor.state));
  for (const [process, actors] of live) told.push({ kind: 'present', process, at, actors });
  const { hub, nodes, training, pools } = model.fleet;
  told.push({
    kind: 'fleet',
    at,
    whole: true,
    nodes: [...nodes.values()],
    gone: [],
    ...(hub === undefined ? {} : { hub }),
    ...(training === undefined ? {} : { training }),
    ...(pools.length === 0 ? {} : { pools: [...pools] }),
  });
  return told;
}

function now(
  { actor, machine, parent, seq, since, context, timers }: ActorView,
  state: ActorNow['state'],
): ActorNow {
  return {
    actor,
    machine,
    seq,
    since,
    state,
    timers: [...timers],
    ...(parent === undefined ? {} : { parent }),
    ...(context === undefined ? {} : { context }),
  };
}
