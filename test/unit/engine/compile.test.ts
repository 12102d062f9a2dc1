// How compiled tables treat their actors: order, verdicts, events that performers send back, and throws.
import { describe, expect, it } from 'vitest';
import { compile, type CompiledActor, recordEffects } from '../../../src/engine/index.ts';
import { HANDLED, IGNORED, MAX_WAITING_EVENTS, UNEXPECTED } from '../../../src/engine/index.ts';
import { type Counter, counterEffects as effects, counterMachine as machine } from './counter.ts';

interface Row extends CompiledActor<Counter> {
  readonly name: string;
}

/** Performers that write down what they are called for, and then do what the test says. */
function table(
  reacts: Partial<Record<keyof typeof effects, (row: Row) => void>> = {},
  entered?: (row: Row) => void,
) {
  const log: string[] = [];
  const perform = (effect: keyof typeof effects) => (row: Row, event: { type: string }) => {
    log.push(`${row.name} ${effect} in ${compiled.states[row.state]} by ${event.type}`);
    reacts[effect]?.(row);
  };
  const compiled = compile(
    machine,
    effects,
    { leave: perform('leave'), pass: perform('pass'), arrive: perform('arrive'), finish: perform('finish') },
    { entered },
  );
  const create = (name: string): Row => {
    const row = { state: 0, context: compiled.initialContext({ at: 5 }), name };
    compiled.enter(row);
    return row;
  };
  return { compiled, create, log };
}

describe('a compiled machine', () => {
  it('names its states, its events and its ends', () => {
    const { compiled } = table();
    expect([compiled.id, compiled.states, compiled.final]).toEqual([
      'counter',
      ['here', 'there', 'over'],
      [false, false, true],
    ]);
    expect([...compiled.events].sort()).toEqual(['back', 'end', 'go', 'note', 'stay']);
    expect(compiled.events[compiled.eventIndex('back')]).toBe('back');
    expect(compiled.states[compiled.stateIndex('over')]).toBe('over');
    expect([compiled.eventIndex('no'), compiled.stateIndex('no')]).toEqual([-1, -1]);
  });

  it('performs exit, transition and entry in this order, in the state that each belongs to', () => {
    const { compiled, create, log } = table();
    const row = create('a');
    expect(compiled.send(row, { type: 'go' })).toBe(HANDLED);
    expect(log).toEqual([
      'a leave in here by go',
      'a pass in here by go',
      'a pass in here by go',
      'a arrive in there by go',
    ]);
  });

  it('shows each effect the context of its place, not the final one', () => {
    const seen: object[] = [];
    const compiled = compile(
      machine,
      effects as never,
      recordEffects(effects as never, (type, payload) => seen.push({ type, ...payload })),
    );
    const actor = compiled.start(compiled.initialContext({ at: 5 }));
    compiled.send(actor, { type: 'go' });
    expect(seen).toEqual([
      { type: 'leave', epoch: 0 },
      { type: 'pass', epoch: 1 },
      { type: 'pass', epoch: 2 },
      { type: 'arrive', epoch: 3 },
    ]);
  });

  it('runs the exit of a final state as soon as it is entered, as XState does', () => {
    const { compiled, create, log } = table();
    const row = create('a');
    compiled.send(row, { type: 'end' });
    expect(log).toEqual(['a leave in here by end', 'a finish in over by end', 'a leave in over by end']);
  });

  it('computes both parts of an assignment from the context before it', () => {
    const { compiled, create } = table();
    const row = create('a');
    compiled.send(row, { type: 'go' });
    compiled.send(row, { type: 'back' });
    expect(row.context).toEqual({ control: { epoch: 5 }, ledger: { at: 3 } });
  });

  it('takes assigners that are one function, and hands events to them', () => {
    const { compiled, create } = table();
    const row = create('a');
    compiled.send(row, { type: 'note', at: 77 });
    expect(row.context.ledger).toEqual({ at: 77 });
    compiled.send(row, { type: 'go' });
    compiled.expire(row);
    expect(row.context).toEqual({ control: { epoch: 10 }, ledger: { at: 3 } });
  });

  it('never shares a context between two actors', () => {
    const { compiled, create } = table();
    const [one, other] = [create('a'), create('b')];
    compiled.send(one, { type: 'go' });
    expect(other.context).toEqual({ control: { epoch: 0 }, ledger: { at: 5 } });
  });
});

describe('a verdict', () => {
  it('tells an explicit ignore from an event that nobody expected', () => {
    const { compiled, create } = table();
    const row = create('a');
    expect(compiled.send(row, { type: 'stay' })).toBe(IGNORED);
    expect(compiled.send(row, { type: 'back' })).toBe(UNEXPECTED);
    expect(compiled.send(row, { type: 'unheard of' } as never)).toBe(UNEXPECTED);
  });

  it('is unexpected when no guard holds', () => {
    const { compiled, create } = table();
    const row = create('a');
    row.context.control = { epoch: 2 };
    expect(compiled.send(row, { type: 'end' })).toBe(UNEXPECTED);
    expect(row.state).toBe(0);
  });

  it('is ignored for an actor that is done, whatever the event', () => {
    const { compiled, create, log } = table();
    const row = create('a');
    compiled.send(row, { type: 'end' });
    log.length = 0;
    expect([compiled.send(row, { type: 'go' }), compiled.send(row, { type: 'pigs' } as never), log]).toEqual([
      IGNORED,
      IGNORED,
      [],
    ]);
  });
});

