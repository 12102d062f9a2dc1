// The hub's routing in the model: src/calls/{router,resumption,search,suspects}.ts for one client.
// Invariant: one method for each of theirs, under the same name, so that the two can be read side by side.
import type { Message } from '../../../src/checker/index.ts';
import { isOwed, owesAnswer, type Place, type Routed } from './hub-records.ts';
import { Placing } from './hub-places.ts';
import { fieldsOf, instanceOfOrdinal, slotOf, type Frames, type Told } from './names.ts';

/** One turn of the hub; a broken twin overrides a method. */
export class Routing extends Placing {
  // ---- clients ----

  clientAttached(epoch: number, links: 'first' | 'later'): void {
    const { client } = this.hub;
    const came = client.session === 'none' && links === 'later' ? 'elsewhere' : client.past;
    const lists = links === 'first' ? 'came' : 'due';
    const heard = client.session === 'none' ? [] : client.heard;
    const roster = this.roster();
    this.hub.client = { ...client, session: 'live', epoch, lists, past: came, told: [], heard, roster };
    this.toClient('REGISTERED', { nodes: roster });
  }

  clientDetached(): void {
    this.hub.client.epoch = 0;
    for (const call of [...this.hub.calls]) {
      if (call.state === 'held') this.release(call);
      call.passing = 'no';
      call.awaits = 0;
      // It may have gone to the link that was lost.
      if (call.state === 'done') call.outcome = 'unpassed';
    }
  }

  removeClient(): void {
    this.clientDetached();
    for (const { attempt, state } of this.hub.calls)
      if (state === 'assigned' || state === 'done' || state === 'sought')
        this.hub.expiredUpTo = Math.max(this.hub.expiredUpTo, attempt);
    this.hub.client.session = 'none';
    for (const node of this.hub.nodes) {
      if (node.told === 'yes') this.toNode(node, 'DISMISS', {});
      node.told = 'no';
    }
    this.hub.calls = [];
    for (const node of this.hub.nodes) Object.assign(node, { owed: [], askedBy: 'nobody' });
  }

  clientFrame(frame: Message): void {
    switch (frame.type) {
      case 'CALL': {
        const { attempt, presumed } = fieldsOf(frame, 'CALL');
        const call: Routed = { ...this.record(attempt, '', 'sure'), presumed, passing: 'yes' };
        this.hub.calls.push(call);
        this.tellClient(presumed);
        return this.settleOn(call);
      }
      case 'ACK': {
        const { node, attempts } = fieldsOf(frame, 'ACK');
        const place = this.place(node);
        if (place !== undefined && place.state !== 'expected') {
          if (place.state === 'away') this.acknowledge(place, attempts);
          else this.toNode(place, 'ACK', { node: '', attempts });
        }
        for (const attempt of attempts) {
          const call = this.call(attempt);
          if (call !== undefined) this.leave(call);
        }
        return;
      }
      case 'CANCEL': {
        const { attempt } = fieldsOf(frame, 'CANCEL');
        const call = this.call(attempt);
        if (call === undefined || call.state === 'done') return;
        if (call.state !== 'assigned') return this.drop(call);
        const node = this.place(call.node);
        // The client has settled it: it is told when it is back.
        if (node?.state !== 'online') return this.drop(call);
        return this.toNode(node, 'CANCEL', { attempt });
      }
      case 'ROSTER':
        return this.hearsRoster(fieldsOf(frame, 'ROSTER').nodes);
      case 'RESUME':
        return this.resume(fieldsOf(frame, 'RESUME'));
      default:
        throw new Error(`the hub does not know the frame ${frame.type} of a client`);
    }
  }

  // ---- nodes ----

  nodeJoined(peer: string, instance: string, epoch: number): void {
    const { hub } = this;
    const known = this.place(instance);
    const node = known ?? this.newPlace(peer, instance);
    if (known === undefined) hub.nodes.push(node);
    // What was expected of it is asked of it now; so is what the client asked for while it was away.
    if (node.state === 'expected') node.askedBy = 'client';
    for (const other of hub.nodes.filter((one) => one.peer === peer && one !== node)) this.removeNode(other);
    Object.assign(node, { state: 'online', epoch, told: 'no', queries: 0, answers: 0 });
    if (node.owed.length > 0) this.toNode(node, 'ACK', { node: '', attempts: node.owed });
    node.owed = [];
    this.askClients(node);
    for (const call of hub.calls) if (call.state === 'parked') this.settleOn(call);
  }

