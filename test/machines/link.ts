// A connection that is stepped by hand, with the events of its present socket and registration at hand.
// Invariant: no event that a test sends may be unexpected.
import { expect } from 'vitest';
import {
  connectionEffects,
  type ConnectionInput,
  connectionInput,
  connectionMachine,
} from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

const quick: ConnectionInput = {
  ...connectionInput,
  reconnectIntervalMs: 2_000,
  reconnectMaxMs: 60_000,
  maxRetryAttempts: 10,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 15_000,
};

const create = (input: Partial<ConnectionInput> = {}) =>
  new Scenario({ machine: connectionMachine, effects: connectionEffects as never }, { ...quick, ...input });

export class Link {
  readonly node: Scenario;
  at = 0;

  constructor(input: Partial<ConnectionInput> = {}) {
    this.node = create(input);
  }
  get epoch(): number {
    return this.node.control['epoch'] ?? 0;
  }
  get registrationEpoch(): number {
    return this.node.control['registrationEpoch'] ?? 0;
  }
  get state(): string {
    return this.node.state;
  }
  get backoffMs(): number {
    return this.node.delayMs('backoffDelay');
  }
  send(type: string, fields: object = {}): this {
    this.at += 1;
    this.node.send({
      type,
      epoch: this.epoch,
      registrationEpoch: this.registrationEpoch,
      at: this.at,
      ...fields,
    });
    expect(this.node.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  connect(): this {
    return this.send('connect.requested').send('socket.opened').send('registration.accepted');
  }
  lose(): this {
    return this.send('socket.closed', { reason: 'link lost' }).send('socket.released');
  }
  /** From backoff to connected. */
  reconnect(): this {
    this.node.expire('backoffDelay');
    return this.send('socket.opened').send('registration.accepted');
  }
}