describe('a delay', () => {
  it('is evaluated when it is asked for, and is -1 where the state has none', () => {
    const { compiled, create } = table();
    const row = create('a');
    expect(compiled.delayMs(row)).toBe(-1);
    compiled.send(row, { type: 'go' });
    expect(compiled.delayMs(row)).toBe(300);
    row.context.control = { epoch: 7 };
    expect(compiled.delayMs(row)).toBe(700);
  });

  it('chooses by guards when it expires', () => {
    const { compiled, create, log } = table();
    const row = create('a');
    compiled.send(row, { type: 'go' });
    row.context.control = { epoch: 1 };
    log.length = 0;
    expect([compiled.expire(row), compiled.states[row.state]]).toEqual([HANDLED, 'there']);
    expect(log).toEqual(['a pass in there by xstate.after.pause.counter.there']);
  });

  it('is unexpected where no delay runs', () => {
    const { compiled, create } = table();
    expect(compiled.expire(create('a'))).toBe(UNEXPECTED);
  });

  it('starts with every entry of its state, which `entered` reports once the entry actions are done', () => {
    const entered: string[] = [];
    const { compiled, create, log } = table({}, (row) => entered.push(`${row.state} after ${log.length}`));
    const row = create('a');
    compiled.send(row, { type: 'go' });
    compiled.send(row, { type: 'note', at: 1 } as never);
    compiled.send(row, { type: 'back' });
    expect(entered).toEqual(['0 after 0', '1 after 4', '0 after 4']);
  });
});

describe('a performer', () => {
  it('may send to its own actor: the event waits until the present one is done', () => {
    const { compiled, create, log } = table({
      pass: (row) => void log.push(`sent: ${compiled.send(row, { type: 'back' })}`),
    });
    const row = create('a');
    expect(compiled.send(row, { type: 'go' })).toBe(UNEXPECTED); // two `back`, and only the first finds `there`
    expect(log.filter((line) => !line.includes('sent'))).toEqual([
      'a leave in here by go',
      'a pass in here by go',
      'a pass in here by go',
      'a arrive in there by go',
    ]);
    expect(log.filter((line) => line.includes('sent'))).toEqual(['sent: 0', 'sent: 0']);
    expect(compiled.states[row.state]).toBe('here');
  });

  it('may send to its own actor while the actor starts', () => {
    const { compiled, create } = table({ arrive: (row) => void compiled.send(row, { type: 'back' }) });
    const row = create('a');
    expect(compiled.send(row, { type: 'go' })).toBe(HANDLED);
    expect(compiled.states[row.state]).toBe('here');
  });

  it('may send to another actor, which handles it at once, and that one back to the first, which waits', () => {
    const { compiled, create, log } = table({
      arrive: (row) => {
        if (row.name === 'a') compiled.send(other, { type: 'go' });
        if (row.name === 'b') compiled.send(first, { type: 'back' });
        log.push(`${row.name} done, a is ${compiled.states[first.state]}`);
      },
    });
    const first = create('a');
    const other = create('b');
    compiled.send(first, { type: 'go' });
    expect(log.filter((line) => line.includes('done'))).toEqual(['b done, a is there', 'a done, a is there']);
    expect([compiled.states[first.state], compiled.states[other.state]]).toEqual(['here', 'there']);
  });

  it('that answers its own effects without end is stopped at a named limit', () => {
    let sent = 0;
    const { compiled, create } = table({
      leave: (row) => {
        for (; sent <= MAX_WAITING_EVENTS; sent++) compiled.send(row, { type: 'stay' });
      },
    });
    const row = create('a');
    expect(() => compiled.send(row, { type: 'go' })).toThrow('1000 events wait for actors in a transition');
    expect(sent).toBe(MAX_WAITING_EVENTS);
  });

  it('may have as many events waiting as the limit says', () => {
    const { compiled, create } = table({
      arrive: (row) => {
        for (let sent = 0; sent < MAX_WAITING_EVENTS; sent++) compiled.send(row, { type: 'end' });
      },
    });
    const row = create('a');
    expect(compiled.send(row, { type: 'go' })).toBe(HANDLED);
    expect(compiled.states[row.state]).toBe('over');
  });

  it('that throws leaves no event of its actor behind, and no other actor waiting', () => {
    let fails = true;
    const { compiled, create } = table({
      arrive: (row) => {
        compiled.send(row, { type: 'back' });
        if (fails) throw new Error('the performer failed');
      },
    });
    const broken = create('a');
    expect(() => compiled.send(broken, { type: 'go' })).toThrow('the performer failed');
    expect(compiled.states[broken.state]).toBe('there');
    expect(compiled.send(broken, { type: 'back' })).toBe(HANDLED);
    fails = false;
    const row = create('b');
    expect([compiled.send(row, { type: 'go' }), compiled.states[row.state]]).toEqual([HANDLED, 'here']);
  });
});
