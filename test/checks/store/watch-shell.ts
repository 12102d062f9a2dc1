// The shell of one watch in the model: what the machine's effects do, what feed and history bring, and the consumer.
// Invariant: it keeps nothing but the next revision and what is bounded; whatever it drops can be read from history.
import { model, type Message, type ModelActor, type Output } from '../../../src/checker/index.ts';

export const WATCH = 'watch';
export const SHELL = 'shell';
/** From the shell to the machine, in order: the actor's mailbox. */
export const MAILBOX = 'mailbox';
/** From the shell to the engine, in order. */
export const REQUESTS = 'requests';
/** Reads of history; nothing orders them and what the feed brings. */
export const READS = 'reads';

/** Changes that the consumer takes before it asks to wait. */
export const BACKLOG = 2;
/** Changes of the feed that are kept while history is read. */
export const HOLD = 1;

export interface Shell {
  /** Number of the attachment that was last asked for. */
  epoch: number;
  feed: 'off' | 'asked' | 'on';
  /** First revision that the consumer has not been told; 0 = from now on, whenever that will be. */
  next: number;
  passes: 'nothing' | 'all' | 'no more';
  held: number[];
  /** Newest revision that the feed brought and nobody kept. */
  missed: number;
  /** Number of the attachment that waits for room; 0 = none. */
  drainEpoch: number;
  consumer: {
    is: 'waiting' | 'ready' | 'ended' | 'gone';
    /** Changes that it has not taken up yet. */
    backlog: number;
    /** Next revision that it must be told. */
    expects: number;
    /** What was wrong with what it was told. */
    wrong: string;
  };
}

/** One turn of the shell; a broken twin overrides a method. */
export class Watching {
  readonly now: Shell;
  readonly out: Output[] = [];

  constructor(before: Shell) {
    this.now = structuredClone(before);
  }

  hear(event: Message): void {
    const epoch = event['epoch'] as number;
    const revision = event['revision'] as number;
    switch (event.type) {
      case 'attachFeed':
        return this.attach(epoch);
      case 'detachFeed':
        return this.detach(epoch);
      case 'announceReady':
        return this.announceReady();
      case 'readHistory':
        return this.read();
      case 'goLive':
        return this.goLive();
      case 'awaitDrain':
        this.now.drainEpoch = epoch;
        return this.drained();
      case 'announceCancelled':
        return this.announceCancelled(event['floor'] as number);
      case 'attached':
        return this.isCurrent(epoch) ? this.attached(revision) : undefined;
      case 'changed':
        return this.isCurrent(epoch) ? this.changed(revision) : undefined;
      case 'page':
        return this.isCurrent(epoch) ? this.page(revision, event['head'] as number) : undefined;
      case 'compacted':
        return this.isCurrent(epoch)
          ? this.tell({ type: 'history.compacted', epoch, floor: event['floor'] })
          : undefined;
      case 'cut':
        return this.cut();
      case 'consume':
        this.now.consumer.backlog -= 1;
        return this.drained();
      case 'vanish':
        this.now.consumer.is = 'gone';
        return this.tell({ type: 'consumer.disconnected' });
      default:
        throw new Error(`the shell does not know ${event.type}`);
    }
  }

  tell(event: Message): void {
    this.out.push({ send: event, on: MAILBOX });
  }

  isCurrent(epoch: number): boolean {
    return epoch === this.now.epoch && this.now.feed !== 'off';
  }

  attach(epoch: number): void {
    Object.assign(this.now, { epoch, feed: 'asked', passes: 'nothing', held: [], missed: 0 });
    this.out.push({ send: { type: 'attach', epoch, from: this.now.next }, on: REQUESTS });
  }

  detach(epoch: number): void {
    Object.assign(this.now, { feed: 'off', passes: 'nothing', held: [] });
    this.out.push({ send: { type: 'detach', epoch }, on: REQUESTS });
  }

