// The node's link to its hub, as the design describes it: one sentence, one test. Waiting: backoff.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionInput } from '../../machines/index.ts';
import { Link } from './link.ts';

describe('establishing', () => {
  it('dials, registers on the open socket, and is connected when the hub accepts', () => {
    const link = new Link().send('connect.requested');
    expect([link.state, link.node.effectNames]).toEqual(['establishing.connecting', ['openSocket']]);
    link.send('socket.opened');
    expect([link.state, link.node.effectNames]).toEqual(['establishing.registering', ['sendRegister']]);
    expect(link.node.payload('sendRegister')).toEqual({ epoch: 1, registrationEpoch: 1 });
    expect(link.send('registration.accepted').state).toContain('connected(');
  });

  it('has one deadline over dial, handshake and registration: an opened socket does not extend it', () => {
    const link = new Link({ connectionTimeoutMs: 10_000 }).send('connect.requested');
    expect(link.node.delayMs('connectionTimeout')).toBe(10_000);
    const running = [...link.node.delays.keys()];
    link.send('socket.opened');
    expect([...link.node.delays.keys()]).toEqual(running);
    link.node.expire('connectionTimeout');
    expect(link.state).toBe('transient_failure');
    expect(link.node.effectNames).toEqual(['terminateSocket', 'settleInFlight']);
    expect(link.node.ledger['reason']).toBe('no registration within 10 s of the dial');
  });

  it('gives up a peer that accepts TCP and never speaks', () => {
    const link = new Link().send('connect.requested');
    link.node.expire('connectionTimeout');
    expect(link.state).toBe('transient_failure');
    expect(link.send('socket.released').state).toBe('backoff');
  });

  it('has no deadline once it is connected', () => {
    expect(new Link().connect().node.delayMs('connectionTimeout')).toBe(-1);
  });

  it('ignores the socket of an older dial', () => {
    const link = new Link().connect().lose();
    link.node.expire('backoffDelay');
    expect(link.epoch).toBe(2);
    link.send('socket.opened', { epoch: 1 });
    expect([link.state, link.node.effectNames]).toEqual(['establishing.reconnecting', []]);
    link.send('socket.closed', { epoch: 1, reason: 'late' });
    expect(link.state).toBe('establishing.reconnecting');
    expect(link.node.ledger['staleEvents']).toBe(2);
  });

  it('ignores the answer to an older registration on the same socket', () => {
    const link = new Link().connect().send('node.unknown');
    expect([link.state, link.epoch, link.registrationEpoch]).toEqual(['establishing.registering', 1, 2]);
    expect(link.send('registration.accepted', { registrationEpoch: 1 }).state).toBe(
      'establishing.registering',
    );
    expect(link.send('registration.accepted').state).toContain('connected(');
  });

  it('takes a terminal refusal as final', () => {
    const link = new Link().send('connect.requested').send('socket.opened');
    link.send('registration.forbidden', { reason: 'wrong token' });
    expect([link.state, link.node.done]).toEqual(['rejected', true]);
    expect(link.node.effectNames).toEqual(['terminateSocket', 'settleInFlight', 'announceRejected']);
    expect(link.node.payload('announceRejected')).toEqual({ reason: 'wrong token' });
  });

  it('takes a refusal that is not terminal as a failure, with the hub’s own wait', () => {
    const link = new Link().send('connect.requested').send('socket.opened');
    link.send('registration.refused', { retryAfterMs: 7_000, reason: 'hub is full' });
    expect(link.state).toBe('transient_failure');
    expect(link.node.ledger).toMatchObject({ retryAfterMs: 7_000, reason: 'hub is full' });
  });

  it('ends for good when another instance of the node took over', () => {
    const link = new Link().connect().send('node.replaced', { reason: 'taken over' });
    expect([link.state, link.node.done]).toEqual(['rejected', true]);
  });
});

