// What the hub knows of those who ask and those who run, and of the calls between them.
// Invariant: plain data with a few derived facts; the router moves it.
import { Bag } from './bag.ts';
import { Numbered } from './numbered.ts';
import type { ResumeMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';

export type Rosters = NonNullable<ResumeMessage['rosters']>;

/** A client, as the router sees it. */
export interface Asking {
  readonly number: number;
  readonly id: string;
  readonly instance: string;
  outbox: Outbox | undefined;
  /** Bytes written to its socket that the kernel has not taken. */
  bufferedBytes: () => number;
  /** Function numbers of its dictionary, for its present link. */
  definitions: Offer[];
  /** Peers that its present link was told of. */
  told: Set<number>;
  /**
   * Attempts of which nobody could say whether they were executed, until it speaks of them no more; and the node that turned
   * out to have one.
   */
  vanished: Map<number, Running | undefined> | undefined;
  /** Attempts that it has not acknowledged. */
  readonly calls: Numbered<Routed>;
  /** Calls that wait until its socket takes their assignment: those with a node were assigned before it stopped reading. */
  held: Routed[];
  /** Since when. */
  heldSince: number;
  /** Bytes of its calls that wait at the hub. */
  waitingBytes: number;
  /** `elsewhere`: it was registered with another hub, or in another session, and has not named its attempts here yet. */
  past: 'here' | 'elsewhere';
  /** Nodes up to this ordinal it has heard of; Infinity: it knows of no ordinals. */
  heardUpTo: number;
  /** What it was told last: the count of changes, the highest ordinal, how many had left, and when that was. */
  toldVersion: number;
  toldUpTo: number;
  toldGone: number;
  toldAt: number;
  /** The rosters of the hubs that may have handed out its attempts, if it knows those of all of them. */
  formerRosters: Rosters | undefined;
  /** While a RESUME of several frames arrives: the attempts that it named. */
  resuming: Set<number> | undefined;
  finished: number;
}

type NodeFacts = Pick<Running, 'number' | 'id' | 'instance' | 'functions' | 'labels' | 'maxConcurrent'>;

/** A node, as the router sees it. */
export class Running {
  readonly number: number;
  readonly id: string;
  readonly instance: string;
  /** Function name → number under which the node knows it. */
  functions: ReadonlyMap<string, number>;
  labels: Readonly<Record<string, string>>;
  maxConcurrent: number;
  /** Its number among the nodes of this hub; 0: it knows of no ordinals. */
  ordinal = 0;
  /** Its ordinals, here and at the hubs before. */
  ordinals: readonly { readonly hub: string; readonly ordinal: number }[] = [];
  outbox: Outbox | undefined;
  /** `online`: takes work. `leaving`: finishes. `away`: may come back. `gone`: will not. */
  state: 'online' | 'leaving' | 'away' | 'gone' = 'away';
  awaySince = 0;
  /** Calls assigned to it that have not ended. */
  readonly assigned = new Bag<Routed>();
  /** Calls that ended, but perhaps not in the hearing of their clients: these will ask for the outcome again. */
  unpassed: Set<Routed> | undefined;
  readonly queue: Routed[] = [];
  queuedBytes = 0;
  /** Assigned calls whose arguments are still arriving. */
  bulk = 0;
  told = new Set<number>();
  /** Acknowledgements that came while it was away. */
  owed: Map<Asking, number[]> | undefined;
  /** Clients that asked about its calls while it was away. */
  askedBy: Set<Asking> | undefined;
  /** Clients that were asked, when it came back, which of its calls they wait for, and have not answered. */
  asking: Set<Asking> | undefined;
  /** QUERY frames sent to it, and FATE frames that came of it: each answers one, in their order. */
  queries = 0;
  answers = 0;
  latencyMs = 0;
  /** Of its id: other instances count there too. */
  history: { totalTasksExecuted: number } = { totalTasksExecuted: 0 };

  constructor(facts: NodeFacts) {
    this.number = facts.number;
    this.id = facts.id;
    this.instance = facts.instance;
    this.functions = facts.functions;
    this.labels = facts.labels;
    this.maxConcurrent = facts.maxConcurrent;
  }

  get running(): number {
    return this.assigned.size;
  }

  get queued(): number {
    return this.queue.length;
  }
}

/** A function name, and who offers it. */
export interface Offer {
  readonly name: string;
  /** Nodes that are online and offer it. */
  readonly nodes: Running[];
  /** Calls for which there was no node yet. */
  parked: Routed[];
  /** Clients' dictionaries that name it. */
  definitions: number;
  /** `forgotten`: in no table any more. A call that still refers to it looks it up anew. */
  state: 'known' | 'forgotten';
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

/** Most calls never wait. */
export const NO_FRAMES: readonly Frame[] = [];

/** What a journal needs to know of an attempt, and knows. */
export interface Durable {
  /** All of it. */
  frames: readonly Frame[];
  /** Where the journal says that it is. */
  node: Running | undefined;
  /** The newest write that says so. */
  write: Promise<void> | undefined;
  /** `unknown`: a node that is away or gone may have executed it. */
  past: 'unstarted' | 'unknown';
}

/** One attempt of a call on its way through the hub. */
export interface Routed {
  readonly client: Asking;
  readonly attempt: number;
  offer: Offer | undefined;
  readonly flags: number;
  readonly target: { readonly node?: string; readonly labels?: Readonly<Record<string, string>> } | undefined;
  readonly deadlineAt: number;
  since: number;
  /** Number of the node that the client presumes: it need not be told of that one. */
  presumed: number;
  node: Running | undefined;
  /** Where it is in `node.assigned`. */
  place: number;
  /**
   * `journaling`: arrives, or is being kept. `parked`: no node offers it. `queued`: waits for a place at `node`. `held`: assigned, not sent. `assigned`: sent.
   * `done`: ended, not acknowledged. `sought`: nodes are asked whether they have it. `withdrawn`: its record is taken away,
   * then its client hears that it was not started. `gone`: forgotten.
   */
  state: 'journaling' | 'parked' | 'queued' | 'held' | 'assigned' | 'done' | 'sought' | 'withdrawn' | 'gone';
  /** What has arrived of it and was not passed on. */
  frames: readonly Frame[];
  /** CALL frame that arrived in this turn, in the message it came in. */
  first: Uint8Array | undefined;
  firstStart: number;
  firstEnd: number;
  /** More argument chunks are to come. */
  uploading: boolean;
  /** Value bytes passed to the node and to the client without credit, yet. */
  upBytes: number;
  downBytes: number;
  /**
   * Whether what the node sends of it goes to the client. After the link of either was lost it does not, until the node
   * has answered the client's question: what was sent before that answer does not fit to what the client has.
   */
  passing: 'yes' | 'no';
  /** Which of the node's answers that is; 0 = no question was asked. */
  awaits: number;
  /** `arriving`: the node began a result in chunks, and the last of them ends the call. */
  result: 'none' | 'arriving';
  idempotent: boolean;
  /** `unsure`: another hub handed it out, and its client only presumed the node that it names. */
  whereabouts: 'sure' | 'unsure';
  /** Of a call that is journaled. */
  durable: Durable | undefined;
}

export function createAsking(
  facts: Pick<Asking, 'number' | 'id' | 'instance'> & Partial<Pick<Asking, 'bufferedBytes' | 'past'>>,
): Asking {
  return {
    bufferedBytes: () => 0,
    past: 'elsewhere',
    ...facts,
    outbox: undefined,
    definitions: [],
    told: new Set(),
    vanished: undefined,
    calls: new Numbered(),
    held: [],
    heldSince: 0,
    waitingBytes: 0,
    heardUpTo: Infinity,
    toldVersion: -1,
    toldUpTo: 0,
    toldGone: 0,
    toldAt: -Infinity,
    formerRosters: undefined,
    resuming: undefined,
    finished: 0,
  };
}

/** Whether it may still say something about attempts: it was asked, or will be when it is back. */
export const owesAnswer = ({ state, answers, queries }: Running): boolean =>
  state === 'away' || answers < queries;

/** Whether `node` may run a call with this target. */
export function suits(node: Running, target: Routed['target']): boolean {
  if (target === undefined) return true;
  if (target.node !== undefined && target.node !== node.id) return false;
  for (const [label, value] of Object.entries(target.labels ?? {})) {
    if (!Object.hasOwn(node.labels, label) || node.labels[label] !== value) return false;
  }
  return true;
}

/** Its client may not have heard what it ended with. */
export function keepUnpassed(call: Routed): void {
  if (call.node !== undefined) (call.node.unpassed ??= new Set()).add(call);
}

/** What comes of it goes to nobody, before the node has answered the client’s next question. */
export function stopPassing(call: Routed): void {
  call.passing = 'no';
  call.awaits = 0;
}
