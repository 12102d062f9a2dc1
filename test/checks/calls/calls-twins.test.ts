// A twin is the production config with one patch, or a shell with one method replaced. Each must fail, and the shortest
// way to the failure is known. Most of the shells' twins are what the shells were before this system was explored.
import { describe, expect, it } from 'vitest';
import { callMachine } from '../../../machines/call.ts';
import { executionMachine } from '../../../machines/execution.ts';
import type { CheckResult } from '../../../src/checker/index.ts';
import { twin } from '../twin.ts';
import { Asking } from './client-side.ts';
import type { Place, Routed } from './hub-records.ts';
import { Routing } from './hub-side.ts';
import { Running } from './node-side.ts';
import { endsInTheEnd, explore } from './properties.ts';

const failure = ({ violation }: CheckResult) => [
  violation?.kind,
  violation?.property,
  violation?.steps.length,
];

const TWICE = 'a call that is not idempotent is executed at most once';
const UNTRUE = 'what is called not started never began, and never begins';
const STUCK = ['deadlock', 'something is owed, and nothing can happen'];

describe('a broken twin of a machine', () => {
  it('that tries again what may have been executed runs twice', () => {
    const call = callMachine.provide({
      guards: { mayRepeat: ({ context: { control } }) => control.epoch < control.attemptLimit },
    });
    expect(failure(explore({ call, budgets: { nodeCrash: 1 } }))).toEqual(['always', TWICE, 24]);
  });

  it('that settles twice ends twice', () => {
    const call = twin(callMachine, ({ states }) => {
      states['succeeded']!.entry = ['settle', 'settle'];
    });
    expect(failure(explore({ call }))).toEqual(['always', 'a call ends once', 15]);
  });

  it('that does not move what was not started hangs', () => {
    const call = twin(callMachine, ({ states }) => {
      states['sent']!.on['attempt.unstarted'] = {};
    });
    expect(failure(explore({ call, budgets: { cut: 1 } }))).toEqual([...STUCK, 17]);
  });

  it('that keeps what was acknowledged keeps it for ever', () => {
    const execution = twin(executionMachine, ({ states }) => {
      states['succeeded']!.on['result.acknowledged'] = {};
    });
    expect(failure(explore({ execution, budgets: { expire: 1 } }))).toEqual([
      'alwaysPossible',
      'nothing is kept of a call for ever',
      0,
    ]);
  });

  it('that succeeds when it starts tells of a success that was none', () => {
    const execution = twin(executionMachine, ({ states }) => {
      states['queued']!.on['slot.granted'] = 'succeeded';
    });
    class Trusting extends Running {
      override conclude(attempt: number): void {
        const found = this.find(attempt);
        if (found !== undefined) found.ending = 'succeeded';
        super.conclude(attempt);
      }
    }
    expect(failure(explore({ execution, node: Trusting }))).toEqual([
      'always',
      'a call that succeeded was executed to its end',
      14,
    ]);
  });
});

describe('a broken twin of the hub’s shell', () => {
  it('that is young and calls an attempt unstarted without asking the nodes has it run twice', () => {
    class Rash extends Routing {
      override seek(call: Routed): void {
        this.tellFate(call.attempt, 'unstarted');
        this.leave(call);
      }
    }
    expect(failure(explore({ hub: Rash, budgets: { hubCrash: 1 } }))).toEqual(['always', TWICE, 27]);
  });

  it('that asks the nodes and does not wait for their answers has it run twice', () => {
    class Impatient extends Routing {
      override isOwed(): boolean {
        return false;
      }
    }
    expect(failure(explore({ hub: Impatient, budgets: { hubCrash: 1 } }))).toEqual(['always', TWICE, 30]);
  });

  it('that asks about a call before it sends it has it run twice', () => {
    class Hasty extends Routing {
      override isOut(): boolean {
        return true;
      }
    }
    expect(failure(explore({ hub: Hasty, budgets: { cut: 1 } }))).toEqual(['always', TWICE, 31]);
  });

  it('that does not pass on what waited while its client was away lets it hang', () => {
    class Mute extends Routing {
      override sendCall(call: Routed): void {
        const { passing } = call;
        super.sendCall(call);
        call.passing = passing;
      }
    }
    expect(failure(explore({ hub: Mute, budgets: { cut: 1 } }))).toEqual([...STUCK, 24]);
    const { violation } = explore({ hub: Mute, budgets: { cut: 1 } }, endsInTheEnd());
    expect([violation?.kind, violation?.property]).toEqual(['eventually', 'a call ends']);
  });

  it('that takes every outcome for heard lets a call hang whose outcome was lost twice', () => {
    class Deaf extends Routing {
      override nodeFrame(...[node, frame]: Parameters<Routing['nodeFrame']>): void {
        super.nodeFrame(node, frame);
        for (const call of this.hub.calls) if (call.outcome === 'unpassed') call.outcome = 'passed';
      }
      override clientDetached(): void {
        super.clientDetached();
        for (const call of this.hub.calls) if (call.outcome === 'unpassed') call.outcome = 'passed';
      }
    }
    expect(failure(explore({ hub: Deaf, budgets: { cut: 2 } }))).toEqual([...STUCK, 29]);
  });

  it('that forgets what vanished calls it unstarted when it is asked', () => {
    class Forgetful extends Routing {
      override rememberVanished(): void {}
    }
    const options = { hub: Forgetful, budgets: { nodeCrash: 1, cut: 1 } };
    expect(failure(explore(options))).toEqual(['always', TWICE, 29]);
  });

  it('that does not tell a node what nobody waits for keeps it', () => {
    class Silent extends Routing {
      override acknowledge(_node: Place): void {}
    }
    const options = { hub: Silent, budgets: { cancel: 1, cut: 1, expire: 1 } };
    expect(failure(explore(options))).toEqual(['alwaysPossible', 'nothing is kept of a call for ever', 18]);
  });
});

