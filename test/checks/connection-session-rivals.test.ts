// connection × session, explored to the end. The number of states is exact: it changes when a machine does, and then
// a reviewer should know why. Where something is bounded, the title says what.
import { describe, expect, it } from 'vitest';
import { closed, explore, kicks, twoInstances, wild, wildCrashing, wildly } from './systems.ts';

describe('two instances of one node id', () => {
  it('end with one that works and never replace each other by turns (one cut, one missed deadline, deaths of one at any time)', () => {
    expect(closed(explore(twoInstances, kicks))).toEqual({ complete: true, states: 240_106 });
  });
});

describe('frames that leave their sockets and overtake each other', () => {
  it('never bring a session online by an old acknowledgement (one loss, two copies, one missed deadline)', () => {
    expect(closed(explore(wild, wildly))).toEqual({ complete: true, states: 73_853 });
  });

  it('do no more harm when the hub crashes in between (one copy, one missed deadline, one crash)', () => {
    expect(closed(explore(wildCrashing, wildly))).toEqual({ complete: true, states: 294_400 });
  });
});
