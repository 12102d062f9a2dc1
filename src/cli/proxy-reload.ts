// The plan of a running proxy, read anew on SIGHUP and when one of its files has changed.
// Invariant: a plan with a mistake changes nothing: it is told, and the proxy goes on with the one it has.
import type { Log, ProxySettings } from '../index.ts';
import { watchFiles } from './file-changes.ts';
import { describeChanges, fixedChanges, warnOfPlainKeys, type ProxyPlan } from './proxy-plan.ts';
import { describeError } from './report.ts';
import { onReloadSignal } from './signals.ts';

export interface ReloadOptions {
  /** The one that the proxy runs with. */
  readonly plan: ProxyPlan;
  /** Reads it anew; throws what is wrong with it. */
  readonly read: () => ProxyPlan;
  /** Gives it to the proxy; throws what is wrong with it. */
  readonly apply: (settings: ProxySettings) => void;
  readonly log: Log;
}

/** Until the returned function is called. */
export function reloadOnChange({ plan, read, apply, log }: ReloadOptions): () => void {
  const started = plan;
  let current = plan;
  const reload = (why: string): void => {
    let next: ProxyPlan;
    try {
      next = read();
      apply(next.settings);
    } catch (error) {
      const { code, message } = describeError(error);
      log.error({ code }, `${why}: the configuration has a mistake, and the old one stays: ${message}`);
      return;
    }
    const changes = describeChanges(current.settings, next.settings);
    // Of the proxy as it runs, not of the file before.
    const later = fixedChanges(started, next);
    current = next;
    log.info({ changes }, `${why}: ${changes.length === 0 ? 'nothing to change' : changes.join('; ')}`);
    warnOfPlainKeys(next.settings, log);
    if (later.length > 0)
      log.warn({ later }, `a restart is needed for what the configuration says of ${later.join(', ')}`);
  };
  const ignoreSignal = onReloadSignal(() => reload('SIGHUP'));
  const stopWatching = watchFiles(
    () => current.files,
    () => reload('a file has changed'),
  );
  return () => {
    ignoreSignal();
    stopWatching();
  };
}
