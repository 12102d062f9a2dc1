// Every machine of the registry is one machine, whichever engine runs it: the pure step, the checker's memoised part,
// XState's own actor, and the compiled table where the machine is in its subset. Delays included, in any order.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { ActorEngine, CheckerEngine, StepEngine, TableEngine, type Engine, type Seen } from './engines.ts';
import { aged, entries, flatEntries, inEveryAge, type AnyEvent, type Entry } from './machines.ts';
import { configurations } from './paths.ts';
import { eventOf, strides } from './walks.ts';

/** An event, or the number of the delay that runs out. */
type Act = AnyEvent | number;

type Others = (entry: Entry) => Engine[];
const engines: Others = (entry) => [
  new CheckerEngine(entry),
  new ActorEngine(entry),
  ...(flatEntries.some(({ machine }) => machine === entry.machine) ? [new TableEngine(entry)] : []),
];

/** Runs one machine on all engines at once; throws where one differs from the pure step. */
class Choir {
  readonly step: StepEngine;
  readonly others: readonly Engine[];
  last: Seen;
  acts: Act[] = [];

  constructor(entry: Entry, others: readonly Engine[]) {
    this.step = new StepEngine(entry);
    this.others = others;
    this.last = this.step.start();
    this.agree(this.others.map((engine) => engine.start()));
  }

  restart(): this {
    this.acts = [];
    this.last = this.step.start();
    this.agree(this.others.map((engine) => engine.start()));
    return this;
  }

  take(act: Act): this {
    this.acts.push(act);
    const id = typeof act === 'number' ? (this.step.running[act]?.id ?? '') : '';
    const on = (engine: Engine) => (typeof act === 'number' ? engine.expire(act, id) : engine.send(act));
    this.last = on(this.step) as Seen;
    this.agree(this.others.map(on));
    return this;
  }

  private agree(seen: readonly Partial<Seen>[]): void {
    seen.forEach((its, index) => {
      for (const [key, value] of Object.entries(its)) {
        const expected = this.last[key as keyof Seen];
        // Comparing text first is what makes hundreds of thousands of comparisons quick.
        if (JSON.stringify(value) === JSON.stringify(expected)) continue;
        const acts = this.acts.map((act) => (typeof act === 'number' ? `delay ${act}` : JSON.stringify(act)));
        const message = `${this.others[index]?.name} differs from step in ${key} after ${acts.join(', ')}`;
        assert.deepStrictEqual(value, expected, message);
      }
    });
  }
}

/** What can come: each example, current and older, an event that nobody knows, and each delay that runs. */
function possible(entry: Entry, choir: Choir, ages: 'two' | 'all'): Act[] {
  const { control } = choir.last;
  const events = entry.examples.flatMap((example) => {
    if (example.epoch === undefined) return [example];
    return ages === 'all'
      ? inEveryAge(example, control)
      : [aged(example, control, 'current'), aged(example, control, 'older')];
  });
  return [...events, { type: 'pigs.flew' }, ...choir.step.running.keys()];
}

/** All but what merely counts: after an act that changes nothing of it, the same can come as before. */
function essence({ step, last }: Choir): string {
  const { staleEvents: _, ...ledger } = last.context.ledger;
  return JSON.stringify([last.state, last.control, ledger, step.running]);
}

/**
 * Every sequence of up to `depth` acts. Acts that change nothing are tried in each place, one after the other, and not
 * followed: what would follow is what follows without them.
 */
function exhaust(
  entry: Entry,
  others: readonly Engine[],
  depth: number,
): { sequences: number; acts: number } {
  const count = { sequences: 0, acts: 0 };
  const choir = new Choir(entry, others);
  const visit = (lead: readonly Act[]): void => {
    count.sequences += 1;
    const again = (): Choir => lead.reduce<Choir>((at, act) => at.take(act), choir.restart());
    again();
    if (choir.last.done || lead.length === depth) return;
    const before = essence(choir);
    const changing: Act[] = [];
    for (const act of possible(entry, choir, 'two')) {
      choir.take(act);
      count.acts += 1;
      if (essence(choir) === before) continue;
      changing.push(act);
      again();
    }
    for (const act of changing) visit([...lead, act]);
  };
  visit([]);
  return count;
}

/** Long walks; delays run out in any order. An actor that is done, or dialled too often for the checker, starts again. */
function wander(entry: Entry, others: readonly Engine[], numRuns: number): number {
  let acts = 0;
  const choir = new Choir(entry, others);
  const walk = fc.property(strides(300), (some) => {
    choir.restart();
    let at = 0;
    for (const stride of some) {
      const { done, control } = choir.last;
      if (done || (control['epoch'] ?? 0) > 28 || (control['registrationEpoch'] ?? 0) > 28) choir.restart();
      at += stride.passedMs;
      const running = choir.step.running.length;
      if (stride.expires && running > 0) choir.take(stride.pick % running);
      else choir.take(eventOf(entry, stride, choir.last.control, at));
      acts += 1;
    }
  });
  fc.assert(walk, { numRuns });
  return acts;
}

