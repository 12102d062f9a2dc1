// Actors that talk to one another, in messages: a client, a hub and nodes, with the causes of their steps.
// Invariant: causes have smaller clocks; the same numbers give the same messages.
import type { StateValue, Step, Told } from '../../src/protocol/inspection.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const moves: readonly (readonly [from: string | undefined, to: string, event: string, state: StateValue])[] =
  [
    [undefined, 'caller', 'call.requested', 'waiting'],
    ['caller', 'session/n1', 'call.received', { online: 'busy' }],
    ['session/n1', 'connection', 'frame.received', { connected: 'working' }],
    ['connection', 'connection', 'xstate.after.tick', { connected: 'working' }],
    ['connection', 'session/n1', 'result.received', { online: 'listening' }],
    ['session/n1', 'caller', 'call.settled', 'succeeded'],
    [undefined, 'connection', 'socket.closed', 'transient_failure'],
    ['connection', 'connection', 'socket.released', 'backoff'],
    ['connection', 'connection', 'xstate.after.backoffDelay', 'reconnecting'],
    ['connection', 'session/n1', 'registration.received', 'syncing'],
    ['session/n1', 'connection', 'registration.accepted', { connected: 'working' }],
    [undefined, HOSTILE, HOSTILE, HOSTILE],
  ];
const processOf: Readonly<Record<string, string>> = {
  caller: 'client/web/77',
  'session/n1': 'hub/1f3c',
  connection: 'node/n1/9ab2',
};

export class Conversation {
  at = 1_000;
  #clock = 0;
  readonly #latest = new Map<string, { seq: number; clock: number; state: StateValue }>();

  beginning(): Told[] {
    const { at } = this;
    const process = (id: string, role: 'hub' | 'node' | 'client', name: string): Told => ({
      ...{ kind: 'process', process: id, role, name, at, state: 'here' },
    });
    return [
      {
        kind: 'hello',
        version: 1,
        process: 'hub/1f3c',
        role: 'hub',
        name: 'hub',
        at,
        may: [],
        wallTime: '2026-01-01T10:00:00.000Z',
      },
      process('hub/1f3c', 'hub', 'hub'),
      process('node/n1/9ab2', 'node', 'n1'),
      process('client/web/77', 'client', 'web'),
    ];
  }

  /** So many steps, each a few milliseconds after the other. */
  steps(count: number): Step[] {
    return Array.from({ length: count }, (_, n) =>
      this.#step(moves[n % moves.length] ?? [undefined, '', '', '']),
    );
  }

  #step([from, to, type, state]: (typeof moves)[number]): Step {
    this.at += 5;
    this.#clock += 1;
    const before = this.#latest.get(to);
    const cause = from === undefined ? undefined : this.#latest.get(from);
    const seq = (before?.seq ?? 0) + 1;
    this.#latest.set(to, { seq, clock: this.#clock, state });
    return {
      kind: 'step',
      process: processOf[to] ?? 'node/n1/9ab2',
      actor: to,
      machine: to.replace(/\/.*/, ''),
      seq,
      at: this.at,
      clock: this.#clock,
      event: { type, call: `c${this.#clock}`, note: HOSTILE },
      from: before?.state ?? null,
      to: state,
      context: { control: { attempts: seq } },
      ...(cause === undefined || from === undefined
        ? {}
        : { cause: { process: processOf[from] ?? '', actor: from, clock: cause.clock } }),
    };
  }
}
