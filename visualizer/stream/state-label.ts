// A state in one word, for badges and counts: what a person would call it.
// Invariant: pure; a path that has no such word is its own label.

/** The states that our machines are known by; states around them group them, states within them are detail. */
const landmarks: ReadonlySet<string> = new Set([
  ...[
    'idle',
    'connecting',
    'reconnecting',
    'registering',
    'connected',
    'transient_failure',
    'backoff',
    'draining',
  ],
  ...[
    'shutdown',
    'failed',
    'rejected',
    'joining',
    'syncing',
    'online',
    'suspect',
    'absent',
    'expired',
    'superseded',
  ],
  ...[
    'queued',
    'sent',
    'running',
    'succeeded',
    'timed_out',
    'cancelled',
    'lost',
    'gathering',
    'open',
    'paused',
  ],
  ...[
    'terminating',
    'terminated',
    'completed',
    'selecting',
    'training',
    'collecting',
    'aggregating',
    'committed',
  ],
  ...['abandoned', 'healthy', 'ejected', 'probing', 'creating', 'ready', 'streaming', 'granted', 'revoked'],
]);

/**
 * `path` is what statePath gives. The outermost landmark in it (`online.listening` is `online`, `establishing.registering`
 * is `registering`); else the innermost state, and what is around the regions of parallel ones.
 */
export function stateLabel(path: string): string {
  const leaves = path.split(', ').map((leaf) => leaf.split('.'));
  const [first = [], ...others] = leaves;
  if (first.length === 1 && others.length === 0) return path;
  const depth = first.findIndex((part, index) => others.some((leaf) => leaf[index] !== part));
  const shared = first.slice(0, depth < 0 ? first.length : depth);
  return shared.find((part) => landmarks.has(part)) ?? shared.at(-1) ?? path;
}
