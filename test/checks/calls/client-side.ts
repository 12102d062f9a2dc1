// The client's shell in the model: src/calls/{caller,departures,known-nodes}.ts for one call.
// Invariant: `attempt` is the number on the wire of the present attempt, and a frame of any other is late.
import { model, type Message, type ModelActor, type Output } from '../../../src/checker/index.ts';
import { CALL, CLIENT, fieldsOf, link, send, tell, type Fate, type Frames, type Told } from './names.ts';

export interface Asked {
  epoch: number;
  linkIs: 'down' | 'opening' | 'up' | 'over';
  /** Whether it was registered before. */
  links: 'first' | 'later';
  /** Attempts that the machine asked for; the same as the number on the wire, for there is one call. */
  tries: number;
  /** 0 = none. */
  attempt: number;
  /** Where the attempt is, as the hub said or as was presumed. */
  node: string;
  whereabouts: 'sure' | 'unsure';
  /** On which link it was sent. */
  sentOn: 'present' | 'earlier';
  /** The roster of the present link, and of those before on which the attempt may have been handed out. */
  known: readonly string[];
  former: readonly string[];
  state: 'queued' | 'sent' | 'settled';
  /** Nodes that the present link spoke of. */
  named: string[];
  presumed: string;
  abandoned: [attempt: number, node: string][];
  /** What a `lost` or an end before the outcome says of the call: it never started, or nobody knows. */
  started: '' | 'notStarted' | 'unknown';
  /** An attempt before the present one may have been executed. */
  earlier: 'unstarted' | 'unknown';
}

const first = (presumed: string): Asked => ({
  epoch: 0,
  linkIs: 'down',
  links: 'first',
  tries: 0,
  attempt: 0,
  node: '',
  whereabouts: 'unsure',
  sentOn: 'present',
  known: [],
  former: [],
  state: 'queued',
  named: presumed === '' ? [] : [presumed],
  presumed,
  abandoned: [],
  started: '',
  earlier: 'unstarted',
});

/** One turn of the shell; a broken twin overrides a method. */
export class Asking {
  readonly now: Asked;
  readonly out: Output[] = [];

  constructor(before: Asked) {
    this.now = structuredClone(before);
  }

  heard(event: Message): void {
    const { type } = event;
    const frame = event['frame'] as Message | undefined;
    if (type === 'opened') this.opened();
    else if (type === 'closed') this.detached();
    else if (type === 'frame' && frame !== undefined) this.frame(frame);
    else if (type === 'sendAttempt') this.sendAttempt();
    else if (type === 'sendCancel') this.sendCancel();
    else if (type === 'settle') this.settle();
    else if (type === 'cancel') this.out.push(tell(CALL, 'cancel.requested'));
    else if (type === 'over') this.linkEnds();
    else throw new Error(`the client does not know ${type}`);
  }

  dial(): void {
    this.now.epoch += 1;
    this.out.push(tell(link(CLIENT), 'dial', { epoch: this.now.epoch }));
  }

  opened(): void {
    this.now.linkIs = 'opening';
    this.put('register', { instance: CLIENT, links: this.now.links });
  }

  attached(nodes: readonly string[]): void {
    this.now.linkIs = 'up';
    this.heardRoster(nodes);
    if (this.now.links === 'later') this.resume('');
    this.now.links = 'later';
    this.pump();
  }

  /** It says so before it says anything else. */
  heardRoster(nodes: readonly string[]): void {
    this.now.known = nodes;
    this.send('ROSTER', { nodes });
  }

  detached(): void {
    const { now } = this;
    this.keepRoster();
    now.named = [];
    now.presumed = '';
    if (now.linkIs === 'over') return;
    now.linkIs = 'down';
    this.dial();
  }

  /** `detached` in src/calls/known-nodes.ts: what may be needed to find the attempt. */
  keepRoster(): void {
    const { now } = this;
    const isUnsure = now.attempt !== 0 && (now.node === '' || now.whereabouts === 'unsure');
    if (!isUnsure || now.sentOn === 'present') now.former = [];
    if (isUnsure) now.former = union(now.former, now.known);
    now.known = [];
    // The attempt is of an earlier link from now on.
    if (now.attempt !== 0) now.sentOn = 'earlier';
  }

  rosters(): readonly string[] | undefined {
    return this.now.former;
  }

  /** It is refused for good, or its attempts are spent. */
  linkEnds(): void {
    const { now } = this;
    now.linkIs = 'over';
    this.out.push(tell(link(CLIENT), 'terminate', { epoch: now.epoch, end: 'near' }));
    this.out.push(tell(CALL, 'link.ended'));
  }

  frame(frame: Message): void {
    const { now } = this;
    switch (frame.type) {
      case 'REGISTERED':
        return this.attached(fieldsOf(frame, 'REGISTERED').nodes);
      case 'ROSTER':
        return this.heardRoster(fieldsOf(frame, 'ROSTER').nodes);
      case 'ASSIGNED': {
        const { node, attempt } = fieldsOf(frame, 'ASSIGNED');
        return this.assigned(node, attempt);
      }
      case 'RESULT': {
        const { node, attempt } = fieldsOf(frame, 'RESULT');
        this.name(node);
        if (attempt !== now.attempt) return this.acknowledge(node, attempt);
        now.node = node;
        now.presumed = node;
        return this.step('attempt.succeeded');
      }
      case 'FAILURE': {
        const { node, attempt, code } = fieldsOf(frame, 'FAILURE');
        if (attempt !== now.attempt) return this.acknowledge(node, attempt);
        return this.step(code === 'unstarted' ? 'attempt.unstarted' : (STEPS[code] ?? 'attempt.failed'));
      }
      case 'FATE': {
        const { node, fates } = fieldsOf(frame, 'FATE');
        for (const told of fates) this.fate(node, told);
        return;
      }
      case 'ASK': {
        const { node } = fieldsOf(frame, 'ASK');
        this.name(node);
        return this.resume(node);
      }
      default:
        throw new Error(`the client does not know the frame ${frame.type}`);
    }
  }

