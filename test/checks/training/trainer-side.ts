// The trainer's shell in the model: what it makes of nodes, of answers, and of what gate and round ask for.
// Invariant: whatever one of these leads to inside the trainer happens in the same turn; the store answers when it likes.
import { roundInput } from '../../../machines/round.ts';
import type { Message, Output } from '../../../src/checker/index.ts';

export const GATE = 'gate';
export const ROUND = 'round';
export const TRAINER = 'trainer';
export const ANSWERS = 'answers';
/** Checkpoints on their way to the disk: they get there whatever becomes of those who sent them, unless the process dies. */
export const WRITES = 'writes';
export const orders = (node: string): string => `orders ${node}`;

/** Which attempt something belongs to. */
export interface Attempt {
  readonly round: number;
  readonly epoch: number;
}

interface OfNode extends Attempt {
  readonly node: string;
}

interface Member {
  readonly node: string;
  readonly epoch: number;
  readonly state: 'away' | 'online' | 'synced';
}

interface Commit extends Attempt {
  /** Updates that are in it, each with the attempt that it was made for. */
  readonly updates: readonly OfNode[];
}

export interface Trainer {
  readonly members: readonly Member[];
  readonly gate: 'closed' | 'open' | 'ending' | 'over';
  /** Number of the termination that waits for the model; 0: none does. */
  readonly ending: { readonly epoch: number };
  /** The last round that it knows to be committed. */
  readonly known: number;
  /** The present attempt, or the last. */
  readonly attempt: Attempt;
  readonly running: 'nothing' | 'selecting' | 'asked';
  /** Calls that nodes have not answered, and that were not given up. */
  readonly calls: readonly OfNode[];
  /** The answer of this turn. */
  readonly arrived: OfNode | 'none';
  /** Updates that the round said to keep. */
  readonly kept: readonly OfNode[];
  /** On the disk. */
  readonly disk: {
    readonly from: 'gathering' | 'paused';
    readonly commits: readonly Commit[];
    /** Checkpoints of rounds that were committed by another attempt. */
    readonly conflicts: 0 | 1;
  };
  /** The round whose model was delivered; -1: none was. */
  readonly delivered: number;
}

/** The rules of the shell that a broken twin may replace. */
export interface Rules {
  /** Whether the model is delivered while a round runs. */
  readonly delivers: 'after the round' | 'at once';
  /** Whether an attempt begins again when the gate opens. */
  readonly resumes: 'when it opens' | 'never';
}

export const productionRules: Rules = {
  delivers: 'after the round',
  resumes: 'when it opens',
};

export interface Training {
  readonly nodes: readonly string[];
  readonly rounds: number;
  readonly minUpdates: number;
  readonly rules: Rules;
}

export const firstTrainer = ({ nodes }: Training): Trainer => ({
  members: nodes.map((node) => ({ node, epoch: 0, state: 'away' })),
  gate: 'closed',
  ending: { epoch: 0 },
  known: 0,
  attempt: { round: 0, epoch: 0 },
  running: 'nothing',
  calls: [],
  arrived: 'none',
  kept: [],
  disk: { from: 'gathering', commits: [], conflicts: 0 },
  delivered: -1,
});

const same = (one: Attempt, other: Attempt) => one.round === other.round && one.epoch === other.epoch;

/** One turn of the trainer. */
export class Turn {
  now: Trainer;
  readonly out: Output[] = [];
  readonly #training: Training;

  constructor(training: Training, before: Trainer) {
    this.#training = training;
    this.now = before;
  }

  hear(event: Message): void {
    const node = event['node'] as string;
    const attempt = { round: event['round'] as number, epoch: event['epoch'] as number };
    const member = this.now.members.find((one) => one.node === node);
    switch (event.type) {
      case 'online':
        this.#member(node, { state: 'online', epoch: (member?.epoch ?? 0) + 1 });
        this.#tell(GATE, { type: 'node.joined', node, epoch: (member?.epoch ?? 0) + 1 });
        return this.#placed('node.returned', node);
      case 'away':
        if (member === undefined || member.state === 'away') return;
        this.#member(node, { state: 'away' });
        this.#tell(GATE, { type: 'node.left', node, epoch: member.epoch });
        return this.#placed('node.left', node);
      case 'acknowledged':
        if (member?.state === 'online' && member.epoch === event['epoch'])
          this.#member(node, { state: 'synced' });
        this.#tell(GATE, { type: 'node.synced', node, epoch: event['epoch'] });
        return this.#look();
      case 'lost':
        return this.#lost(node);
      case 'answer':
        return this.#answered({ node, ...attempt });
      case 'refused':
        this.#forget({ node, ...attempt });
        this.#tell(ROUND, { type: 'update.refused', node, ...attempt });
        return this.#look();
      case 'answer handled':
        if (event['again'] === 'yes') return this.#tell(TRAINER, { type: event.type, again: 'no' });
        return this.#set({ arrived: 'none' });
      default:
        return this.#asked(event, attempt);
    }
  }

