// Faults, as they hit a fleet.
// Invariant: a fault that lasts is over by itself, or when the quiet time begins.
import type { LinkInfo } from '../../src/testing/index.ts';
import type { Fault } from './faults.ts';
import type { Fleet } from './fleet.ts';

/** Begins a fault, and plans its end. */
export function strike(fleet: Fleet, fault: Fault): void {
  const { kind, forMs, silently } = fault;
  const node = fleet.nodeAt(fault.node);
  const client = fleet.clientAt(fault.client);
  const whose = fault.whose === 'node' ? node.plan.id : client.plan.id;
  const ofOne = (link: LinkInfo): boolean => link.dialer.startsWith(`${whose}#`);
  fleet.note(`fault ${kind} node ${node.plan.id} client ${client.plan.id} links of ${whose} for ${forMs} ms`);
  switch (kind) {
    case 'hubKilled':
      fleet.killHub(silently);
      return fleet.later(forMs / 3, () => fleet.startHub());
    case 'hubStopped':
      fleet.stopHub();
      return fleet.later(forMs / 3, () => fleet.startHub());
    case 'hubFrozen':
      return fleet.freeze(fleet.hubHost, forMs);
    case 'nodeKilled':
      node.kill(silently);
      return fleet.later(forMs, () => node.start());
    case 'nodeStopped':
      node.stop();
      return fleet.later(forMs, () => node.start());
    case 'nodeFrozen':
      return fleet.freeze(node.host, forMs);
    case 'nodeRivalled':
      return node.rival();
    case 'nodeDrained':
      return void fleet.hub?.drain(node.plan.id);
    case 'nodeUndrained':
      return void fleet.hub?.undrain(node.plan.id);
    case 'nodeDisconnected':
      return void fleet.hub?.disconnect(node.plan.id);
    case 'nodeForgotten':
      return fleet.forget(node);
    case 'clientKilled':
      client.kill(silently);
      return fleet.later(forMs, () => client.start());
    case 'clientFrozen':
      return fleet.freeze(client.host, forMs);
    case 'linkReset':
      return fleet.sim.network.reset(ofOne);
    case 'linkCut':
      return fleet.breakLinks('cut', ofOne, forMs);
    case 'linkSwallowed':
      return fleet.breakLinks('swallow', ofOne, forMs);
    case 'everythingCut':
      return fleet.breakLinks('cut', () => true, forMs);
    case 'everythingSwallowed':
      return fleet.breakLinks('swallow', () => true, forMs);
    case 'networkSlowed':
      fleet.sim.network.shape(fault.shape);
      return fleet.later(forMs / 3, () => fleet.calm());
    case 'wallClockSet':
      return fleet.wallClock.jump(fault.jumpMs);
  }
}
