// Single-decree Paxos (Lamport, Paxos made simple, 2001) as servers of a register that is written once: each server is
// proposer, acceptor and learner, and takes what it would send to itself at once.
// Invariant: a server's reaction depends on its state and the message alone; ballots of different proposers differ.
import type { ModelActor, View } from '../../../src/checker/index.ts';
import { server, type Envelope } from './register-clients.ts';

type Ballot = readonly [number, string];

interface Proposal {
  readonly client: string;
  readonly request: number;
  readonly value: string;
}

interface Accepted {
  readonly ballot: Ballot;
  readonly proposal: Proposal;
}

interface PaxosServer {
  /** The highest that it promised or used itself. */
  readonly ballot: Ballot;
  readonly status: 'undecided' | 'decided';
  readonly accepted?: Accepted;
  readonly proposal?: Proposal;
  /** Who promised the ballot of its own, with what each had accepted before. */
  readonly promises: Readonly<Record<string, Accepted | 'nothing'>>;
  readonly acks: readonly string[];
}

export interface PaxosOptions {
  /** 'forgotten': an acceptor takes what it promised not to take. Broken. @default 'kept' */
  readonly promises?: 'kept' | 'forgotten';
  /** 'own': a proposer proposes its own value whatever was accepted before. Broken. @default 'adopted' */
  readonly values?: 'adopted' | 'own' | 'invented';
}

const isHigher = (a: Ballot, b: Ballot) => a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
const equal = (a: Ballot, b: Ballot) => a[0] === b[0] && a[1] === b[1];

/** What a proposer must propose: what was accepted in the highest ballot, else its own. */
function valueOf({ promises, proposal }: PaxosServer, { values }: PaxosOptions): Proposal | undefined {
  if (values === 'invented' && proposal !== undefined) return { ...proposal, value: '?' };
  if (values === 'own') return proposal;
  const accepted = Object.values(promises).filter((one) => one !== 'nothing');
  const [highest] = accepted.toSorted((a, b) => (isHigher(a.ballot, b.ballot) ? -1 : 1));
  return highest?.proposal ?? proposal;
}

function paxosServer(name: string, all: readonly string[], options: PaxosOptions): ModelActor {
  const majority = Math.floor(all.length / 2) + 1;
  const toPeers = (message: { type: string; ballot: Ballot; proposal?: Proposal }) =>
    all.filter((one) => one !== name).map((dst): Envelope => ({ ...message, src: name, dst }));
  const reply = (dst: string, message: { type: string; ballot: Ballot; accepted?: Accepted }): Envelope[] => [
    { ...message, src: name, dst },
  ];

  function propose(state: PaxosServer, proposal: Proposal) {
    const ballot: Ballot = [state.ballot[0] + 1, name];
    const promises = { [name]: state.accepted ?? ('nothing' as const) };
    return {
      state: { ...state, ballot, proposal, promises, acks: [] },
      sent: toPeers({ type: 'prepare', ballot }),
    };
  }

  function promised(state: PaxosServer, src: string, before: Accepted | undefined) {
    const next = { ...state, promises: { ...state.promises, [src]: before ?? ('nothing' as const) } };
    const proposal = valueOf(next, options);
    if (Object.keys(next.promises).length !== majority || proposal === undefined)
      return { state: next, sent: [] };
    const { ballot } = state;
    const accepted = { ballot, proposal };
    return {
      state: { ...next, proposal, accepted, acks: [name] },
      sent: toPeers({ type: 'accept', ballot, proposal }),
    };
  }

  function acknowledged(state: PaxosServer, src: string) {
    const acks = [...new Set([...state.acks, src])].toSorted();
    const { ballot, proposal } = state;
    if (acks.length !== majority || proposal === undefined) return { state: { ...state, acks }, sent: [] };
    const { client, request } = proposal;
    return {
      state: { ...state, acks, status: 'decided' as const },
      sent: [
        ...toPeers({ type: 'decided', ballot, proposal }),
        { type: 'put.ok', src: name, dst: client, request },
      ],
    };
  }

  const initial: PaxosServer = { ballot: [0, 's0'], status: 'undecided', promises: {}, acks: [] };
  return server<PaxosServer>(initial, (state, message) => {
    const { type, src } = message;
    const request = message['request'] as number;
    const ballot = message['ballot'] as Ballot;
    const proposal = message['proposal'] as Proposal;
    if (state.status === 'decided') {
      if (type !== 'get' || state.accepted === undefined) return undefined;
      const { value } = state.accepted.proposal;
      return { state, sent: [{ type: 'get.ok', src: name, dst: src, request, value }] };
    }
    switch (type) {
      case 'put':
        if (state.proposal !== undefined) return undefined;
        return propose(state, { client: src, request, value: message['value'] as string });
      case 'prepare': {
        if (!isHigher(ballot, state.ballot)) return undefined;
        const accepted = state.accepted === undefined ? {} : { accepted: state.accepted };
        return { state: { ...state, ballot }, sent: reply(src, { type: 'promise', ballot, ...accepted }) };
      }
      case 'promise':
        if (!equal(ballot, state.ballot)) return undefined;
        return promised(state, src, message['accepted'] as Accepted | undefined);
      case 'accept':
        if (isHigher(state.ballot, ballot) && options.promises !== 'forgotten') return undefined;
        return {
          state: { ...state, ballot, accepted: { ballot, proposal } },
          sent: reply(src, { type: 'accepted', ballot }),
        };
      case 'accepted':
        return equal(ballot, state.ballot) ? acknowledged(state, src) : undefined;
      case 'decided':
        return { state: { ...state, ballot, accepted: { ballot, proposal }, status: 'decided' }, sent: [] };
      default:
        return undefined;
    }
  });
}

export function paxosServers(count: number, options: PaxosOptions = {}): ModelActor[] {
  const all = Array.from({ length: count }, (_, i) => `s${i}`);
  return all.map((name) => paxosServer(name, all, options));
}

const decisions = (view: View, count: number) =>
  Array.from({ length: count }, (_, i) => view.model<PaxosServer>(`s${i}`)).flatMap(({ status, accepted }) =>
    status === 'decided' && accepted !== undefined ? [accepted.proposal.value] : [],
  );

/** No two servers decide differently. */
export const agreement = (count: number) => (view: View) => new Set(decisions(view, count)).size < 2;

/** What is decided was proposed by a client. */
export const validity = (count: number, proposed: readonly string[]) => (view: View) =>
  decisions(view, count).every((value) => proposed.includes(value));
