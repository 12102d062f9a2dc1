// What the hub of the model knows: the client's session, its calls, the nodes. src/calls/roster.ts for one client.
// Invariant: plain data; the routing moves it.
/** One attempt on its way through the hub. */
export interface Routed {
  attempt: number;
  /** The instance that has it, or whose it is said to be; '' for none. */
  node: string;
  /** The node that the client presumes: it need not be told of that one. */
  presumed: string;
  state: 'parked' | 'held' | 'assigned' | 'done' | 'sought';
  passing: 'yes' | 'no';
  /** Which of the node's answers it waits for; 0 = none. */
  awaits: number;
  /** Whether what it ended with went to the client. */
  outcome: 'none' | 'unpassed' | 'passed';
  /** `unsure`: its client only presumed the node that it names. */
  whereabouts: 'sure' | 'unsure';
  /** Sought, and these may have it; undefined: any. */
  suspects: readonly string[] | undefined;
  /** Sought, and a node may have forgotten it, or died with it. */
  doubt: 'none' | 'some';
  /** Sought, and nodes that are not here had the time to come. */
  time: 'left' | 'over';
}

/** A node's session, or one that is expected. */
export interface Place {
  peer: string;
  instance: string;
  state: 'online' | 'away' | 'expected';
  epoch: number;
  owed: number[];
  askedBy: 'nobody' | 'client';
  told: 'no' | 'yes';
  queries: number;
  answers: number;
}

export interface Hub {
  /** The client's session. `epoch` 0: no socket. */
  /** Its RESUME may be due. */
  client: {
    peer: string;
    session: 'none' | 'live';
    epoch: number;
    lists: 'due' | 'came';
    past: 'here' | 'elsewhere';
    told: string[];
    /** The roster that it was told last, and the nodes on it that it said it has heard of. */
    roster: readonly string[];
    heard: readonly string[];
    /** Those that it brought. */
    former: readonly string[] | undefined;
  };
  calls: Routed[];
  nodes: Place[];
  gone: string[];
  /** Attempts of which nobody can say whether they were executed, until the client speaks of them no more. */
  vanished: [attempt: number, foundAt: string][];
  /** Attempts of a client that was given up, up to this one, may have been executed. */
  expiredUpTo: number;
  /** Whether nodes may still come back to this hub in time. A hub before which there was none is old at once. */
  age: 'young' | 'old';
  /** The node that the balance chooses when it can. */
  favourite: string;
}

export interface HubOptions {
  readonly slots: readonly string[];
  readonly idempotent: 0 | 1;
}

/** The client still waits for what its node has to say. */
export const isOwed = ({ state, outcome }: Routed): boolean =>
  state === 'assigned' || (state === 'done' && outcome === 'unpassed');

/** It may still say something about attempts: it was asked, or will be when it is back. */
export const owesAnswer = ({ state, answers, queries }: Place): boolean =>
  state === 'away' || answers < queries;