  attached(revision: number): void {
    this.now.feed = 'on';
    if (this.now.next === 0) this.now.next = revision + 1;
    this.tell({ type: 'feed.attached', epoch: this.now.epoch });
  }

  announceReady(): void {
    const { consumer, next } = this.now;
    if (consumer.is === 'waiting') Object.assign(consumer, { is: 'ready', expects: next });
    this.tell({ type: 'ready.reported' });
  }

  read(): void {
    const { consumer, epoch, next } = this.now;
    if (consumer.backlog >= BACKLOG) this.tell({ type: 'backlog.filled', epoch });
    else this.out.push({ send: { type: 'read', epoch, from: next }, on: READS });
  }

  changed(revision: number): void {
    const { now } = this;
    if (now.passes === 'all') return this.pass(revision);
    if (now.passes === 'nothing' && now.held.length < HOLD) now.held.push(revision);
    else now.missed = revision;
  }

  /** History from `next` up to `revision` was read, of a store that was at `head` then. */
  page(revision: number, head: number): void {
    const { now } = this;
    for (let one = now.next; one <= revision; one++) this.handOver(one);
    this.tell({ type: revision >= head ? 'history.joined' : 'history.advanced', epoch: now.epoch });
  }

  goLive(): void {
    const { now } = this;
    now.passes = 'all';
    for (const revision of now.held.splice(0)) this.pass(revision);
    if (now.missed >= now.next && now.passes === 'all') this.stopPassing();
  }

  /** What the feed brought, once it may go on to the consumer. */
  pass(revision: number): void {
    const { now } = this;
    if (revision < now.next || now.passes !== 'all') return;
    if (now.consumer.backlog >= BACKLOG) this.stopPassing();
    else this.handOver(revision);
  }

  stopPassing(): void {
    this.now.passes = 'no more';
    this.tell({ type: 'backlog.filled', epoch: this.now.epoch });
  }

  handOver(revision: number): void {
    const { consumer } = this.now;
    this.now.next = revision + 1;
    if (consumer.is === 'gone') return;
    if (consumer.is !== 'ready') consumer.wrong = `told ${revision} while it was ${consumer.is}`;
    else if (revision !== consumer.expects) consumer.wrong = revision < consumer.expects ? 'twice' : 'a gap';
    consumer.expects = revision + 1;
    consumer.backlog += 1;
  }

  drained(): void {
    const { consumer, drainEpoch } = this.now;
    if (drainEpoch === 0 || consumer.backlog > 0) return;
    this.now.drainEpoch = 0;
    this.tell({ type: 'backlog.drained', epoch: drainEpoch });
  }

  /** The link to the engine broke, with all that was on it. */
  cut(): void {
    if (this.now.feed === 'off') return;
    this.now.feed = 'off';
    this.tell({ type: 'feed.lost', epoch: this.now.epoch });
  }

  announceCancelled(floor: number): void {
    const { consumer, next } = this.now;
    if (floor > 0 && next >= floor) consumer.wrong = `ended for ${floor} with nothing missing`;
    if (consumer.is !== 'gone') consumer.is = 'ended';
    this.now.drainEpoch = 0;
  }
}

export function watchShell(Turn: typeof Watching, start: number): ModelActor {
  const initial: Shell = {
    epoch: 0,
    feed: 'off',
    next: start,
    passes: 'nothing',
    held: [],
    missed: 0,
    drainEpoch: 0,
    consumer: { is: 'waiting', backlog: 0, expects: 0, wrong: '' },
  };
  return model<Shell>({
    initial,
    step(before, event) {
      const turn = new Turn(before);
      turn.hear(event);
      return { state: turn.now, outputs: turn.out };
    },
    choices: ({ consumer }) =>
      consumer.backlog > 0 && consumer.is === 'ready'
        ? [{ event: { type: 'consume' }, label: 'the consumer takes up a change' }]
        : [],
  });
}
