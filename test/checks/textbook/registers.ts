// Registers: one copy on one server, and copies on several servers kept by the algorithm of Attiya, Bar-Noy and Dolev
// (Sharing memory robustly in message-passing systems, 1995), with a writer's number extended by its name for many writers.
// Invariant: a server's reaction depends on its state and the message alone.
import type { ModelActor } from '../../../src/checker/index.ts';
import { NOTHING, server, type Envelope } from './register-clients.ts';

/** Answers at once from its own copy, and tells nobody. */
export const singleCopy = (name: string): ModelActor =>
  server<string>(NOTHING, (value, { type, src, request, value: put }) => {
    const reply = (fields: { type: string; value?: string }) => [{ ...fields, src: name, dst: src, request }];
    if (type === 'put') return { state: put as string, sent: reply({ type: 'put.ok' }) };
    if (type === 'get') return { state: value, sent: reply({ type: 'get.ok', value }) };
    return undefined;
  });

/** Who wrote last: compared by number, then by name. */
type Stamp = readonly [number, string];

interface Copy {
  readonly stamp: Stamp;
  readonly value: string;
}

interface Query {
  readonly phase: 'query';
  readonly request: number;
  readonly client: string;
  /** The value to write; nothing for a get. */
  readonly put?: string;
  readonly answers: Readonly<Record<string, Copy>>;
}

interface Recording {
  readonly phase: 'record';
  readonly request: number;
  readonly client: string;
  /** The value that a get answers with; nothing for a put. */
  readonly got?: string;
  readonly acks: readonly string[];
}

interface Replica extends Copy {
  readonly task?: Query | Recording;
}

export interface ReplicaOptions {
  /** 'unrecorded': answers a get without writing the value back. Broken. @default 'recorded' */
  readonly gets?: 'recorded' | 'unrecorded';
  /** 'unasked': takes its own number for the highest before it writes. Broken. @default 'asked' */
  readonly puts?: 'asked' | 'unasked';
}

const isNewer = (a: Stamp, b: Stamp) => a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);

/** Server `name` of `all`: asks a majority for the newest copy, then has a majority record what it puts or gets. */
export function replica(name: string, all: readonly string[], options: ReplicaOptions = {}): ModelActor {
  const peers = all.filter((one) => one !== name);
  const majority = Math.floor(all.length / 2) + 1;
  const toPeers = (message: { type: string; request: number; copy?: Copy }) =>
    peers.map((dst): Envelope => ({ ...message, src: name, dst }));

  const newer = (state: Replica, copy: Copy): Copy =>
    isNewer(copy.stamp, state.stamp)
      ? { stamp: copy.stamp, value: copy.value }
      : { stamp: state.stamp, value: state.value };

  const answer = (client: string, request: number, got?: string): Envelope =>
    got === undefined
      ? { type: 'put.ok', src: name, dst: client, request }
      : { type: 'get.ok', src: name, dst: client, request, value: got };

  function record(state: Replica, { request, client, put, answers }: Query) {
    const newest = Object.values(answers).reduce((a, b) => (isNewer(b.stamp, a.stamp) ? b : a));
    if (put === undefined && options.gets === 'unrecorded')
      return {
        state: { stamp: state.stamp, value: state.value },
        sent: [answer(client, request, newest.value)],
      };
    const copy: Copy = put === undefined ? newest : { stamp: [newest.stamp[0] + 1, name], value: put };
    const got = put === undefined ? { got: newest.value } : {};
    const task: Recording = { phase: 'record', request, client, ...got, acks: [name] };
    return { state: { ...newer(state, copy), task }, sent: toPeers({ type: 'record', request, copy }) };
  }

  const initial: Replica = { stamp: [0, name], value: NOTHING };
  return server<Replica>(initial, (state, message) => {
    const { task, ...own } = state;
    const { type, src } = message;
    const request = message['request'] as number;
    const copy = message['copy'] as Copy;
    if ((type === 'put' || type === 'get') && task === undefined) {
      const put = type === 'put' ? { put: message['value'] as string } : {};
      const query: Query = { phase: 'query', request, client: src, ...put, answers: { [name]: own } };
      if (type === 'put' && options.puts === 'unasked') return record(state, query);
      return { state: { ...own, task: query }, sent: toPeers({ type: 'query', request }) };
    }
    if (type === 'query')
      return { state, sent: [{ type: 'query.answered', src: name, dst: src, request, copy: own }] };
    if (type === 'record')
      return {
        state: task === undefined ? newer(state, copy) : { ...newer(state, copy), task },
        sent: [{ type: 'record.acked', src: name, dst: src, request }],
      };
    if (type === 'query.answered' && task?.phase === 'query' && task.request === request) {
      const query: Query = { ...task, answers: { ...task.answers, [src]: copy } };
      if (Object.keys(query.answers).length === majority) return record(state, query);
      return { state: { ...own, task: query }, sent: [] };
    }
    if (type !== 'record.acked' || task?.phase !== 'record' || task.request !== request) return undefined;
    if (task.acks.includes(src)) return undefined;
    const acks = [...task.acks, src].toSorted();
    if (acks.length < majority) return { state: { ...own, task: { ...task, acks } }, sent: [] };
    return { state: own, sent: [answer(task.client, request, task.got)] };
  });
}

/** All servers of a replicated register. */
export function replicas(count: number, options: ReplicaOptions = {}): ModelActor[] {
  const all = Array.from({ length: count }, (_, i) => `s${i}`);
  return all.map((name) => replica(name, all, options));
}
