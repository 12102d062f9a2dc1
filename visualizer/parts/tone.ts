// Which states are good news. Machines of others have states that we do not know: those are neutral.
// Invariant: a state has the colour of its label.
import { stateLabel } from '../stream/state-label.ts';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'neutral';

const states: Readonly<Record<Exclude<Tone, 'neutral'>, readonly string[]>> = {
  good: [
    ...[
      'connected',
      'online',
      'open',
      'healthy',
      'streaming',
      'committed',
      'succeeded',
      'granted',
      'listening',
    ],
    ...['done', 'ready', 'stable', 'alive', 'holding', 'completed'],
  ],
  busy: [
    ...[
      'connecting',
      'establishing',
      'registering',
      'reconnecting',
      'joining',
      'syncing',
      'training',
      'collecting',
    ],
    ...[
      'aggregating',
      'selecting',
      'probing',
      'creating',
      'running',
      'sent',
      'queued',
      'starting',
      'gathering',
    ],
  ],
  warn: ['backoff', 'transient_failure', 'suspect', 'paused', 'draining', 'terminating', 'held', 'waiting'],
  bad: [
    ...['failed', 'rejected', 'absent', 'expired', 'ejected', 'terminated', 'abandoned', 'lost', 'timed_out'],
    ...['crashed', 'error', 'gone', 'refused'],
  ],
};

const toneOfState = new Map(
  Object.entries(states).flatMap(([tone, names]) => names.map((name) => [name, tone as Tone] as const)),
);

/** `path`: as statePath gives it, such as `establishing.registering`. */
export function toneOf(path: string): Tone {
  return toneOfState.get(stateLabel(path)) ?? 'neutral';
}
