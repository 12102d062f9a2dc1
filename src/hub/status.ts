// A hub, as those see it who started it: what it tells of itself, and what can be asked of it.
// Invariant: types only, nothing here runs.
import type { System } from '../actors/index.ts';
import type { Dialer } from '../ports.ts';
import type { Member } from './member.ts';
import type { Inspection } from './exhibits.ts';
import type { NodeListener } from './watchers.ts';

/** What `status()` and `holdfast status` show of one peer. */
export type PeerStatus = ReturnType<Member['status']>;

export interface HubStatus {
  readonly instance: string;
  readonly url: string;
  readonly state: 'listening' | 'draining' | 'stopped';
  readonly uptimeMs: number;
  readonly lagMs: number;
  readonly nodes: number;
  readonly clients: number;
  readonly connections: number;
  readonly waiting: number;
  readonly running: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly unexpectedEvents: number;
  readonly deadLetters: number;
}

export interface Hub {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Random, new with every start. */
  readonly instance: string;
  /** Starts of the hub with this id on its store, this one included; 1 without a store. */
  readonly epoch: number;
  readonly system: System;
  status(): HubStatus;
  /** Nodes that have a session, in whatever state. */
  nodes(): PeerStatus[];
  clients(): PeerStatus[];
  /**
   * Tells of all nodes that are online or away, before it returns, then of each change as it happens: `online` once a node
   * acknowledged its sync, `away` when it leaves or its link broke, `gone` when its session is over. A node that is silent,
   * but not given up, is online. Epochs count through all nodes of this hub: of two instances with one id the one with the
   * greater epoch counts, and `gone` of the other may come after its `online`. Returns the function that ends it.
   */
  watchNodes(listener: NodeListener): () => void;
  /** Dials this hub from its own process, whatever the address, without a network and without a token. */
  readonly dialer: Dialer;
  /** Shows viewers more of this process; undefined when nobody may look. */
  readonly inspection: Inspection | undefined;
  /**
   * Gives a node no new work from now on; what runs there goes on. It stays so, also when its link breaks and it comes back
   * within `sessionGraceMs`, until it leaves or `undrain` lets it in again. @returns false when there is no such node
   */
  drain(nodeId: string): boolean;
  /**
   * Lets a node that was drained work again, once it has acknowledged its sync anew; one that stops of its own accord goes on
   * stopping. @returns false when there is no such node
   */
  undrain(nodeId: string): boolean;
  /** Ends a node's link; it will come back, and a node that drains goes on draining. @returns false when there is no such node */
  disconnect(nodeId: string): boolean;
  /** Forgets a node's session, as a restart would; its socket stays, and it registers again. @returns false when there is none */
  forget(nodeId: string): boolean;
  /** Takes no new work, waits for what runs, then closes. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, by `stop` or because another hub with its id started on its store. */
  readonly stopped: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
