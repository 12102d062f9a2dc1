// What an onlooker of a compiled table is told, and what it costs those who have none.
import { expect, it } from 'vitest';
import { compile, type CompiledActor } from '../../../src/engine/index.ts';
import { observeTable } from '../../../src/engine/table-records.ts';
import type { TransitionRecord } from '../../../src/engine/transition-record.ts';
import { conform } from '../../../src/testing/index.ts';
import { counterEffects, counterMachine, type Counter, type CounterEvent } from './counter.ts';

/** A table whose actors answer `arrive` with `back`, `times` times in all. */
function table(times: number) {
  let left = times;
  const quiet = () => {};
  const compiled = compile(counterMachine, counterEffects, {
    leave: quiet,
    pass: quiet,
    finish: quiet,
    arrive: (actor: CompiledActor<Counter>) => {
      if (left-- > 0) compiled.send(actor, { type: 'back' });
    },
  });
  return compiled;
}

function observed(times = 0) {
  const records: TransitionRecord[] = [];
  let at = 0;
  const compiled = table(times);
  const observer = observeTable((record) => void records.push(structuredClone(record)), {
    machine: counterMachine,
    run: 'r1',
    id: (_actor: CompiledActor<Counter>, n) => `counter-${n}`,
    // A second from one to the next, so that delays may be over.
    now: () => (at += 1_000),
  });
  compiled.observe(observer);
  const play = (...events: CounterEvent[]) => {
    const actor = compiled.start(compiled.initialContext({ at: 5 }));
    for (const event of events) compiled.send(actor, event);
    return actor;
  };
  return { records, compiled, play };
}

const short = (records: readonly TransitionRecord[]) =>
  records.map(({ actor, seq, event, from, to }) => [actor, seq, event.type, from, to]);
const lines = (records: readonly TransitionRecord[]) => records.map((record) => JSON.stringify(record));

it('each event is told once, ignored and unexpected ones and delays too, by actor and in order', () => {
  const { records, compiled, play } = observed();
  const first = play({ type: 'stay' }, { type: 'back' }, { type: 'go' });
  compiled.expire(first);
  play({ type: 'end' }, { type: 'go' });
  expect(short(records)).toEqual([
    ['counter-1', 1, 'xstate.init', null, 'here'],
    ['counter-1', 2, 'stay', 'here', 'here'],
    ['counter-1', 3, 'back', 'here', 'here'],
    ['counter-1', 4, 'go', 'here', 'there'],
    ['counter-1', 5, 'xstate.after.pause.counter.there', 'there', 'here'],
    ['counter-2', 1, 'xstate.init', null, 'here'],
    // What comes after the end is told nobody.
    ['counter-2', 2, 'end', 'here', 'over'],
  ]);
  expect(records.at(-1)).toMatchObject({ status: 'done', machine: 'counter', run: 'r1', at: 7_000 });
  expect(conform(lines(records), { machines: [counterMachine] })).toMatchObject({
    impossible: [],
    checked: 7,
  });
});

it('an event that a performer sends to its own actor is told after the one that it answers', () => {
  const { records, play } = observed(1);
  play({ type: 'go' });
  expect(short(records).slice(1)).toEqual([
    ['counter-1', 2, 'go', 'here', 'there'],
    ['counter-1', 3, 'back', 'there', 'here'],
  ]);
  expect(conform(lines(records), { machines: [counterMachine] })).toMatchObject({
    impossible: [],
    checked: 3,
  });
});

it('nobody is told any more once the observer is taken back', () => {
  const { records, compiled, play } = observed();
  compiled.observe(undefined);
  play({ type: 'go' });
  expect(records).toEqual([]);
  expect(
    observeTable(undefined, { machine: counterMachine, run: '', id: () => '', now: () => 0 }),
  ).toBeUndefined();
});
