// connection × session, explored to the end. The number of states is exact: it changes when a machine does, and then
// a reviewer should know why. Where something is bounded, the title says what.
import { describe, expect, it } from 'vitest';
import {
  closed,
  drained,
  explore,
  forgetful,
  handshake,
  kept,
  operated,
  restarts,
  swallowed,
  tired,
} from './systems.ts';

describe('one node and its hub (at most two of its sockets at the hub; equal frames in flight are merged)', () => {
  it('find each other whatever dials are refused, links cut and deadlines missed, any number of times', () => {
    expect(closed(explore(handshake))).toEqual({ complete: true, states: 45_112 });
  });

  it('find each other again whenever the hub crashes, with or without memory, any number of times', () => {
    expect(closed(explore(restarts))).toEqual({ complete: true, states: 45_408 });
  });

  it('notice by heartbeats alone that a link swallows everything (one such link)', () => {
    expect(closed(explore(swallowed))).toEqual({ complete: true, states: 395_620 });
  });

  it('find each other after the hub forgot (one forgetting, one crash, one cut, one missed deadline)', () => {
    expect(closed(explore(forgetful))).toEqual({ complete: true, states: 297_747 });
  });

  it('obey operators at every moment (one order to the hub, one cut, one missed deadline; stop and wake at any time)', () => {
    expect(closed(explore(operated))).toEqual({ complete: true, states: 329_953 });
  });

  it('drain over every cut, and are let in again (two orders to the hub, two cuts, no missed deadline)', () => {
    expect(closed(explore(drained, kept))).toEqual({ complete: true, states: 56_530 });
  });

  it('give up after two attempts and start over when asked, with health checks (one cut, one missed deadline)', () => {
    expect(closed(explore(tired))).toEqual({ complete: true, states: 159_043 });
  });
});
