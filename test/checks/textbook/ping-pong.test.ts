// Two actors that pass a number back and forth, compared with the states that Stateright counts in the tests of its own
// network (stateright/stateright, src/actor/model.rs and src/actor/actor_test_util.rs): lossy sets of messages, and
// messages that arrive once.
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model, type Channel, type View } from '../../../src/checker/index.ts';

/** Counts what it hears in turn, up to `max`; answers `ping n` with `pong n`, and `pong n` with `ping n + 1`. */
const player = (other: string, hears: 'ping' | 'pong', max: number) =>
  model<number>({
    initial: 0,
    step(count, message) {
      if (message.type !== hears || message['number'] !== count || count === max) return { state: count };
      const answer = hears === 'ping' ? { type: 'pong', number: count } : { type: 'ping', number: count + 1 };
      return { state: count + 1, outputs: [{ send: { ...answer, to: other }, on: 'network' }] };
    },
  });

const pingPong = (max: number, network: Channel) =>
  defineSystem({
    actors: {
      server: model<'ready' | 'served'>({
        initial: 'ready',
        step: () => ({
          state: 'served',
          outputs: [{ send: { type: 'ping', number: 0, to: 'b' }, on: 'network' }],
        }),
        choices: (state) => (state === 'ready' ? [{ event: { type: 'serve' } }] : []),
      }),
      a: player('b', 'pong', max),
      b: player('a', 'ping', max),
    },
    channels: { network: { order: 'unordered', capacity: 2 * max + 2, ...network } },
    route: () => [],
    deliver: (_, message) => [{ to: message['to'] as string, event: message }],
  });

const counts = (view: View) => [view.model<number>('a'), view.model<number>('b')] as const;
const always = {
  'counts differ by one at most': (view: View) => Math.abs(counts(view)[0] - counts(view)[1]) <= 1,
};

describe('ping and pong (one state more than Stateright, before the first serve)', () => {
  it('has the 14 and the 4 094 states of a set of messages that loses some, up to 1 and up to 5', () => {
    const network: Channel = { delivered: 'kept', lossy: true };
    expect(check(pingPong(1, network), { always })).toMatchObject({ complete: true, states: 14 + 1 });
    expect(check(pingPong(5, network), { always })).toMatchObject({ complete: true, states: 4_094 + 1 });
  });

  it('has the 11 states of a network that delivers everything once, and always reaches the maximum', () => {
    const eventually = { 'reaches 5': (view: View) => counts(view).includes(5) };
    // The last pong is ignored, and stays.
    const network: Channel = { ignored: 'stays' };
    expect(check(pingPong(5, network), { always, eventually })).toMatchObject({
      complete: true,
      states: 11 + 1,
    });
  });

  it('need not reach the maximum when the network loses messages', () => {
    const eventually = { 'reaches 5': (view: View) => counts(view).includes(5) };
    const { violation } = check(pingPong(5, { ignored: 'stays', lossy: true }), { always, eventually });
    expect(violation?.property).toBe('reaches 5');
    expect(violation?.steps.map(({ label }) => label).slice(0, 2)).toEqual([
      'server gets serve',
      'network loses ping { number: 0, to: b }',
    ]);
  });

  it('is out of step when a player counts whatever it hears', () => {
    const system = pingPong(5, { delivered: 'kept' });
    const eager = model<number>({
      initial: 0,
      step: (count) => ({ state: Math.min(5, count + 1) }),
    });
    const { violation } = check({ ...system, actors: { ...system.actors, b: eager } }, { always });
    expect(violation?.property).toBe('counts differ by one at most');
    expect(violation?.steps).toHaveLength(3);
  });
});