describe('connected', () => {
  it('proves life by inbound traffic only: its own pings never push the deadline away', () => {
    const link = new Link().connect();
    expect(link.node.delayMs('silenceCheck')).toBe(5_000);
    link.node.expire('silenceCheck');
    expect(link.node.effectNames).toEqual(['measureSilence']);
    link.send('link.silent', { silentMs: 5_000 });
    expect(link.node.effectNames).toEqual(['sendPing']);
    expect(link.node.delayMs('probeCheck')).toBe(5_000);
    link.node.expire('probeCheck');
    link.send('link.silent', { silentMs: 12_000 });
    // 15 s after the last inbound frame, not after the ping.
    expect(link.node.delayMs('probeCheck')).toBe(3_000);
    link.node.expire('probeCheck');
    link.send('heartbeat.overdue', { silentMs: 15_000 });
    expect(link.state).toBe('transient_failure');
    expect(link.node.ledger['reason']).toContain('heartbeat timeout: 15 s');
  });

  it('looks again when the link will have been silent for one interval', () => {
    const link = new Link().connect();
    link.node.expire('silenceCheck');
    link.send('link.active', { silentMs: 1_200 });
    expect(link.state).toContain('liveness.listening');
    expect(link.node.delayMs('silenceCheck')).toBe(3_800);
  });

  it('never lets a silent link live past the timeout, whatever the intervals are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 60_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        (interval, more) => {
          const link = new Link({
            heartbeatIntervalMs: interval,
            heartbeatTimeoutMs: interval + more,
          }).connect();
          let waited = link.node.delayMs('silenceCheck');
          link.node.expire('silenceCheck');
          for (let probes = 0; waited < interval + more && probes < 20; probes++) {
            link.send('link.silent', { silentMs: waited });
            expect(link.node.delayMs('probeCheck')).toBeLessThanOrEqual(interval);
            waited += link.node.delayMs('probeCheck');
            link.node.expire('probeCheck');
          }
          expect(waited).toBeLessThanOrEqual(interval + more);
          link.send('heartbeat.overdue', { silentMs: interval + more });
          expect(link.state).toBe('transient_failure');
        },
      ),
    );
  });

  it('pings once an interval when nothing but answers to its pings arrives', () => {
    const link = new Link({ heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 15_000 }).connect();
    link.node.expire('silenceCheck');
    link.send('link.silent', { silentMs: 5_000 });
    link.node.expire('probeCheck');
    // Answered 4 999 ms ago.
    link.send('link.active', { silentMs: 4_999 });
    expect(link.node.delayMs('silenceCheck')).toBe(1);
  });

  it('terminates the socket, never closes it gracefully, when the link fails', () => {
    const link = new Link().connect().send('socket.closed', { reason: 'link lost' });
    expect(link.state).toBe('transient_failure');
    expect(link.node.effectNames).toEqual(['terminateSocket', 'settleInFlight']);
  });

  it('stays in transient_failure until the socket is released', () => {
    const link = new Link().connect().send('socket.closed', { reason: 'link lost' });
    expect([...link.node.delays.keys()]).toEqual([]);
    expect(link.send('wake.hinted').send('connect.requested').state).toBe('transient_failure');
    expect(link.send('socket.released', { epoch: link.epoch - 1 }).state).toBe('transient_failure');
    expect(link.send('socket.released').state).toBe('backoff');
  });

  it('asks after the session, the functions and the hub’s lag at the health check interval', () => {
    const link = new Link({ healthCheckIntervalMs: 30_000 }).connect();
    expect(link.node.delayMs('healthCheckInterval')).toBe(30_000);
    link.node.expire('healthCheckInterval');
    expect(link.node.effectNames).toEqual(['sendHealthCheck']);
    link.send('health.confirmed', { hubLagMs: 3 });
    expect(link.state).toContain('health.waiting');
    expect(link.node.ledger['hubLagMs']).toBe(3);
  });

  it('fails when a health check is not answered, however much else arrives', () => {
    const link = new Link().connect();
    link.node.expire('healthCheckInterval');
    link.node.expire('silenceCheck');
    link.send('link.active', { silentMs: 10 });
    link.node.expire('healthCheckTimeout');
    expect(link.state).toBe('transient_failure');
    expect(link.node.ledger['reason']).toContain('no health answer');
  });

  it('registers again on the same socket when the hub knows other functions than the node has', () => {
    const link = new Link().connect();
    link.node.expire('healthCheckInterval');
    link.send('health.mismatched');
    expect([link.state, link.node.effectNames]).toEqual(['establishing.registering', ['sendRegister']]);
    expect([link.epoch, link.registrationEpoch]).toEqual([1, 2]);
  });

  it('registers again on the same socket, at once, when the hub forgot it', () => {
    const link = new Link().connect().send('node.unknown');
    expect([link.state, link.node.effectNames]).toEqual(['establishing.registering', ['sendRegister']]);
    expect(link.node.payload('sendRegister')).toEqual({ epoch: 1, registrationEpoch: 2 });
    expect(link.node.delayMs('connectionTimeout')).toBe(connectionInput.connectionTimeoutMs);
  });

  it('acknowledges every sync of its registration, and none of an older one', () => {
    const link = new Link().connect().send('sync.received');
    expect(link.node.effectNames).toEqual(['acknowledgeSync']);
    expect(link.send('sync.received', { registrationEpoch: 0 }).node.effectNames).toEqual([]);
  });

  it('does not trust the link after a wake-up before it measured it', () => {
    const link = new Link().connect().send('wake.hinted');
    expect([link.state, link.node.effectNames]).toEqual([
      expect.stringContaining('liveness.measuring'),
      ['measureSilence'],
    ]);
  });
});