  assigned(node: string, attempt: number): void {
    this.name(node);
    // Nobody waits for it: it settled before it was known where it is.
    if (attempt !== this.now.attempt) return this.acknowledge(node, attempt);
    this.now.node = node;
    this.now.whereabouts = 'sure';
    this.step('attempt.assigned');
  }

  fate(node: string, [attempt, fate]: Told): void {
    const { now } = this;
    if (attempt !== now.attempt) return this.unwanted(node, attempt, fate);
    if (fate === 'unstarted') return this.step('attempt.unstarted');
    if (fate === 'vanished') return this.step('attempt.vanished');
    if (fate === 'waiting') now.node = '';
    else this.assigned(node, attempt);
  }

  /** Nobody waits for it any more. */
  unwanted(node: string, attempt: number, fate: Fate): void {
    const { now } = this;
    if (fate === 'running' || fate === 'done') this.acknowledge(node, attempt);
    if (fate === 'waiting' && now.abandoned.some(([one]) => one === attempt))
      this.send('CANCEL', { attempt });
    now.abandoned = now.abandoned.filter(([one]) => one !== attempt);
  }

  /** What became of the present attempt. */
  step(type: string): void {
    if (type === 'attempt.unstarted') this.now.started = this.lostSays('notStarted');
    if (type === 'attempt.vanished') this.now.started = this.now.earlier = 'unknown';
    this.out.push({ tell: CALL, event: { type, epoch: this.now.tries } });
  }

  /** What is said of the whole call when its last attempt `did` not start, or may have. */
  lostSays(did: 'notStarted' | 'unknown'): 'notStarted' | 'unknown' {
    return this.now.earlier === 'unknown' ? 'unknown' : did;
  }

  sendAttempt(): void {
    const { now } = this;
    if (now.attempt !== 0) this.retire();
    now.tries += 1;
    now.state = 'queued';
    now.started = '';
    if (now.epoch === 0) this.dial();
    this.pump();
  }

  pump(): void {
    const { now } = this;
    if (now.linkIs !== 'up' || now.state !== 'queued' || now.tries === 0) return;
    now.attempt = now.tries;
    now.node = now.presumed;
    now.whereabouts = 'unsure';
    now.sentOn = 'present';
    now.state = 'sent';
    this.send('CALL', { attempt: now.attempt, presumed: now.presumed });
    this.out.push(tell(CALL, 'attempt.sent'));
  }

  sendCancel(): void {
    if (this.now.attempt !== 0) this.send('CANCEL', { attempt: this.now.attempt });
  }

  settle(): void {
    const { now } = this;
    if (now.started === '') now.started = this.lostSays(now.state === 'queued' ? 'notStarted' : 'unknown');
    if (now.attempt !== 0) this.retire();
    now.state = 'settled';
  }

  /** The present attempt is over; whatever still comes of it is late. */
  retire(): void {
    const { now } = this;
    if (now.node !== '') {
      if (now.linkIs !== 'up' || !now.named.includes(now.node)) now.abandoned.push([now.attempt, now.node]);
      else this.acknowledge(now.node, now.attempt);
    }
    now.attempt = 0;
    now.node = '';
    now.whereabouts = 'unsure';
    now.sentOn = 'present';
  }

  acknowledge(node: string, attempt: number): void {
    if (node !== '') this.send('ACK', { node, attempts: [attempt] });
  }

  /** What became of my calls? About all nodes ('') the list is complete. */
  resume(only: string): void {
    const { now } = this;
    const calls = [...now.abandoned];
    if (now.attempt !== 0) calls.push([now.attempt, now.node]);
    const spoken = calls.filter(([, node]) => only === '' || node === only);
    const instances = [...new Set(spoken.map(([, node]) => node))].filter((node) => node !== '').toSorted();
    const at = (instance: string) =>
      spoken.filter(([, node]) => node === instance).map(([attempt]) => attempt);
    const nodes = instances.map((instance) => ({
      instance,
      attempts: at(instance),
      whereabouts: at(instance).includes(now.attempt) ? now.whereabouts : ('sure' as const),
    }));
    this.send('RESUME', {
      only,
      nodes,
      unassigned: at(''),
      rosters: only === '' ? this.rosters() : undefined,
    });
  }

  name(node: string): void {
    if (node !== '' && !this.now.named.includes(node)) this.now.named = [...this.now.named, node].toSorted();
  }

  send<T extends keyof Frames>(type: T, fields: Frames[T]): void {
    if (this.now.linkIs === 'up') this.put(type, fields);
  }

  put<T extends keyof Frames>(type: T, fields: Frames[T]): void {
    this.out.push(send(CLIENT, 'near', this.now.epoch, type, fields));
  }
}

const STEPS: Readonly<Record<string, string>> = {
  timed_out: 'attempt.expired',
  no_node: 'attempt.refused',
};

const union = (some: readonly string[], more: readonly string[]) =>
  [...new Set([...some, ...more])].toSorted();

export function clientModel(Shell: typeof Asking, presumed: string): ModelActor {
  return model<Asked>({
    initial: first(presumed),
    step(before, event) {
      const turn = new Shell(before);
      turn.heard(event);
      return { state: turn.now, outputs: turn.out };
    },
  });
}
