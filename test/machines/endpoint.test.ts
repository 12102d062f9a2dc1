// Health of one endpoint, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import {
  endpointEffects,
  type EndpointInput,
  endpointInput,
  endpointMachine,
  jitter,
} from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

class Endpoint {
  readonly scenario: Scenario;

  constructor(input: Partial<EndpointInput> = {}, start: 'opened' | 'restored' = 'opened') {
    this.scenario = new Scenario(
      { machine: endpointMachine, effects: endpointEffects as never },
      { ...endpointInput, ...input },
    );
    this.send(`endpoint.${start}`);
  }
  get state(): string {
    return this.scenario.state;
  }
  get effects(): string[] {
    return this.scenario.effectNames;
  }
  get epoch(): number {
    return this.scenario.control['epoch'] as number;
  }
  get ledger(): Record<string, number> {
    return this.scenario.ledger as Record<string, number>;
  }
  get waitMs(): number {
    return (this.scenario.payload('announceEjected') as { waitMs: number }).waitMs;
  }
  send(type: string, at = 0, fields: object = {}): this {
    const more = type === 'attempt.failed' ? { retryAfterMs: 0, room: 1 } : { latencyMs: 10, room: 1 };
    this.scenario.send({ type, epoch: this.epoch, at, ...more, ...fields });
    expect(this.scenario.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  fail(times: number, at = 0, fields: object = {}): this {
    for (let i = 0; i < times; i++) this.send('attempt.failed', at, fields);
    return this;
  }
  expire(delay: string): this {
    this.scenario.expire(delay);
    return this;
  }
  /** Ejected, and its slot granted. */
  static probing(input: Partial<EndpointInput> = {}): Endpoint {
    return new Endpoint(input).fail(5).send('slot.granted');
  }
}

describe('an endpoint in service', () => {
  it('is suspect after a failure, and healthy again after a success', () => {
    const endpoint = new Endpoint().fail(4);
    expect([endpoint.state, endpoint.scenario.control['failures']]).toEqual(['suspect', 4]);
    expect(endpoint.send('attempt.succeeded').state).toBe('healthy');
    expect(endpoint.fail(4).state).toBe('suspect');
  });

  it('is ejected by the last straw, and says for how long', () => {
    const endpoint = new Endpoint().fail(5);
    expect([endpoint.state, endpoint.effects]).toEqual(['ejected', ['announceEjected']]);
    expect(endpoint.scenario.payload('announceEjected')).toEqual({
      epoch: 1,
      ejections: 1,
      waitMs: 30_000 * (1 + 0.1 * jitter(endpointInput.seed, 1)),
    });
  });

  it('is ejected when too many fail of those that whoever counts has counted', () => {
    const endpoint = new Endpoint().send('rate.exceeded', 5);
    expect([endpoint.state, endpoint.effects]).toEqual(['ejected', ['announceEjected']]);
  });

  it('stays while the pool cannot do without it, and goes with the next failure when it can', () => {
    const endpoint = new Endpoint().fail(50, 0, { room: 0 }).send('rate.exceeded', 0, { room: 0 });
    expect(endpoint.state).toBe('suspect');
    expect(endpoint.fail(1).state).toBe('ejected');
  });

  it('that asks for a time to itself is out for that time, and has not sinned', () => {
    const endpoint = new Endpoint().fail(1, 0, { retryAfterMs: 7_000 });
    expect([endpoint.state, endpoint.ledger['ejections']]).toEqual(['ejected', 0]);
    expect(endpoint.waitMs).toBeGreaterThanOrEqual(7_000);
    expect(endpoint.waitMs).toBeLessThanOrEqual(7_700);
  });

  it('that asks for a time with its last straw is out for the longer of the two', () => {
    const endpoint = new Endpoint().fail(4).fail(1, 0, { retryAfterMs: 600_000 });
    expect([endpoint.waitMs, endpoint.ledger['ejections']]).toEqual([600_000, 1]);
  });

  it('passes over what is no fault of its own, and counts it', () => {
    const endpoint = new Endpoint().fail(4);
    for (const type of ['attempt.faulted', 'attempt.denied', 'attempt.abandoned']) endpoint.send(type, 7);
    expect([endpoint.state, endpoint.scenario.control['failures']]).toEqual(['suspect', 4]);
    expect(endpoint.ledger).toMatchObject({
      ...{ totalRequests: 7, failedRequests: 4, clientFaults: 1, credentialFaults: 1 },
      ...{ abandonedRequests: 1, consecutiveFailures: 4, denials: 1, deniedAt: 7 },
    });
  });

  it('knows a moving average of its latency, in which an answer after a silence counts alone', () => {
    const endpoint = new Endpoint().send('attempt.succeeded', 0, { latencyMs: 100 });
    endpoint.send('attempt.succeeded', 1, { latencyMs: 200 });
    expect(endpoint.ledger['latencyEwmaMs']).toBeCloseTo(110);
    endpoint.send('attempt.succeeded', 20_000, { latencyMs: 50 });
    expect(endpoint.ledger['latencyEwmaMs']).toBe(50);
  });
});

describe('an endpoint out of service', () => {
  it('waits for a slot, and for nothing else', () => {
    const endpoint = new Endpoint().fail(5);
    expect(endpoint.scenario.delays.size).toBe(0);
    endpoint.send('attempt.succeeded').send('attempt.failed').send('rate.exceeded');
    expect([endpoint.state, endpoint.effects]).toEqual(['ejected', []]);
    expect(endpoint.send('slot.granted').effects).toEqual(['startProbe']);
    expect([endpoint.state, endpoint.scenario.payload('startProbe')]).toEqual(['probing', { epoch: 2 }]);
  });

  it('does not take a slot that was meant for an ejection before', () => {
    const endpoint = new Endpoint().fail(5).send('slot.granted', 0, { epoch: 0 });
    expect([endpoint.state, endpoint.ledger['staleEvents']]).toEqual(['ejected', 1]);
  });

  it('serves after `rise` probes in a row, an interval apart, each with an epoch of its own', () => {
    const endpoint = Endpoint.probing({ rise: 3 }).send('probe.succeeded');
    expect([endpoint.state, endpoint.scenario.delayMs('probeInterval')]).toEqual(['rising', 1_000]);
    endpoint.expire('probeInterval').send('probe.succeeded').expire('probeInterval');
    expect([endpoint.state, endpoint.epoch]).toEqual(['probing', 4]);
    endpoint.send('probe.succeeded', 5_000);
    expect([endpoint.state, endpoint.effects, endpoint.epoch]).toEqual(['healthy', ['announceRecovered'], 5]);
  });

  it('begins again when a probe fails, and is out for longer', () => {
    const endpoint = Endpoint.probing({ rise: 2 }).send('probe.succeeded').expire('probeInterval');
    endpoint.send('probe.failed');
    expect([endpoint.state, endpoint.effects]).toEqual(['ejected', ['announceEjected']]);
    expect([endpoint.ledger['ejections'], endpoint.ledger['totalEjections']]).toEqual([2, 1]);
    expect(endpoint.waitMs).toBeGreaterThanOrEqual(60_000);
    expect(endpoint.send('slot.granted').send('probe.succeeded').state).toBe('rising');
  });

  it('has failed a probe that does not end in time, and does not hear of it later', () => {
    const endpoint = Endpoint.probing();
    expect(endpoint.scenario.delayMs('probeTimeout')).toBe(10_000);
    const { epoch } = endpoint;
    endpoint.expire('probeTimeout');
    expect([endpoint.state, endpoint.effects]).toEqual(['ejected', ['abortProbe', 'announceEjected']]);
    endpoint.send('slot.granted').send('probe.succeeded', 0, { epoch });
    expect([endpoint.state, endpoint.scenario.control['successes']]).toEqual(['probing', 0]);
  });

  it('is never out for longer than the maximum', () => {
    const endpoint = new Endpoint({ ejections: 1_000 }).fail(5);
    expect(endpoint.waitMs).toBe(300_000);
  });

  it('is forgiven one ejection for each maximum in service', () => {
    const endpoint = new Endpoint({ ejections: 5 }).fail(5, 900_000);
    expect(endpoint.ledger['ejections']).toBe(3);
  });

  it.each([
    ['ejected', ['announceReleased']],
    ['probing', ['abortProbe', 'announceReleased']],
    ['rising', ['announceReleased']],
  ])('is put back into service by an operator (%s)', (state, effects) => {
    const endpoint = state === 'ejected' ? new Endpoint().fail(5) : Endpoint.probing();
    if (state === 'rising') endpoint.send('probe.succeeded');
    expect(endpoint.state).toBe(state);
    expect([endpoint.send('release.requested').state, endpoint.effects]).toEqual(['healthy', effects]);
  });

  it('before its pool started is out still, with the epoch that the queue knows, and announces nothing', () => {
    const endpoint = new Endpoint({ epoch: 7, ejections: 2 }, 'restored');
    expect([endpoint.state, endpoint.epoch, endpoint.effects]).toEqual(['ejected', 7, []]);
    expect(endpoint.send('slot.granted').state).toBe('probing');
  });
});

describe('a verdict of an older epoch', () => {
  it.each(['succeeded', 'failed'])('(%s) changes nothing but counters', (how) => {
    const endpoint = Endpoint.probing({ rise: 1 }).send('probe.succeeded');
    const before = [endpoint.state, endpoint.scenario.control];
    for (let i = 0; i < 10; i++) endpoint.send(`attempt.${how}`, 0, { epoch: 0 });
    expect([endpoint.state, endpoint.scenario.control]).toEqual(before);
    expect(endpoint.ledger).toMatchObject({
      ...{ totalRequests: 15, failedRequests: how === 'failed' ? 15 : 5 },
      ...{ consecutiveFailures: 0, staleEvents: 10, latencyEwmaMs: -1 },
    });
  });
});

describe('removal', () => {
  it.each(['healthy', 'ejected', 'probing', 'rising'])('ends it wherever it is (%s)', (state) => {
    const endpoint = state === 'healthy' ? new Endpoint() : new Endpoint().fail(5);
    if (state === 'probing' || state === 'rising') endpoint.send('slot.granted');
    if (state === 'rising') endpoint.send('probe.succeeded');
    expect(endpoint.state).toBe(state);
    endpoint.send('removal.requested');
    expect(endpoint.scenario.done).toBe(true);
    expect(endpoint.effects).toEqual(
      state === 'probing' ? ['abortProbe', 'announceRemoved'] : ['announceRemoved'],
    );
  });
});
