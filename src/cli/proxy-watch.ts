// `holdfast proxy --watch`: a running proxy, refreshed in place on a terminal, and as one table anywhere else.
// Invariant: a proxy that restarts is a line in the view, never the end of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { Screen } from '../demo/screen.ts';
import { askAdmin, type AdminFlags, type ProxyReport } from './admin-client.ts';
import { formatProxy, rates, type Paint } from './proxy-view.ts';
import { describeError, formatJson, printLine, timeOfDay } from './report.ts';
import { onStopSignal } from './signals.ts';

export interface WatchFlags extends AdminFlags {
  readonly interval: number;
  readonly json?: true;
}

/** Refreshes whose rates are drawn. */
const HISTORY = 30;

const paint: Paint = (colour, text) => styleText(colour, text);

/** @throws HoldfastError when there is no proxy to print */
export async function watchProxy(flags: WatchFlags): Promise<void> {
  const ask = (): Promise<ProxyReport> => askAdmin<ProxyReport>(flags, '/status');
  if (flags.json) return printLine(formatJson(await ask(), 2));
  if (process.stdout.isTTY) return refresh(ask, flags);
  // Rates are between two looks.
  const before = await ask();
  await sleep(flags.interval);
  for (const line of formatProxy({ report: await ask(), before })) printLine(line);
}

/** Until a signal. */
async function refresh(ask: () => Promise<ProxyReport>, { admin, interval }: WatchFlags): Promise<void> {
  const stop = new AbortController();
  const release = onStopSignal(() => stop.abort());
  const screen = new Screen(process.stdout);
  const history: number[] = [];
  let before: ProxyReport | undefined;
  let last: { readonly lines: readonly string[]; readonly takenAt: string } | undefined;
  while (!stop.signal.aborted) {
    const startedAt = performance.now();
    try {
      const report = await ask();
      const perSecond = rates(report, before).get('');
      if (perSecond !== undefined) history.push(perSecond);
      history.splice(0, history.length - HISTORY);
      last = { lines: formatProxy({ report, before, history, paint }), takenAt: timeOfDay() };
      before = report;
      screen.draw([...last.lines, '', paint('dim', `${last.takenAt}  Ctrl-C ends`)]);
    } catch (error) {
      const old = last === undefined ? [] : [`what follows is of ${last.takenAt}`, '', ...last.lines];
      const why = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const away = paint('red', `${admin} not reached: ${describeError(why).message}`);
      screen.draw([away, ...old, '', paint('dim', `${timeOfDay()}  Ctrl-C ends`)]);
    }
    const restMs = startedAt + interval - performance.now();
    await sleep(Math.max(0, restMs), undefined, { signal: stop.signal }).catch(() => undefined);
  }
  screen.close();
  release();
}