  /** What gate and round ask for. */
  #asked(event: Message, attempt: Attempt): void {
    const { arrived } = this.now;
    switch (event.type) {
      case 'openGate':
        if (this.now.gate === 'closed') this.#set({ gate: 'open' });
        return this.#begin();
      case 'pauseGate':
        this.#set({ gate: 'closed' });
        return this.#abandon();
      case 'recordBudget':
        return this.#disk({ from: event['from'] as 'gathering' | 'paused' });
      case 'deliverModel':
        this.#set({ gate: 'ending', ending: { epoch: attempt.epoch } });
        this.#abandon();
        return this.#deliver();
      case 'announceEnd':
        return this.#set({ gate: 'over' });
      case 'chooseParticipants':
        return this.#look();
      case 'sendTasks':
        return (event['nodes'] as string[]).forEach((node) => this.#ask({ node, ...attempt }));
      case 'cancelTasks':
        return (event['nodes'] as string[]).forEach((node) => this.#cancel({ node, ...attempt }));
      case 'keepUpdate':
        if (arrived === 'none') throw new Error('there is no update to keep');
        return this.#set({ kept: [...this.now.kept, arrived].sort((a, b) => (a.node < b.node ? -1 : 1)) });
      case 'writeCheckpoint':
        this.out.push({ send: { type: 'write', ...attempt, updates: this.now.kept }, on: WRITES });
        return;
      case 'write':
        return this.#write({ ...attempt, updates: event['updates'] as OfNode[] }, event['answer'] as string);
      case 'announceCommitted':
        this.#set({ known: attempt.round });
        return this.#ended();
      case 'announceAbandoned':
        return this.#ended();
      default:
        throw new Error(`nobody performs ${event.type}`);
    }
  }

  #set(change: Partial<Trainer>): void {
    this.now = { ...this.now, ...change };
  }

  #disk(change: Partial<Trainer['disk']>): void {
    this.#set({ disk: { ...this.now.disk, ...change } });
  }

  #tell(to: string, event: Message): void {
    this.out.push({ tell: to, event });
  }

  #member(node: string, change: Partial<Member>): void {
    this.#set({ members: this.now.members.map((one) => (one.node === node ? { ...one, ...change } : one)) });
  }

  #begin(): void {
    const { gate, running, attempt } = this.now;
    const { rounds, minUpdates, rules } = this.#training;
    const round = this.now.known + 1;
    if (gate !== 'open' || running !== 'nothing' || round > rounds) return;
    if (rules.resumes === 'never' && attempt.round === round) return;
    const next = { round, epoch: attempt.epoch + 1 };
    this.#set({ attempt: next, running: 'selecting', kept: [] });
    this.out.push({ start: ROUND, input: { ...roundInput, ...next, minUpdates } });
  }

  /** Asks as soon as there are enough. */
  #look(): void {
    const { running, members, calls, attempt } = this.now;
    if (running !== 'selecting') return;
    const isFree = (node: string) => calls.every((call) => call.node !== node);
    const nodes = members.flatMap(({ node, state }) => (state === 'synced' && isFree(node) ? [node] : []));
    if (nodes.length < this.#training.minUpdates) return;
    this.#set({ running: 'asked' });
    this.#tell(ROUND, { type: 'participants.chosen', nodes, ...attempt });
  }

  #ask(call: OfNode): void {
    this.#set({ calls: [...this.now.calls, call].sort((a, b) => (a.node < b.node ? -1 : 1)) });
    this.out.push({ send: { type: 'train', ...call }, on: orders(call.node) });
  }

  /** From here on the node may be asked again, though it may have answered already. */
  #cancel(call: OfNode): void {
    this.#forget(call);
    this.out.push({ send: { type: 'cancel', ...call }, on: orders(call.node) });
  }

  #forget({ node, ...attempt }: OfNode): void {
    this.#set({ calls: this.now.calls.filter((call) => call.node !== node || !same(call, attempt)) });
  }

  #lost(node: string): void {
    for (const call of this.now.calls.filter((one) => one.node === node)) {
      this.#forget(call);
      this.#tell(ROUND, { type: 'node.lost', ...call });
    }
    this.#look();
  }

  #answered(answer: OfNode): void {
    this.#forget(answer);
    this.#set({ arrived: answer });
    this.#tell(ROUND, { type: 'update.accepted', ...answer });
    // Twice, so that what the round says to it comes before.
    this.#tell(TRAINER, { type: 'answer handled', again: 'yes' });
    this.#look();
  }

  #placed(where: string, node: string): void {
    for (const call of this.now.calls.filter((one) => one.node === node && same(one, this.now.attempt)))
      this.#tell(ROUND, { type: where, ...call });
  }

  #abandon(): void {
    if (this.now.running !== 'nothing') this.#tell(ROUND, { type: 'abandon.requested', reason: '' });
  }

  /** The transaction takes place, or does not, by what is on the disk; whether that is told is another matter. */
  #write({ updates, ...attempt }: Commit, answer: string): void {
    const { disk } = this.now;
    const last = disk.commits.at(-1) ?? { round: 0, epoch: 0 };
    const isNext = attempt.round === last.round + 1;
    if (isNext) this.#disk({ commits: [...disk.commits, { ...attempt, updates }] });
    else if (!same(last, attempt)) this.#disk({ conflicts: 1 });
    this.#tell(ROUND, { type: answer === 'told' ? 'checkpoint.written' : 'checkpoint.failed', ...attempt });
  }

  #ended(): void {
    this.#set({ running: 'nothing', kept: [] });
    if (this.now.known === this.#training.rounds) this.#tell(GATE, { type: 'training.completed' });
    this.#deliver();
    this.#begin();
  }

  #deliver(): void {
    const { gate, running, ending } = this.now;
    const waits = this.#training.rules.delivers === 'after the round' && running !== 'nothing';
    if (gate !== 'ending' || waits) return;
    this.#set({ delivered: this.now.known });
    this.#tell(GATE, { type: 'model.delivered', epoch: ending.epoch });
  }
}

/** What a process that starts again knows: the disk. Calls of the one that died have nobody to answer to. */
export function restarted(training: Training, { disk, members }: Trainer): Trainer {
  const { round, epoch } = disk.commits.at(-1) ?? { round: 0, epoch: 0 };
  const away = members.map((one) => ({ ...one, state: 'away' as const }));
  return { ...firstTrainer(training), members: away, disk, known: round, attempt: { round, epoch } };
}