describe('stopping', () => {
  it('drains what is in flight before it shuts down', () => {
    const link = new Link().connect().send('stop.requested');
    expect([link.state, link.node.effectNames]).toEqual(['draining.linked.announced', ['announceDrain']]);
    expect(link.send('stop.requested').state).toBe('draining.linked.announced');
    link.send('drain.finished');
    expect([link.state, link.node.done, link.node.effectNames]).toEqual(['shutdown', true, ['closeSocket']]);
  });

  it('settles what is left when draining takes too long', () => {
    const link = new Link({ drainTimeoutMs: 30_000 }).connect().send('stop.requested');
    expect(link.node.delayMs('drainTimeout')).toBe(30_000);
    link.node.expire('drainTimeout');
    expect([link.state, link.node.effectNames]).toEqual(['shutdown', ['settleInFlight', 'closeSocket']]);
  });

  it('pings while it drains, so that the hub does not give up a node that still runs something', () => {
    const link = new Link({ heartbeatIntervalMs: 5_000 }).connect().send('stop.requested');
    for (let i = 0; i < 3; i++) {
      expect(link.node.delayMs('heartbeatInterval')).toBe(5_000);
      link.node.expire('heartbeatInterval');
      expect([link.state, link.node.effectNames]).toEqual([
        'draining.linked.pinging',
        ['sendPing', 'measureSilence'],
      ]);
      link.send('link.silent', { silentMs: 5_000 });
    }
    link.node.expire('drainTimeout');
    expect(link.state).toBe('shutdown');
  });

  it('registers once more while it drains when the hub forgot it, so that results find their way home', () => {
    const link = new Link().connect().send('stop.requested').send('node.unknown');
    expect([link.state, link.node.effectNames]).toEqual([
      'draining.establishing.registering',
      ['sendRegister'],
    ]);
    link.send('registration.accepted');
    expect([link.state, link.node.effectNames]).toEqual(['draining.linked.announced', ['announceDrain']]);
  });

  it('goes on draining over a link that broke: it dials, registers and says goodbye anew', () => {
    const link = new Link().connect().send('stop.requested').send('socket.closed', { reason: 'cut' });
    expect([link.state, link.node.effectNames]).toEqual([
      'draining.broken',
      ['terminateSocket', 'settleInFlight'],
    ]);
    link.send('socket.released');
    expect([link.state, link.node.effectNames]).toEqual(['draining.waiting', ['announceBackoff']]);
    link.node.expire('backoffDelay');
    expect([link.state, link.node.effectNames]).toEqual([
      'draining.establishing.reconnecting',
      ['openSocket'],
    ]);
    link.send('socket.opened');
    expect(link.node.effectNames).toEqual(['sendRegister']);
    link.send('registration.accepted');
    expect([link.state, link.node.effectNames]).toEqual(['draining.linked.announced', ['announceDrain']]);
    expect(link.send('drain.finished').state).toBe('shutdown');
  });

  it('has one time for all links, and ends in whichever of them it is up', () => {
    const link = new Link({ drainTimeoutMs: 30_000 }).connect().send('stop.requested');
    link.send('socket.closed', { reason: 'cut' }).send('socket.released');
    expect(link.node.delayMs('drainTimeout')).toBe(30_000);
    link.node.expire('drainTimeout');
    expect([link.state, link.node.effectNames]).toEqual(['shutdown', ['settleInFlight', 'closeSocket']]);
  });

  it('ends at once when nothing is in flight any more, though the link is broken', () => {
    const link = new Link().connect().send('stop.requested').send('socket.closed', { reason: 'cut' });
    expect(link.send('socket.released').send('drain.finished').node.done).toBe(true);
  });

  it('gives a link up that is silent for too long while it drains', () => {
    const link = new Link().connect().send('stop.requested');
    link.node.expire('heartbeatInterval');
    link.send('heartbeat.overdue', { silentMs: 15_000 });
    expect([link.state, link.node.effectNames]).toEqual([
      'draining.broken',
      ['terminateSocket', 'settleInFlight'],
    ]);
  });

  it.each([
    ['attempts are spent', 'socket.closed', 'socket.released'],
    ['another instance took over', 'node.replaced'],
    ['the hub refuses it for good', 'socket.closed', 'socket.released', 'registration.forbidden'],
  ])('ends while it drains when %s', (why, ...events) => {
    const link = new Link({ maxRetryAttempts: why === 'attempts are spent' ? 1 : 5 }).connect();
    if (why === 'attempts are spent') {
      link.lose().node.expire('backoffDelay');
      link.send('socket.opened').send('registration.accepted');
    }
    link.send('stop.requested');
    for (const event of events) {
      if (event === 'registration.forbidden') {
        link.node.expire('backoffDelay');
        link.send('socket.opened');
      }
      link.send(event, { reason: 'x' });
    }
    expect([link.state, link.node.done]).toEqual(['shutdown', true]);
  });

  it.each(['idle', 'establishing.connecting', 'transient_failure', 'backoff', 'failed'])(
    'shuts down at once in %s',
    (state) => {
      const link = new Link({ maxRetryAttempts: 1 });
      const leads: Record<string, () => unknown> = {
        idle: () => undefined,
        'establishing.connecting': () => link.send('connect.requested'),
        transient_failure: () => link.connect().send('socket.closed', { reason: 'x' }),
        backoff: () => link.connect().lose(),
        failed: () => {
          link.connect().lose().node.expire('backoffDelay');
          link.lose();
        },
      };
      leads[state]?.();
      expect(link.state).toBe(state);
      expect(link.send('stop.requested').node.done).toBe(true);
      expect(link.node.effectNames).toContain('closeSocket');
    },
  );
});