describe('a broken twin of the others’ shells', () => {
  it('whose node forgets an outcome before it was acknowledged has it run twice', () => {
    class Tidy extends Running {
      override conclude(attempt: number): void {
        super.conclude(attempt);
        this.tellOf(attempt, 'result.evicted');
      }
    }
    expect(failure(explore({ node: Tidy, budgets: { cut: 1 } }))).toEqual(['always', TWICE, 30]);
  });

  it('whose node forgets a client altogether calls unstarted what it ran', () => {
    class Amnesiac extends Running {
      override giveUp(attempt: number): void {
        this.tellOf(attempt, 'result.evicted');
      }
    }
    expect(failure(explore({ node: Amnesiac, budgets: { hubCrash: 1, evict: 1 } }))).toEqual([
      'always',
      TWICE,
      33,
    ]);
  });

  it('whose client speaks only of the last attempt denies the one before', () => {
    class Oblivious extends Asking {
      override lostSays(did: 'notStarted' | 'unknown'): 'notStarted' | 'unknown' {
        return did;
      }
    }
    const options = { idempotent: 1, client: Oblivious, budgets: { nodeCrash: 1, cut: 1 } } as const;
    expect(failure(explore(options))).toEqual(['always', UNTRUE, 26]);
  });

  it('whose client does not acknowledge what it hears of too late keeps it at the hub', () => {
    class Impolite extends Asking {
      override acknowledge(node: string, attempt: number): void {
        if (this.now.state !== 'settled') super.acknowledge(node, attempt);
      }
    }
    const options = { client: Impolite, budgets: { cancel: 1, cut: 1, expire: 1 } };
    expect(failure(explore(options))).toEqual(['alwaysPossible', 'nothing is kept of a call for ever', 11]);
  });
});

describe('a broken twin without rosters, as older peers are, has a call run twice', () => {
  class Rosterless extends Asking {
    override rosters(): undefined {}
  }

  it('when hub and node die together before the client heard of the node', () => {
    const options = { client: Rosterless, budgets: { hubCrash: 1, nodeCrash: 1 } };
    expect(failure(explore(options))).toEqual(['always', TWICE, 31]);
  });

  it('when a node comes back to a new hub only after the hub’s time for that is over', () => {
    const options = { client: Rosterless, comeBack: 'at any time', budgets: { hubCrash: 1 } } as const;
    expect(failure(explore(options))).toEqual(['always', TWICE, 31]);
  });
});

describe('a broken twin with rosters has a call run twice', () => {
  const options = { comeBack: 'at any time', budgets: { hubCrash: 1 } } as const;

  it('when its hub does not wait until the client has heard of a node', () => {
    class Hurried extends Routing {
      override hasHeardOf(): boolean {
        return true;
      }
    }
    expect(failure(explore({ ...options, hub: Hurried }))).toEqual(['always', TWICE, 29]);
  });

  it('when its client keeps no roster but the present one', () => {
    class Fickle extends Asking {
      override keepRoster(): void {
        this.now.former = [];
      }
    }
    expect(failure(explore({ ...options, client: Fickle }))).toEqual(['always', TWICE, 30]);
  });

  it('when its hub takes a node that is gone for one that said no', () => {
    class Careless extends Routing {
      override searchLost(): void {
        this.settleSought();
      }
    }
    const both = { ...options, budgets: { hubCrash: 1, nodeCrash: 1, cut: 1 } };
    expect(failure(explore({ ...both, hub: Careless }))).toEqual(['always', TWICE, 36]);
  });

  it('when its hub tells a node that nobody waits for what vanished, and dies before the client heard so', () => {
    class Tactless extends Routing {
      override foundVanished(attempt: number, instance: string): void {
        super.foundVanished(attempt, instance);
        const node = this.place(instance);
        if (node !== undefined) this.acknowledge(node, [attempt]);
      }
    }
    const twice = { ...options, budgets: { hubCrash: 2 } };
    expect(failure(explore({ ...twice, hub: Tactless }))).toEqual(['always', TWICE, 48]);
  });
});
