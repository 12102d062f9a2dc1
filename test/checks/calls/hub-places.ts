// What every part of the hub in the model is made of: its tables, its words, and which node a call goes to.
// src/calls/{placement,announcements,book}.ts for one client.
// Invariant: one method for each of theirs, under the same name, so that the two can be read side by side.
import type { Output } from '../../../src/checker/index.ts';
import type { Hub, HubOptions, Place, Routed } from './hub-records.ts';
import { CLIENT, send, type Frames, type Told } from './names.ts';

/** One turn of the hub, as far as it places calls. */
export class Placing {
  readonly hub: Hub;
  readonly out: Output[] = [];
  readonly options: HubOptions;

  constructor(before: Hub, options: HubOptions) {
    this.hub = structuredClone(before);
    this.options = options;
  }

  // ---- the two tables ----

  call(attempt: number): Routed | undefined {
    return this.hub.calls.find((call) => call.attempt === attempt);
  }

  place(instance: string): Place | undefined {
    return this.hub.nodes.find((node) => node.instance === instance);
  }

  leave(call: Routed): void {
    this.hub.calls = this.hub.calls.filter((one) => one !== call);
  }

  toClient<T extends keyof Frames>(type: T, fields: Frames[T]): void {
    const { epoch } = this.hub.client;
    if (epoch !== 0) this.out.push(send(CLIENT, 'far', epoch, type, fields));
  }

  toNode<T extends keyof Frames>(node: Place, type: T, fields: Frames[T]): void {
    if (node.state !== 'online') return;
    node.told = 'yes';
    this.out.push(send(node.peer, 'far', node.epoch, type, fields));
  }

  /** A node that the present link of the client was told of, by whatever frame. */
  tellClient(instance: string): void {
    const { client } = this.hub;
    if (instance !== '' && client.epoch !== 0)
      client.told = [...new Set([...client.told, instance])].toSorted();
  }

  tellFate(attempt: number, fate: Told[1]): void {
    this.toClient('FATE', { node: '', fates: [[attempt, fate]] });
  }

  /** Forgets a call; a node that has it is told that nobody waits. */
  drop(call: Routed): void {
    const node = this.place(call.node);
    if (node !== undefined && (call.state === 'assigned' || call.state === 'done'))
      this.acknowledge(node, [call.attempt]);
    this.leave(call);
  }

  acknowledge(node: Place, attempts: readonly number[]): void {
    if (node.state !== 'online')
      node.owed = [...new Set([...node.owed, ...attempts])].toSorted((a, b) => a - b);
    else if (node.told === 'yes') this.toNode(node, 'ACK', { node: '', attempts });
  }

  giveBack(call: Routed): void {
    this.leave(call);
    this.toClient('FAILURE', { node: '', attempt: call.attempt, code: 'unstarted' });
  }

  /** A client that does not hear so, for its link is lost, hears it when it asks. */
  vanish(call: Routed): void {
    this.leave(call);
    this.rememberVanished(call);
    this.tellFate(call.attempt, 'vanished');
  }

  rememberVanished({ attempt }: Routed): void {
    this.foundVanished(attempt, '');
  }

  /** A node turned out to have it. */
  foundVanished(attempt: number, instance: string): void {
    const others = this.hub.vanished.filter(([one]) => one !== attempt);
    this.hub.vanished = [...others, [attempt, instance] as [number, string]].toSorted(([a], [b]) => a - b);
  }

  /** Assigned, never sent: a client that is away asks when it is back. */
  release(call: Routed): void {
    if (this.hub.client.epoch === 0) this.leave(call);
    else this.giveBack(call);
  }

  // ---- announcements ----

  /** Every session of an instance has its own ordinal: one that came back after it was given up is another. */
  ordinal(instance: string): string {
    return `${instance}#${this.hub.gone.filter((one) => one === instance).length}`;
  }

  roster(): readonly string[] {
    const sessions = this.hub.nodes.filter(({ state }) => state !== 'expected');
    return sessions.map(({ instance }) => this.ordinal(instance)).toSorted();
  }

  /** Tells the client what changed. */
  announce(): void {
    const { client } = this.hub;
    const nodes = this.roster();
    if (client.epoch === 0 || client.roster.join() === nodes.join()) return;
    client.roster = nodes;
    this.toClient('ROSTER', { nodes });
  }

  hearsRoster(nodes: readonly string[]): void {
    const { client } = this.hub;
    client.heard = [...new Set([...client.heard, ...nodes])]
      .filter((one) => this.roster().includes(one))
      .toSorted();
    for (const call of this.hub.calls) if (call.state === 'held' && call.node === '') this.settleOn(call);
  }

  /** Whether the client knows that this node may have its calls. */
  hasHeardOf({ instance }: Place): boolean {
    return this.hub.client.heard.includes(this.ordinal(instance));
  }

  // ---- placement ----

  /** `place` in src/calls/placement.ts: a node at once, or none yet. */
  settleOn(call: Routed): void {
    const online = this.hub.nodes.filter(({ state }) => state === 'online');
    if (online.length === 0) {
      call.state = 'parked';
      return;
    }
    const known = online.filter((node) => this.hasHeardOf(node));
    const chosen = known.find(({ peer }) => peer === this.hub.favourite) ?? known[0];
    if (chosen === undefined) {
      call.state = 'held';
      return this.announce();
    }
    this.assign(call, chosen);
  }

  assign(call: Routed, node: Place): void {
    call.node = node.instance;
    call.state = 'held';
    if (call.presumed === node.instance && this.hub.client.told.includes(node.instance))
      return this.sendCall(call);
    call.presumed = '';
    this.tellClient(node.instance);
    this.toClient('ASSIGNED', { node: node.instance, attempt: call.attempt });
  }

  /** The client's socket took what was written: what it was told of may go to the nodes. */
  dispatch(): void {
    for (const call of [...this.hub.calls])
      if (call.state === 'held' && call.node !== '') this.sendCall(call);
  }

  sendCall(call: Routed): void {
    const node = this.place(call.node);
    if (node?.state !== 'online') return this.release(call);
    call.state = 'assigned';
    // Nothing of it was sent before: there is nothing that the client has to ask for first.
    if (this.hub.client.epoch !== 0) call.passing = 'yes';
    this.toNode(node, 'CALL', { attempt: call.attempt, presumed: '' });
  }
}
