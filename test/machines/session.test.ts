// The hub's view of one instance of a node, as the design describes it: one sentence, one test.
import { describe, expect, it } from 'vitest';
import { sessionEffects, type SessionInput, sessionInput, sessionMachine } from '../../machines/index.ts';
import { Scenario } from './scenario.ts';

/** The session under test, with the events of its present socket and registration at hand. */
class Member {
  readonly hub: Scenario;
  at = 0;

  constructor(input: Partial<SessionInput> = {}) {
    this.hub = new Scenario(
      { machine: sessionMachine, effects: sessionEffects as never },
      { ...sessionInput, ...input },
    );
  }
  get state(): string {
    return this.hub.state;
  }
  get effects(): string[] {
    return this.hub.effectNames;
  }
  send(type: string, fields: object = {}): this {
    this.at += 1;
    this.hub.send({ type, ...this.hub.control, at: this.at, ...fields });
    expect(this.hub.unexpected, `${type} in ${this.state}`).toBe(false);
    return this;
  }
  register(epoch = 1, registrationEpoch = epoch): this {
    return this.send('registration.received', { epoch, registrationEpoch });
  }
  join(epoch = 1): this {
    return this.register(epoch).send('sync.prepared').send('sync.acknowledged');
  }
  /** What the shell measured when it was asked. */
  silent(type: 'link.active' | 'link.silent' | 'heartbeat.overdue', silentMs: number): this {
    return this.send(type, { silentMs });
  }
}

const lost = { how: 'loss', reason: 'link lost' };

describe('joining', () => {
  it('attaches the socket, answers, and asks for the sync of this registration', () => {
    const member = new Member().register();
    expect([member.state, member.effects]).toEqual([
      'joining',
      ['attachSocket', 'sendRegistered', 'prepareSync'],
    ]);
    expect(member.hub.payload('prepareSync')).toEqual({ epoch: 1, registrationEpoch: 1 });
  });

  it('is online only after the node acknowledged its sync', () => {
    const member = new Member().register();
    expect(member.send('sync.acknowledged').state).toBe('joining');
    member.send('sync.prepared');
    expect([member.state, member.effects]).toEqual(['syncing', ['sendSync']]);
    member.send('sync.acknowledged');
    expect([member.state, member.effects]).toEqual(['online.listening', ['announceOnline']]);
  });

  it('does not take the acknowledgement of an older registration', () => {
    const member = new Member().register(1, 1).send('sync.prepared').register(1, 2).send('sync.prepared');
    expect(member.send('sync.acknowledged', { registrationEpoch: 1 }).state).toBe('syncing');
    expect(member.send('sync.acknowledged').state).toBe('online.listening');
  });

  it.each(['joining', 'syncing'])('gives up a node that is still %s after syncTimeoutMs', (state) => {
    const member = new Member({ syncTimeoutMs: 10_000 }).register();
    if (state === 'syncing') member.send('sync.prepared');
    expect([member.state, member.hub.delayMs('syncTimeout')]).toEqual([state, 10_000]);
    member.hub.expire('syncTimeout');
    expect([member.state, member.effects]).toEqual(['absent', ['terminateSocket', 'announceAbsent']]);
  });
});

describe('registration', () => {
  it('is idempotent: the same one again is answered again and changes nothing', () => {
    const member = new Member().join();
    const before = member.hub.context;
    for (let again = 0; again < 10; again++) {
      member.register(1);
      expect([member.state, member.effects]).toEqual(['online.listening', ['sendRegistered']]);
    }
    expect(member.hub.context).toEqual(before);
  });

  it('of a newer epoch replaces the socket in the same step, and must be synced anew', () => {
    const member = new Member().join(1).register(2);
    expect([member.state, member.effects]).toEqual([
      'joining',
      ['attachSocket', 'sendRegistered', 'prepareSync'],
    ]);
    expect(member.hub.payload('attachSocket')).toEqual({ epoch: 2 });
  });

  it('once more on the same socket is a new registration of the same session', () => {
    const member = new Member().join(1).register(1, 2);
    expect([member.state, member.hub.control]).toEqual(['joining', { epoch: 1, registrationEpoch: 2 }]);
  });

  it('of an older epoch loses: its socket is dismissed, the session stays as it is', () => {
    const member = new Member().join(2).register(1);
    expect([member.state, member.effects]).toEqual(['online.listening', ['dismissSocket']]);
    expect(member.hub.payload('dismissSocket')).toEqual({ epoch: 1 });
    expect(member.hub.control).toEqual({ epoch: 2, registrationEpoch: 2 });
  });

  it('of an older number on the same socket is counted as stale and not answered', () => {
    const member = new Member().register(1, 3).register(1, 2);
    expect([member.effects, member.hub.ledger['staleEvents']]).toEqual([[], 1]);
  });

  it('keeps the history of the node', () => {
    const member = new Member({ totalTasksExecuted: 41, firstSeenAt: 7 }).join(1).register(2).register(3);
    expect(member.hub.ledger).toMatchObject({ totalTasksExecuted: 41, firstSeenAt: 7, registrations: 3 });
  });

  it.each(['suspect.listening', 'absent', 'draining.departing.present.listening'])(
    'brings a node back that was %s',
    (state) => {
      const member = new Member().join();
      if (state === 'suspect.listening') {
        member.hub.expire('suspicion');
        member.silent('link.silent', 10_000);
      }
      if (state === 'absent') member.send('socket.closed', lost);
      if (state.startsWith('draining')) member.send('departure.announced');
      expect(member.state).toBe(state);
      expect(member.register(2).state).toBe('joining');
    },
  );
});

