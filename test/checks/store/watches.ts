// A watch over an engine: the machine of production, its shell, the engine's history and feed, and what breaks.
// Invariant: every change has a revision of its own; the engine forgets none but by compaction.
import type { AnyStateMachine } from 'xstate';
import { watchEffects, watchInput, watchMachine } from '../../../machines/watch.ts';
import { check, defineSystem, model } from '../../../src/checker/index.ts';
import type {
  Action,
  CheckOptions,
  CheckResult,
  Message,
  ModelActor,
  Output,
  Predicate,
  SystemDefinition,
  View,
} from '../../../src/checker/index.ts';
import {
  BACKLOG,
  HOLD,
  MAILBOX,
  READS,
  REQUESTS,
  SHELL,
  WATCH,
  Watching,
  watchShell,
  type Shell,
} from './watch-shell.ts';

const ENGINE = 'engine';
const FEED = 'feed';
const PAGES = 'pages';
/** Changes in one page of history. */
const PAGE = 1;
/** Where the engine is when the watch starts. */
const HEAD = 2;

interface Engine {
  readonly head: number;
  /** The oldest revision that can still be read. */
  readonly floor: number;
  readonly attached: readonly { readonly epoch: number }[];
}

export interface WatchesOptions {
  /** From which revision; 0 = from now on. @default 0 */
  readonly start?: number;
  readonly machine?: AnyStateMachine;
  readonly shell?: typeof Watching;
  /** How often each thing may happen; what is not named does not. */
  readonly budgets?: Partial<Record<Happening, number>>;
}

export type Happening = 'change' | 'cut' | 'compact' | 'cancel' | 'vanish' | 'end' | 'timeout';

function engineStep(engine: Engine, event: Message): { state: Engine; outputs?: readonly Output[] } {
  const { head, floor, attached } = engine;
  const epoch = event['epoch'] as number;
  const from = event['from'] as number;
  const answer = (on: string, fields: Message): Output => ({ send: { ...fields, epoch }, on });
  switch (event.type) {
    case 'change': {
      const revision = head + 1;
      const outputs = attached.map((one): Output => ({
        send: { type: 'changed', ...one, revision },
        on: FEED,
      }));
      return { state: { ...engine, head: revision }, outputs };
    }
    case 'compact':
      return { state: { ...engine, floor: head } };
    case 'attach':
      if (from !== 0 && from < floor)
        return { state: engine, outputs: [answer(FEED, { type: 'compacted', floor })] };
      return {
        state: { ...engine, attached: [...attached, { epoch }] },
        outputs: [answer(FEED, { type: 'attached', revision: head })],
      };
    case 'detach':
      return { state: { ...engine, attached: attached.filter((one) => one.epoch !== epoch) } };
    case 'read': {
      if (from < floor) return { state: engine, outputs: [answer(PAGES, { type: 'compacted', floor })] };
      const revision = Math.min(head, from + PAGE - 1);
      return { state: engine, outputs: [answer(PAGES, { type: 'page', revision, head })] };
    }
    case 'cut':
      return { state: { ...engine, attached: [] } };
    default:
      throw new Error(`the engine does not know ${event.type}`);
  }
}

const engineModel = (): ModelActor =>
  model<Engine>({ initial: { head: HEAD, floor: 1, attached: [] }, step: engineStep });

const tell = (part: string, type: string): Output => ({ tell: part, event: { type } });
const post = (event: Message): Output => ({ send: event, on: MAILBOX });

const ACTIONS: Readonly<Record<string, Action>> = {
  'a key changes': { outputs: [tell(ENGINE, 'change')], budget: 'change' },
  'history is compacted': { outputs: [tell(ENGINE, 'compact')], budget: 'compact' },
  'the link to the engine breaks': {
    outputs: [
      ...[REQUESTS, READS, FEED, PAGES].map((clear): Output => ({ clear })),
      tell(ENGINE, 'cut'),
      tell(SHELL, 'cut'),
    ],
    budget: 'cut',
  },
  'the client cancels': { outputs: [post({ type: 'cancel.requested', reason: '' })], budget: 'cancel' },
  'the client vanishes': { outputs: [tell(SHELL, 'vanish')], budget: 'vanish' },
  'the engine is stopped': { outputs: [post({ type: 'engine.ended', reason: '' })], budget: 'end' },
};

export function watches(options: WatchesOptions = {}): SystemDefinition {
  const { start = 0, machine = watchMachine, shell = Watching, budgets } = options;
  return defineSystem({
    actors: {
      [ENGINE]: engineModel(),
      [SHELL]: watchShell(shell, start),
      [WATCH]: { machine, effects: watchEffects, input: watchInput },
    },
    channels: {
      [MAILBOX]: {},
      [REQUESTS]: {},
      [FEED]: {},
      [READS]: { order: 'unordered' },
      [PAGES]: { order: 'unordered' },
    },
    actions: ACTIONS,
    budgets: { change: 0, cut: 0, compact: 0, cancel: 0, vanish: 0, end: 0, timeout: 0, ...budgets },
    fires: (_actor, delay) => (delay === 'resumeDelay' ? true : 'timeout'),
    route: (_actor, { type, payload }) => [{ tell: SHELL, event: { type, ...payload } }],
    deliver(channel, event) {
      if (channel === MAILBOX) return [{ to: WATCH, event }];
      return [{ to: channel === FEED || channel === PAGES ? SHELL : ENGINE, event }];
    },
  });
}

const look = (view: View) => ({
  watch: view.actor(WATCH),
  shell: view.model<Shell>(SHELL),
  engine: view.model<Engine>(ENGINE),
});

const holds =
  (property: (seen: ReturnType<typeof look>) => boolean): Predicate =>
  (view) =>
    property(look(view));

const knowsAll = holds(
  ({ watch, shell: { consumer }, engine }) =>
    watch.status === 'done' ||
    (watch.in('streaming.live') && consumer.expects > engine.head && consumer.backlog === 0),
);

/** Not only possible: the consumer knows everything, or its watch ends, on every run in which nobody is kept waiting for ever. */
export const knowsInTheEnd: CheckOptions = {
  noDeadlock: false,
  alwaysPossible: {},
  alwaysEventually: { 'the consumer knows everything, or its watch has ended': knowsAll },
};

export function explore(options: WatchesOptions = {}, more: CheckOptions = {}): CheckResult {
  return check(watches(options), {
    always: {
      'the consumer is told every change once, in order, after it is ready and before the end': holds(
        ({ shell }) => shell.consumer.wrong === '',
      ),
      'it is ready only from a revision that is known': holds(
        ({ shell: { consumer } }) => consumer.is !== 'ready' || consumer.expects > 0,
      ),
      'what waits for a slow consumer is bounded': holds(
        ({ shell }) => shell.consumer.backlog < BACKLOG + PAGE && shell.held.length <= HOLD,
      ),
    },
    alwaysPossible: {
      'the consumer knows everything, or its watch has ended': knowsAll,
      'a watch that ended leaves nothing behind': holds(
        ({ watch, engine, shell }) =>
          watch.status !== 'done' ||
          (engine.attached.length === 0 && shell.feed === 'off' && shell.consumer.is !== 'ready'),
      ),
    },
    noDeadlock: (view) => !knowsAll(view),
    ...more,
  });
}