/** Each machine with its example input; calls that may be repeated, and a gate for one node, come farther or elsewhere. */
const tried: readonly Entry[] = entries.flatMap((entry) => {
  const { id, examples } = entry;
  const input = entry.input as object;
  if (id === 'call') return [entry, { ...entry, id: 'call, idempotent', input: { ...input, idempotent: 1 } }];
  if (id !== 'gate') return [entry];
  const ofOne = examples.filter(({ node = 'n1' }) => node === 'n1');
  const one = { ...input, minNodes: 1, resumeNodes: 1 };
  return [entry, { ...entry, id: 'gate, one node', examples: ofOne, input: one }];
});

const depths: Readonly<Record<string, number>> = {
  connection: 6,
  session: 7,
  execution: 10,
  gate: 4,
  'gate, one node': 7,
  round: 5,
  endpoint: 2,
  'failure-queue': 4,
};

describe.each(tried)('the machine $id, on all engines', (entry) => {
  const depth = depths[entry.id] ?? 8;

  it(`agrees on every sequence of up to ${depth} events and delays`, () => {
    const { sequences, acts } = exhaust(entry, engines(entry), depth);
    expect(sequences).toBeGreaterThan(20);
    expect(acts).toBeGreaterThan(sequences);
  });

  it('agrees on every event in every age, and every delay, in every configuration', () => {
    const choir = new Choir(entry, engines(entry));
    let acts = 0;
    for (const { events } of configurations(entry).values()) {
      const lead = (): Choir => {
        choir.restart();
        for (const event of events) {
          const delay = choir.step.running.findIndex(({ id }) => id === event.type);
          choir.take(delay === -1 ? event : delay);
        }
        return choir;
      };
      if (lead().last.done) continue;
      for (const act of possible(entry, choir, 'all')) {
        lead().take(act);
        acts += 1;
      }
    }
    expect(acts).toBeGreaterThan(20);
  });

  it('agrees on long random walks', () => {
    expect(wander(entry, engines(entry), 25)).toBeGreaterThan(1_500);
  });
});

type Config = { states: Record<string, Record<string, unknown>> };

/** The entry with its config changed in one place. */
function twin(id: string, change: (config: Config) => void, implementations: object = {}): Entry {
  const entry = entries.find((one) => one.id === id) as Entry;
  const { machine } = entry;
  const config = structuredClone({ ...machine.config, context: undefined }) as unknown as Config;
  change(config);
  const made = Reflect.construct(machine.constructor, [
    { ...config, context: machine.config.context },
    machine.implementations,
  ]) as AnyStateMachine;
  return { ...entry, machine: made.provide(implementations as never) as AnyStateMachine };
}

const on = (config: Config, state: string): Record<string, unknown> =>
  config.states[state]?.['on'] as Record<string, unknown>;

describe('an engine that runs another machine than the rest is caught:', () => {
  const caught = (original: string, broken: Engine, when = 'after \\S'): void => {
    const entry = entries.find(({ id }) => id === original) as Entry;
    const differs = new RegExp(`^${broken.name} differs from step in \\w+ ${when}`);
    expect(() => exhaust(entry, [broken], 5)).toThrow(differs);
    expect(() => wander(entry, [broken], 20)).toThrow(when === 'after \\S' ? /seed: / : differs);
  };

  it('a table with one entry that leads elsewhere', () => {
    caught(
      'execution',
      new TableEngine(
        twin('execution', (config) =>
          Object.assign(on(config, 'running'), {
            'function.threw': { target: 'succeeded', actions: 'note' },
          }),
        ),
      ),
    );
  });

  it('a table that lacks an explicit ignore', () => {
    caught('call', new TableEngine(twin('call', (config) => delete on(config, 'sent')['attempt.sent'])));
  });

  it('a table whose delay is a millisecond longer', () => {
    const delays = {
      timeLeft: ({ context: { ledger } }: { context: { ledger: { deadlineAt: number; at: number } } }) =>
        Math.max(0, ledger.deadlineAt - ledger.at) + 1,
    };
    caught('execution', new TableEngine(twin('execution', () => {}, { delays })), 'after \n');
  });

  it('a checker whose guard lets older epochs pass', () => {
    const guards = { currentSocket: ({ event }: { event: object }) => 'epoch' in event };
    caught('connection', new CheckerEngine(twin('connection', () => {}, { guards })));
  });

  it('a checker whose effect comes at another place', () => {
    caught(
      'session',
      new CheckerEngine(
        twin('session', (config) =>
          Object.assign(config.states['syncing'] as object, { entry: [], exit: 'sendSync' }),
        ),
      ),
    );
  });

  it('an actor whose delay ends in another state', () => {
    caught(
      'session',
      new ActorEngine(
        twin('session', (config) =>
          Object.assign(config.states['absent'] as object, { after: { sessionGrace: 'superseded' } }),
        ),
      ),
    );
  });

  it('an actor that forgets to count attempts', () => {
    caught(
      'connection',
      new ActorEngine(
        twin('connection', (config) => {
          const { states } = config.states['establishing'] as unknown as Config;
          Object.assign(states['reconnecting'] as object, { entry: ['advanceEpoch', 'openSocket'] });
        }),
      ),
    );
  });
});