describe('liveness', () => {
  it('suspects a node that was silent for two heartbeat intervals', () => {
    const member = new Member({ heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 15_000 }).join();
    expect(member.hub.delayMs('suspicion')).toBe(10_000);
    member.hub.expire('suspicion');
    expect(member.effects).toEqual(['measureSilence']);
    member.silent('link.silent', 10_000);
    expect([member.state, member.effects]).toEqual(['suspect.listening', ['announceSuspect']]);
    expect(member.hub.payload('announceSuspect')).toEqual({ epoch: 1, silentMs: 10_000 });
  });

  it('suspects nobody before the heartbeat timeout would be up, however long the intervals', () => {
    const member = new Member({ heartbeatIntervalMs: 10_000, heartbeatTimeoutMs: 15_000 }).join();
    expect(member.hub.delayMs('suspicion')).toBe(15_000);
  });

  it('trusts a suspect again as soon as it speaks', () => {
    const member = new Member().join();
    member.hub.expire('suspicion');
    member.silent('link.silent', 10_000).silent('link.active', 3);
    expect([member.state, member.effects]).toEqual(['online.listening', ['announceOnline']]);
  });

  it('gives a silent link up when heartbeatTimeoutMs have passed since its last frame', () => {
    const member = new Member().join();
    member.hub.expire('suspicion');
    member.silent('link.silent', 10_000);
    expect(member.hub.delayMs('heartbeatDeadline')).toBe(5_000);
    member.hub.expire('heartbeatDeadline');
    member.silent('heartbeat.overdue', 15_000);
    expect([member.state, member.effects]).toEqual(['absent', ['terminateSocket', 'announceAbsent']]);
    expect(member.hub.payload('announceAbsent')).toEqual({ epoch: 1, reason: 'silent for 15000 ms' });
  });

  it('takes no measurement of an older socket', () => {
    const member = new Member().join(2);
    member.hub.expire('suspicion');
    member.send('heartbeat.overdue', { epoch: 1, silentMs: 99_000 });
    expect(member.state).toBe('online.measuring');
  });
});

describe('absence', () => {
  it('keeps the session for sessionGraceMs, then lets it expire', () => {
    const member = new Member({ sessionGraceMs: 60_000 }).join().send('socket.closed', lost);
    expect([member.state, member.effects]).toEqual(['absent', ['announceAbsent']]);
    expect(member.hub.delayMs('sessionGrace')).toBe(60_000);
    member.hub.expire('sessionGrace');
    expect([member.state, member.hub.done, member.effects]).toEqual(['expired', true, ['announceExpired']]);
  });

  it('is not caused by the end of a socket that was replaced before', () => {
    const member = new Member()
      .join(1)
      .register(2)
      .send('socket.closed', { ...lost, epoch: 1 });
    expect([member.state, member.hub.ledger['staleEvents']]).toEqual(['joining', 1]);
  });

  it('ends when the node registers again, and the grace timer with it', () => {
    const member = new Member().join().send('socket.closed', lost).register(2);
    expect([member.state, member.hub.delayMs('sessionGrace')]).toEqual(['joining', -1]);
  });
});

describe('the end', () => {
  it('of an instance that another one replaced is told to it, and is final', () => {
    const member = new Member().join().send('session.replaced');
    expect([member.state, member.hub.done]).toEqual(['superseded', true]);
    expect(member.effects).toEqual(['sendReplaced', 'announceExpired']);
  });
});