  nodeAway(node: Place): void {
    Object.assign(node, { state: 'away', epoch: 0, told: 'no', queries: 0, answers: 0 });
    for (const call of [...this.hub.calls]) {
      if (call.node !== node.instance || (call.state !== 'held' && call.state !== 'assigned')) continue;
      call.passing = 'no';
      call.awaits = 0;
      if (call.state === 'held') this.release(call);
    }
  }

  /** It will not come back as this instance. */
  removeNode(node: Place): void {
    // One that was only expected goes on to be missed.
    const wasAsked = owesAnswer(node) || node.state === 'expected';
    if (node.state === 'online') this.nodeAway(node);
    this.hub.nodes = this.hub.nodes.filter((one) => one !== node);
    this.hub.gone = [...this.hub.gone, node.instance].toSorted();
    for (const call of [...this.hub.calls])
      if (call.node === node.instance && isOwed(call)) this.vanish(call);
    this.hub.client.heard = this.hub.client.heard.filter((one) => this.roster().includes(one));
    // After what became of its calls: who hears of the one has heard of the other.
    this.announce();
    if (wasAsked) this.searchLost(node);
  }

  nodeFrame(node: Place, frame: Message): void {
    if (frame.type === 'FATE') return this.fates(node, fieldsOf(frame, 'FATE').fates);
    const { attempt } = fieldsOf(frame, 'RESULT');
    const call = this.call(attempt);
    if (call?.node !== node.instance || (call.state !== 'assigned' && call.state !== 'done')) return;
    if (call.passing === 'yes') {
      const { type, ...fields } = frame;
      this.toClient(type as 'RESULT', fields as unknown as Frames['RESULT']);
    }
    call.state = 'done';
    call.outcome = call.passing === 'yes' ? 'passed' : 'unpassed';
  }

  // ---- resumption ----

  askClients(node: Place): void {
    this.searchNode(node);
    const asked =
      node.askedBy === 'client' || this.hub.calls.some((call) => call.node === node.instance && isOwed(call));
    node.askedBy = 'nobody';
    if (!asked) return;
    this.tellClient(node.instance);
    this.toClient('ASK', { node: node.instance });
  }

  resume({ only, nodes, unassigned, rosters }: Frames['RESUME']): void {
    if (only === '') this.hub.client.former = rosters;
    for (const { instance, attempts, whereabouts } of nodes) {
      const node = this.place(instance) ?? this.expect(instance);
      const queries: number[] = [];
      for (const attempt of attempts) {
        if (this.hasVanished(attempt)) {
          this.resumeVanished(attempt);
          continue;
        }
        if (node === undefined) {
          if (this.call(attempt) !== undefined) this.resumeUnassigned(attempt);
          else this.tellFate(attempt, 'vanished');
          continue;
        }
        const call = this.bind(attempt, instance, this.hub.client.past === 'here' ? 'sure' : whereabouts);
        if (call.node !== instance) this.resumeUnassigned(attempt);
        else if (this.isOut(call)) queries.push(attempt);
      }
      if (node !== undefined) this.query(node, queries);
    }
    for (const attempt of unassigned) this.resumeUnassigned(attempt);
    if (only !== '') return;
    Object.assign(this.hub.client, { lists: 'came', past: 'here' });
    const named = [...unassigned, ...nodes.flatMap(({ attempts }) => attempts)];
    for (const call of [...this.hub.calls]) if (!named.includes(call.attempt)) this.drop(call);
    for (const [attempt, instance] of this.hub.vanished) {
      const node = this.place(instance);
      if (!named.includes(attempt) && node !== undefined) this.acknowledge(node, [attempt]);
    }
    this.hub.vanished = this.hub.vanished.filter(([attempt]) => named.includes(attempt));
  }

