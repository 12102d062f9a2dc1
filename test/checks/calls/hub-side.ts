// The hub's routing in the model: src/calls/{router,placement,book,resumption,search}.ts for one client.
// Invariant: one method for each of theirs, under the same name, so that the two can be read side by side.
import type { Message, Output } from '../../../src/checker/index.ts';
import { CLIENT, fieldsOf, send, slotOf, type Frames, type Told } from './names.ts';
import { isOwed, owesAnswer, type Hub, type HubOptions, type Place, type Routed } from './hub-records.ts';

/** One turn of the hub; a broken twin overrides a method. */
export class Routing {
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
    this.hub.vanished = [...new Set([...this.hub.vanished, attempt])].toSorted((a, b) => a - b);
  }

  /** Assigned, never sent: a client that is away asks when it is back. */
  release(call: Routed): void {
    if (this.hub.client.epoch === 0) this.leave(call);
    else this.giveBack(call);
  }

  // ---- clients ----

  clientAttached(epoch: number, links: 'first' | 'later'): void {
    const { client } = this.hub;
    const came = client.session === 'none' && links === 'later' ? 'elsewhere' : client.past;
    const lists = links === 'first' ? 'came' : 'due';
    this.hub.client = { ...client, session: 'live', epoch, lists, past: came, told: [] };
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
        const call: Routed = { ...this.record(attempt, ''), presumed, origin: 'sent', passing: 'yes' };
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
      case 'RESUME':
        return this.resume(fieldsOf(frame, 'RESUME'));
      default:
        throw new Error(`the hub does not know the frame ${frame.type} of a client`);
    }
  }

  // ---- placement ----

  /** `place` in src/calls/placement.ts: a node at once, or none yet. */
  settleOn(call: Routed): void {
    const online = this.hub.nodes.filter(({ state }) => state === 'online');
    const chosen = online.find(({ peer }) => peer === this.hub.favourite) ?? online[0];
    if (chosen === undefined) {
      call.state = 'parked';
      return;
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
    for (const call of [...this.hub.calls]) if (call.state === 'held') this.sendCall(call);
  }

  sendCall(call: Routed): void {
    const node = this.place(call.node);
    if (node?.state !== 'online') return this.release(call);
    call.state = 'assigned';
    // Nothing of it was sent before: there is nothing that the client has to ask for first.
    if (this.hub.client.epoch !== 0) call.passing = 'yes';
    this.toNode(node, 'CALL', { attempt: call.attempt, presumed: '' });
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
    const wasAsked = owesAnswer(node);
    if (node.state === 'online') this.nodeAway(node);
    this.hub.nodes = this.hub.nodes.filter((one) => one !== node);
    this.hub.gone = [...this.hub.gone, node.instance].toSorted();
    for (const call of [...this.hub.calls])
      if (call.node === node.instance && isOwed(call)) this.vanish(call);
    if (wasAsked) this.searchLost();
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

  resume({ only, nodes, unassigned }: Frames['RESUME']): void {
    for (const { instance, attempts } of nodes) {
      const node = this.place(instance) ?? this.expect(instance);
      const queries: number[] = [];
      for (const attempt of attempts) {
        if (this.hasVanished(attempt)) {
          this.tellFate(attempt, 'vanished');
          continue;
        }
        if (node === undefined) {
          const call = this.call(attempt);
          if (call !== undefined) this.drop(call);
          this.tellFate(attempt, 'vanished');
          continue;
        }
        const call = this.bind(attempt, instance);
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
    this.hub.vanished = this.hub.vanished.filter((attempt) => named.includes(attempt));
  }

  hasVanished(attempt: number): boolean {
    return (
      this.call(attempt) === undefined &&
      (this.hub.vanished.includes(attempt) || attempt <= this.hub.expiredUpTo)
    );
  }

  resumeUnassigned(attempt: number): void {
    if (this.hasVanished(attempt)) return this.tellFate(attempt, 'vanished');
    const call = this.call(attempt);
    if (call === undefined) {
      if (this.hub.age === 'old' && this.hub.client.past === 'here')
        return this.tellFate(attempt, 'unstarted');
      const sought = this.record(attempt, '');
      this.hub.calls.push(sought);
      return this.seek(sought);
    }
    if (call.state === 'sought' || call.state === 'parked') {
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
      // It was cancelled or forgotten meanwhile.
      if (call === undefined && (fate === 'running' || fate === 'done')) this.acknowledge(node, [attempt]);
      if (call?.state === 'sought') {
        if (this.found(call, node, fate)) told.push([attempt, fate]);
        continue;
      }
      if (call?.node !== node.instance || (call.state !== 'assigned' && call.state !== 'done')) continue;
      if (call.awaits !== node.answers) continue;
      const mayBeElsewhere = call.origin === 'named' && this.options.idempotent === 0;
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

  bind(attempt: number, instance: string): Routed {
    const known = this.call(attempt);
    if (known !== undefined) return known;
    const call = this.record(attempt, instance);
    this.hub.calls.push(call);
    return call;
  }

  record(attempt: number, node: string): Routed {
    const nothing = {
      presumed: '',
      passing: 'no',
      awaits: 0,
      outcome: 'none',
      doubt: 'none',
      time: 'left',
    } as const;
    return { attempt, node, state: 'assigned', origin: 'named', ...nothing };
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
    if (fate === 'vanished') call.doubt = 'some';
    if (fate !== 'running' && fate !== 'done') return false;
    call.node = node.instance;
    call.state = 'assigned';
    call.passing = this.hub.client.epoch === 0 ? 'no' : 'yes';
    this.tellClient(node.instance);
    this.toClient('ASSIGNED', { node: node.instance, attempt: call.attempt });
    return true;
  }

  /** A node that may have had what is sought will not answer any more. */
  searchLost(): void {
    for (const call of this.hub.calls) if (call.state === 'sought') call.doubt = 'some';
    this.settleSought();
  }

  giveUp(): void {
    this.hub.age = 'old';
    for (const call of this.hub.calls) if (call.state === 'sought') call.time = 'over';
    this.settleSought();
  }

  isOwedAnswers(): boolean {
    return this.hub.nodes.some(owesAnswer);
  }

  /** Everyone who is known will answer, or be given up: nothing is said before. */
  settleSought(): void {
    if (this.isOwedAnswers()) return;
    for (const call of this.hub.calls.filter(({ state, time }) => state === 'sought' && time === 'over')) {
      if (call.doubt === 'some') {
        this.vanish(call);
        continue;
      }
      this.tellFate(call.attempt, 'unstarted');
      this.drop(call);
    }
  }
}