/** A session that drains, and which of both kinds. */
const draining = (why: 'ordered' | 'departing'): Member =>
  new Member({ sessionGraceMs: 60_000 })
    .join()
    .send(why === 'ordered' ? 'drain.requested' : 'departure.announced');

describe('draining', () => {
  it('by order is told to the node, which gets no new work', () => {
    const member = draining('ordered');
    expect([member.state, member.effects]).toEqual([
      'draining.ordered.present.listening',
      ['sendDrain', 'announceDraining'],
    ]);
  });

  it('of a node that said goodbye ends with its farewell, without a grace period', () => {
    const member = draining('departing');
    expect([member.state, member.effects]).toEqual([
      'draining.departing.present.listening',
      ['announceDraining'],
    ]);
    member.send('socket.closed', { how: 'farewell', reason: 'stopped' });
    expect([member.state, member.effects]).toEqual(['expired', ['announceExpired']]);
  });

  it.each(['ordered', 'departing'] as const)('outlasts a lost link for sessionGraceMs: %s', (why) => {
    const member = draining(why).send('socket.closed', lost);
    expect([member.state, member.effects]).toEqual([`draining.${why}.absent`, ['announceAbsent']]);
    expect(member.hub.delayMs('sessionGrace')).toBe(60_000);
    member.hub.expire('sessionGrace');
    expect([member.state, member.effects]).toEqual(['expired', ['announceExpired']]);
  });

  it.each(['ordered', 'departing'] as const)(
    'of a node that falls silent ends its socket alone: %s',
    (why) => {
      const member = draining(why);
      member.hub.expire('heartbeatDeadline');
      expect(member.effects).toEqual(['measureSilence']);
      member.silent('heartbeat.overdue', 15_000);
      expect([member.state, member.effects]).toEqual([
        `draining.${why}.absent`,
        ['terminateSocket', 'announceAbsent'],
      ]);
    },
  );

  it('by order goes on when the node comes back: it is told again, and not synced', () => {
    const member = draining('ordered').send('socket.closed', lost).register(2);
    expect([member.state, member.effects]).toEqual([
      'draining.ordered.present.listening',
      ['attachSocket', 'sendRegistered', 'sendDrain', 'announceDraining'],
    ]);
    expect(member.hub.delayMs('sessionGrace')).toBe(-1);
    expect(member.register(1).effects).toEqual(['dismissSocket']);
  });

  it('by order survives a farewell that nobody announced, and an end of the link that was asked for', () => {
    const farewell = draining('ordered').send('socket.closed', { how: 'farewell', reason: 'stopped' });
    expect(farewell.state).toBe('draining.ordered.absent');
    const ended = draining('ordered').send('disconnect.requested');
    expect([ended.state, ended.effects]).toEqual([
      'draining.ordered.absent',
      ['terminateSocket', 'announceAbsent'],
    ]);
  });

  it('of a node that is away waits for it', () => {
    const member = new Member().join().send('socket.closed', lost).send('drain.requested');
    expect(member.state).toBe('draining.ordered.absent');
    expect(member.register(2).state).toBe('draining.ordered.present.listening');
  });

  it('ends when the node is let in again: it is synced anew, and works when it has acknowledged that', () => {
    const member = draining('ordered').send('undrain.requested');
    expect([member.state, member.effects]).toEqual(['joining', ['prepareSync']]);
    member.send('sync.prepared').send('sync.acknowledged');
    expect([member.state, member.effects]).toEqual(['online.listening', ['announceOnline']]);
  });

  it('of a node that is away may end before it is back', () => {
    const member = draining('ordered').send('socket.closed', lost).send('undrain.requested');
    expect(member.state).toBe('absent');
    expect(member.register(2).state).toBe('joining');
  });

  it('of a node that says goodbye does not end by order of the hub', () => {
    const member = draining('ordered').send('departure.announced').send('undrain.requested');
    expect(member.state).toBe('draining.departing.present.listening');
    expect(member.send('drain.requested').state).toBe('draining.departing.present.listening');
  });

  it('is not ended by the farewell of a socket that was replaced before', () => {
    const member = draining('departing').register(2).send('departure.announced');
    expect(member.send('socket.closed', { how: 'farewell', reason: 'stopped', epoch: 1 }).state).toBe(
      'draining.departing.present.listening',
    );
  });
});