  hasVanished(attempt: number): boolean {
    return (
      this.call(attempt) === undefined &&
      (this.hub.vanished.some(([one]) => one === attempt) || attempt <= this.hub.expiredUpTo)
    );
  }

  resumeUnassigned(attempt: number): void {
    if (this.hasVanished(attempt)) return this.resumeVanished(attempt);
    const call = this.call(attempt);
    if (call === undefined) {
      if (this.hub.age === 'old' && this.hub.client.past === 'here')
        return this.tellFate(attempt, 'unstarted');
      const sought = this.record(attempt, '', 'unsure');
      this.hub.calls.push(sought);
      return this.seek(sought);
    }
    if (call.state === 'sought' || call.state === 'parked' || call.node === '') {
      // It presumes nobody from now on.
      call.presumed = '';
      return this.tellFate(attempt, 'waiting');
    }
    const node = this.place(call.node);
    if (node === undefined) return this.vanish(call);
    this.tellClient(call.node);
    this.toClient('ASSIGNED', { node: call.node, attempt });
    // It was not sent yet: a question would overtake it.
    if (this.isOut(call)) this.query(node, [attempt]);
  }

  resumeVanished(attempt: number): void {
    const [, instance = ''] = this.hub.vanished.find(([one]) => one === attempt) ?? [];
    const node = this.place(instance);
    if (node === undefined) return this.tellFate(attempt, 'vanished');
    this.hub.vanished = this.hub.vanished.filter(([one]) => one !== attempt);
    this.bind(attempt, instance, 'sure');
    this.resumeUnassigned(attempt);
  }

  /** Handed to its node. */
  isOut(call: Routed): boolean {
    return call.state !== 'held';
  }

  query(node: Place, attempts: readonly number[]): void {
    if (attempts.length === 0) return;
    if (node.state !== 'online') {
      node.askedBy = 'client';
      return;
    }
    this.tellClient(node.instance);
    node.queries += 1;
    for (const attempt of attempts) {
      const call = this.call(attempt);
      if (call === undefined) continue;
      call.passing = 'no';
      call.awaits = node.queries;
    }
    this.toNode(node, 'QUERY', { attempts });
  }

  fates(node: Place, fates: readonly Told[]): void {
    const told: Told[] = [];
    node.answers += 1;
    for (const [attempt, fate] of fates) {
      const call = this.call(attempt);
      if (call === undefined && (fate === 'running' || fate === 'done')) {
        // Cancelled or forgotten meanwhile. One that vanished its client may still ask for, if it did not hear so.
        if (this.hub.vanished.every(([one]) => one !== attempt)) this.acknowledge(node, [attempt]);
        else {
          this.foundVanished(attempt, node.instance);
          told.push([attempt, fate]);
        }
      }
      if (call?.state === 'sought') {
        if (this.found(call, node, fate)) told.push([attempt, fate]);
        continue;
      }
      if (call?.node !== node.instance || (call.state !== 'assigned' && call.state !== 'done')) continue;
      if (call.awaits !== node.answers) continue;
      const mayBeElsewhere = call.whereabouts === 'unsure' && this.options.idempotent === 0;
      if (fate === 'unstarted' && mayBeElsewhere) {
        this.seek(call);
        continue;
      }
      told.push([attempt, fate]);
      call.passing = 'yes';
      call.awaits = 0;
      if (fate === 'vanished') this.rememberVanished(call);
      if (fate === 'unstarted' || fate === 'vanished') this.drop(call);
    }
    if (told.length > 0) this.toClient('FATE', { node: node.instance, fates: told });
    this.settleSought();
  }

  bind(attempt: number, instance: string, whereabouts: Routed['whereabouts']): Routed {
    const known = this.call(attempt);
    if (known !== undefined) return known;
    const call = this.record(attempt, instance, whereabouts);
    this.hub.calls.push(call);
    return call;
  }

  record(attempt: number, node: string, whereabouts: Routed['whereabouts']): Routed {
    const nothing = {
      suspects: undefined,
      presumed: '',
      passing: 'no',
      awaits: 0,
      outcome: 'none',
      doubt: 'none',
      time: 'left',
    } as const;
    return { attempt, node, state: 'assigned', whereabouts, ...nothing };
  }

