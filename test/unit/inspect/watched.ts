// Apps under test with the real `@statelyai/inspect`, their messages as the texts that its WebSocket would send.
// Invariant: what is delivered is what the package serialises, in its order.
import { createInspector } from '@statelyai/inspect';
import { vi } from 'vitest';
import { createActor, type AnyActor, type AnyStateMachine } from 'xstate';
import type { Step, Told } from '../../../src/protocol/inspection.ts';
import { readTold } from '../../../src/protocol/inspection.ts';
import { WatchedApps, type Taken, type WatchedAppsOptions } from '../../../src/inspect/index.ts';

/** What is told by the apps that are watched, as a viewer would read it. */
export function watch(options: Partial<WatchedAppsOptions> = {}) {
  const told: Told[] = [];
  const apps = new WatchedApps({
    now: () => performance.now(),
    wallNow: () => Date.now(),
    tell: (message) => void told.push(...readTold(JSON.stringify(message))),
    ...options,
  });
  const stepsOf = (actor: string, process?: string): Step[] =>
    told
      .filter((message) => message.kind === 'step')
      .filter((step) => step.actor.startsWith(actor) && (process ?? step.process) === step.process);
  return { apps, told, stepsOf, of: <K extends Told['kind']>(kind: K) => ofKind(told, kind) };
}

function ofKind<K extends Told['kind']>(told: readonly Told[], kind: K): Extract<Told, { kind: K }>[] {
  return told.filter((message): message is Extract<Told, { kind: K }> => message.kind === kind);
}

/** Everything that the package says of one actor of `machine`, which is used as `use` says. */
export function messagesOf(machine: AnyStateMachine, use: (actor: Pick<AnyActor, 'send'>) => void): string[] {
  const texts: string[] = [];
  vi.useFakeTimers();
  try {
    const inspector = createInspector({ send: (event) => void texts.push(JSON.stringify(event)) });
    const actor = createActor(machine, { inspect: inspector.inspect });
    actor.start();
    use(actor);
    vi.advanceTimersByTime(10_000); // the package speaks in idle time
  } finally {
    vi.useRealTimers();
  }
  // XState counts on through the tests of a file; every process of a user's begins at 0.
  const first = Number(/"sessionId":"x:(\d+)"/.exec(texts[0] ?? '')?.[1]);
  return texts.map((text) => text.replaceAll(/"x:(\d+)"/g, (_id, n) => `"x:${Number(n) - first}"`));
}

export function takeAll(connection: { take(text: string): Taken }, texts: readonly string[]): Taken[] {
  return texts.map((text) => connection.take(text));
}
