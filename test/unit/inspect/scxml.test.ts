// SCXML: valid by the W3C's schema, and read back as the same machine.
import fc from 'fast-check';
import { createMachine, type AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { fromScxml, toDocument, toScxml, type DocumentOptions } from '../../../src/inspect/index.ts';
import { answersOf, eventsOf } from './answers.ts';
import { machines } from './arbitrary.ts';
import { ours } from './ours.ts';
import { validate } from './schema.ts';

const bare = (machine: AnyStateMachine, options?: DocumentOptions): AnyStateMachine =>
  createMachine(toDocument(machine, options).document as never) as unknown as AnyStateMachine;
const readBack = (text: string): AnyStateMachine =>
  createMachine(fromScxml(text) as never) as unknown as AnyStateMachine;

const shop = createMachine({
  id: 'the.shop',
  context: { coins: 3, 'odd key': { owner: null } },
  description: 'Sells <things>\nand "more"',
  initial: 'open',
  on: { 'go.*': '.closed', go: { actions: { type: 'say', params: { it: `it's "go" \\ & <on>` } } } },
  states: {
    open: {
      tags: ['busy'],
      initial: { target: 'idle', actions: 'greet' },
      states: {
        idle: {
          invoke: {
            id: 'till',
            src: 'the till',
            input: { coins: 1 },
            onDone: 'busy',
            onError: { target: 'idle', reenter: true },
          },
          after: { 1500: { target: 'busy', guard: 'loud' }, 'odd delay': 'idle' },
          on: { knock: { target: 'idle', description: 'stays' }, 'a b': '#gone', go: { guard: 'loud' } },
        },
        busy: { always: [{ guard: { type: 'has', params: [1] }, target: 'ended' }], exit: ['a', 'b'] },
        ended: { type: 'final', output: { sold: 2 } },
        before: { type: 'history', history: 'deep', target: 'busy' },
      },
      onDone: 'closed',
    },
    closed: {
      type: 'parallel',
      states: {
        'a.b': { initial: '1', states: { 1: { on: { swap: '2' } }, 2: {} } },
        done: { type: 'final' },
        last: { type: 'history' },
      },
      on: { back: 'open.before', again: { target: '#the\\.shop', reenter: true } },
    },
    gone: { id: 'gone', type: 'final', entry: 'lock' },
  },
}) as unknown as AnyStateMachine;
const samples = [...ours, { name: 'shop', machine: shop, input: undefined, examples: [] }];

describe.each(samples)('the SCXML of $name', ({ machine, input }) => {
  test.each(['hidden', 'shown'] as const)(
    'is valid, and reads back as the same machine, ignores %s',
    (ignores) => {
      const text = toScxml(machine, { ignores, input });
      validate(text);
      const events = [...eventsOf(machine), 'go.on', 'other'];
      expect(answersOf(readBack(text), events)).toEqual(answersOf(bare(machine), events));
      expect(fromScxml(text).context).toEqual(toDocument(machine, { input }).document.context);
    },
  );
});

test('of random machines is valid, and reads back as the same machine', () => {
  fc.assert(
    fc.property(machines, fc.constantFrom('hidden' as const, 'shown' as const), (machine, ignores) => {
      const text = toScxml(machine, { ignores });
      validate(text);
      const events = [...eventsOf(machine), 'a.x', 'go.x', 'other'];
      expect(answersOf(readBack(text), events)).toEqual(answersOf(machine, events));
    }),
    { numRuns: 200 },
  );
});

test('what SCXML has words for is said in them', () => {
  const text = toScxml(shop);
  for (const part of [
    '<scxml xmlns="http://www.w3.org/2005/07/scxml"',
    `<transition event="go" cond="_event.name === 'go'"`,
    `<send event="after.1500.open.idle" id="after.1500.open.idle" delay="1500ms"/>`,
    '<cancel sendid="after.1500.open.idle"/>',
    `delayexpr="delay('odd delay')"`,
    '<transition event="done.state.open" target="closed"/>',
    '<invoke type="xstate" src="the%20till"',
    '<history id="open.before" type="deep"',
    '<content expr="{&quot;sold&quot;:2}"/>',
    `<script>action('a')</script>`,
    '<data id="coins" expr="3"/>',
    '<data id="odd_x0020_key" expr="{&quot;owner&quot;:null}" hf:name="odd key"/>',
  ]) {
    expect(text).toContain(part);
  }
});

test('the rest of a state comes back too: tags, descriptions, history, output, input', () => {
  const { description, states } = fromScxml(toScxml(shop));
  expect(description).toBe('Sells <things>\nand "more"');
  expect(states?.['open']).toMatchObject({ tags: ['busy'], initial: { target: 'idle', actions: ['greet'] } });
  const open = states?.['open']?.states;
  expect(open?.['before']).toEqual({ type: 'history', history: 'deep', target: '#the\\.shop.open.busy' });
  expect(open?.['ended']).toEqual({ type: 'final', output: { sold: 2 } });
  expect(open?.['idle']).toMatchObject({ invoke: [{ id: 'till', src: 'the till', input: { coins: 1 } }] });
  expect(open?.['idle']?.on?.['knock']).toMatchObject([{ description: 'stays' }]);
});

describe('SCXML of others', () => {
  const microwave = `<?xml version="1.0"?><!-- heats -->
    <sc:scxml xmlns:sc="http://www.w3.org/2005/07/scxml" version="1.0" initial="off" name="microwave">
      <sc:state id="off"><sc:transition event="turn.on" target="on"/></sc:state>
      <sc:state id="on" initial="waiting">
        <sc:onentry><sc:log label="on" expr="1 &lt; 2"/><sc:send event="late" delay="2s" id="l"/></sc:onentry>
        <sc:transition event="turn.off late" target="off"/>
        <sc:transition cond="In('off')" target="off"><sc:raise event="x"/></sc:transition>
        <sc:state id="waiting"/>
      </sc:state>
    </sc:scxml>`;

  test('is read, prefixes, timers and several events included', () => {
    validate(microwave);
    expect(fromScxml(microwave)).toEqual({
      id: 'microwave',
      initial: 'off',
      states: {
        off: { on: { 'turn.on': [{ target: ['#microwave.on'] }] } },
        on: {
          initial: 'waiting',
          entry: ['log on 1 < 2', 'send late 2s l'],
          always: [{ target: ['#microwave.off'], guard: "In('off')", actions: ['raise x'] }],
          on: { 'turn.off': [{ target: ['#microwave.off'] }], late: [{ target: ['#microwave.off'] }] },
          states: { waiting: {} },
        },
      },
    });
  });

  const scxml = (inside: string): string =>
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0">${inside}</scxml>`;
  test.each([
    ['<html/>', '<html> is no SCXML document'],
    [scxml('<state id="a"><transition target="b"/></state>'), 'there is no state b, but it is a target'],
    [scxml('<state id="a"/><state id="a"/>'), 'the id a is given twice'],
    [scxml('<state id="a" initial="c"><state id="b"/></state>'), 'the initial state c is no child'],
    [scxml('<state><onentry><if cond="x"><log/></if></onentry></state>'), '<if> holds more than the name'],
    [scxml('<state>'), 'line 1: </scxml> closes <state>'],
    [`<!DOCTYPE scxml [<!ENTITY a "b">]>${scxml('')}`, 'line 1: a document type is not read; remove it'],
    [scxml('\n<state id="&a;"/>'), 'line 2: &a; is no entity of XML'],
    [scxml('<state id="a" id="b"/>'), 'line 1: id is twice in <state>'],
    [scxml('<x:state/>'), 'line 1: the prefix x is not declared'],
    ['', 'there is no element'],
  ])('%s is refused', (text, complaint) => {
    expect(() => fromScxml(text)).toThrow(complaint);
  });
});

test.each([
  ['an unknown element', '</scxml>', '<nothing/></scxml>', 'nothing'],
  ['a word that an attribute does not have', 'type="deep"', 'type="deeper"', 'deeper'],
  ['an id given twice', 'id="open.idle"', 'id="open.busy"', 'open.busy'],
])('the schema sees %s', (_, part, other, complaint) => {
  expect(() => validate(toScxml(shop).replace(part, other))).toThrow(complaint);
});