  /** It may still come, unless it is known to be gone or another instance took its place. */
  expect(instance: string): Place | undefined {
    const { hub } = this;
    if (hub.gone.includes(instance)) return undefined;
    if (hub.nodes.some(({ peer, state }) => peer === slotOf(instance) && state === 'online'))
      return undefined;
    const node: Place = { ...this.newPlace(slotOf(instance), instance), state: 'expected' };
    hub.nodes.push(node);
    return node;
  }

  newPlace(peer: string, instance: string): Place {
    const nobody = { owed: [], askedBy: 'nobody', told: 'no', queries: 0, answers: 0 } as const;
    return { peer, instance, state: 'away', epoch: 0, ...nobody, owed: [] };
  }

  // ---- the search of a young hub ----

  /** `add` in src/calls/search.ts. */
  seek(call: Routed): void {
    call.state = 'sought';
    call.node = '';
    call.suspects = this.hub.client.former?.map(instanceOfOrdinal);
    if (call.suspects?.some((one) => this.hub.gone.includes(one)) === true) call.doubt = 'some';
    this.tellFate(call.attempt, 'waiting');
    for (const node of this.hub.nodes) this.ask(node, [call.attempt]);
  }

  searchNode(node: Place): void {
    const sought = this.hub.calls.filter(({ state }) => state === 'sought');
    if (sought.length > 0)
      this.ask(
        node,
        sought.map(({ attempt }) => attempt),
      );
  }

  ask(node: Place, attempts: readonly number[]): void {
    if (node.state !== 'online') return;
    node.queries += 1;
    this.toNode(node, 'QUERY', { attempts });
  }

  found(call: Routed, node: Place, fate: Told[1]): boolean {
    if (fate === 'vanished' && this.isSuspect(call, node)) call.doubt = 'some';
    if (fate !== 'running' && fate !== 'done') return false;
    call.node = node.instance;
    call.state = 'assigned';
    call.whereabouts = 'sure';
    call.suspects = undefined;
    call.passing = this.hub.client.epoch === 0 ? 'no' : 'yes';
    this.tellClient(node.instance);
    this.toClient('ASSIGNED', { node: node.instance, attempt: call.attempt });
    return true;
  }

  isSuspect({ suspects }: Routed, { instance }: Place): boolean {
    return suspects === undefined || suspects.includes(instance);
  }

  /** A node that may have had what is sought will not answer any more. */
  searchLost(node: Place): void {
    for (const call of this.hub.calls)
      if (call.state === 'sought' && this.isSuspect(call, node)) call.doubt = 'some';
    this.settleSought();
  }

  giveUp(): void {
    this.hub.age = 'old';
    for (const call of this.hub.calls) if (call.state === 'sought') call.time = 'over';
    this.settleSought();
  }

  /** Those that may have what is sought were waited for long enough. */
  graceOver(): void {
    for (const call of [...this.hub.calls])
      if (call.state === 'sought' && call.time === 'over') this.vanish(call);
  }

  /** Whether somebody who may have it may still say so. */
  isOwed(call: Routed): boolean {
    const { nodes, gone } = this.hub;
    const hasCome = (one: string) =>
      gone.includes(one) || nodes.some(({ instance, state }) => instance === one && state !== 'expected');
    if (call.suspects?.every(hasCome) === false) return true;
    return nodes.some((node) => this.isSuspect(call, node) && owesAnswer(node));
  }

  /** Everyone who may have it will answer, or be given up: nothing is said before. An idempotent one does not wait. */
  settleSought(): void {
    for (const call of this.hub.calls.filter(({ state, time }) => state === 'sought' && time === 'over')) {
      const isOwed = this.isOwed(call);
      if (isOwed && this.options.idempotent === 0) continue;
      if (isOwed || call.doubt === 'some') {
        this.vanish(call);
        continue;
      }
      this.tellFate(call.attempt, 'unstarted');
      this.drop(call);
    }
  }
}
