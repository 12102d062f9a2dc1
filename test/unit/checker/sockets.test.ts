import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  model,
  sockets,
  type Dial,
  type Heard,
  type SocketsOptions,
} from '../../../src/checker/index.ts';
import { nothing } from './toys.ts';

/** Dials once, sends `one`, `two`, `three` when it is open; the far end keeps what it hears. */
function explore(breaks: NonNullable<SocketsOptions['breaks']>) {
  const tell = (to: string) => (heard: Heard) => [{ tell: to, event: { ...heard, end: to } }];
  const send = (type: string) => ({
    tell: 'link',
    event: { type: 'send', end: 'near', epoch: 1, frame: { type } },
  });
  const dialler = model<string>({
    initial: 'idle',
    step: (state, { type }) => {
      if (type === 'go')
        return { state: 'dialling', outputs: [{ tell: 'link', event: { type: 'dial', epoch: 1 } }] };
      if (type === 'opened') return { state: 'open', outputs: ['one', 'two', 'three'].map(send) };
      return { state: type === 'closed' ? 'closed' : state };
    },
    choices: (state) => (state === 'idle' ? [{ event: { type: 'go' } }] : []),
  });
  const listener = model<string>({
    initial: '',
    step: (heard, event) => {
      const { type } = event;
      return {
        state: `${heard} ${type === 'frame' ? (event['frame'] as { type: string }).type : type}`.trim(),
      };
    },
  });
  const link = sockets({ called: 'socket', near: tell('dialler'), far: tell('listener'), breaks });
  const heard = new Set<string>();
  const result = check(defineSystem({ actors: { dialler, listener, link }, route: nothing }), {
    always: {
      collect(view) {
        const dials = view.model<readonly Dial[]>('link');
        heard.add(
          `${view.model<string>('dialler')}: ${view.model<string>('listener') || '-'}${dials.length === 0 ? ' (gone)' : ''}`,
        );
        return true;
      },
    },
  });
  return { heard: [...heard].toSorted(), states: result.states, complete: result.complete };
}

describe('a socket', () => {
  it('delivers everything in order while nothing breaks it', () => {
    expect(explore({})).toEqual({
      // idle, dialling, accepted, open with three, two, one, none in flight
      states: 7,
      complete: true,
      heard: [
        'dialling: -',
        'idle: - (gone)',
        'open: -',
        'open: one',
        'open: one two',
        'open: one two three',
      ],
    });
  });

  it('that is refused closes at the dialler only', () => {
    expect(explore({ refuse: true }).heard).toContain('closed: - (gone)');
  });

  it('that is cut loses what is in flight from some point on, and each end learns of it at its own time', () => {
    const { heard, complete } = explore({ cut: true });
    expect(complete).toBe(true);
    const endings = heard.filter((line) => line.endsWith('(gone)') && line.startsWith('closed'));
    expect(endings).toEqual(
      [
        'closed: closed (gone)',
        'closed: one closed (gone)',
        'closed: one two closed (gone)',
        'closed: one two three closed (gone)',
      ].toSorted(),
    );
    expect(heard).toContain('open: one closed');
    expect(heard).toContain('closed: one');
    expect(heard.some((line) => /two(?<!one two)|three(?<!one two three)/.test(line))).toBe(false);
  });

  it('that swallows tells nobody', () => {
    const { heard } = explore({ swallow: true });
    expect(heard.some((line) => line.includes('closed'))).toBe(false);
    expect(heard).toContain('open: one two three');
  });

  it('does not know other orders than its own', () => {
    const link = sockets({ called: 'socket', near: () => [], far: () => [] });
    const actions = {
      dial: { outputs: [{ tell: 'link', event: { type: 'dial', epoch: 1 } }], budget: 'once' },
      shout: { outputs: [{ tell: 'link', event: { type: 'shout', epoch: 1 } }] },
    };
    const system = defineSystem({ actors: { link }, actions, budgets: { once: 1 }, route: nothing });
    expect(() => check(system)).toThrow(/sockets do not know 'shout'/);
  });
});
