// What a page costs: the tasks of its main thread in CPU time, and its memory.
// Invariant: time is the thread's own CPU time, so that a busy machine changes no verdict.
import type { Page } from 'playwright-core';

export interface Task {
  /** From the first task. */
  readonly atMs: number;
  readonly cpuMs: number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** All tasks that the page's main thread ran while `work` did. */
export async function mainThreadTasks(page: Page, work: () => Promise<void>): Promise<Task[]> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  const ended = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()));
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'] },
  });
  await work();
  await session.send('Tracing.end');
  await ended;
  const pid = rendererOf(events);
  await session.detach();
  const main = events.find(
    (it) => it.name === 'thread_name' && it.args?.name === 'CrRendererMain' && it.pid === pid,
  );
  const tasks = events.filter(
    ({ name, tid, tdur, ...it }) =>
      name.endsWith('RunTask') && it.pid === pid && tid === main?.tid && tdur !== undefined,
  );
  const start = Math.min(...tasks.map(({ ts }) => ts));
  return tasks.map(({ ts, tdur = 0 }) => ({ atMs: (ts - start) / 1_000, cpuMs: tdur / 1_000 }));
}

/** The process that draws the page: of all renderers the one that ran most tasks. */
function rendererOf(events: readonly TraceEvent[]): number {
  const counts = new Map<number, number>();
  const renderers = new Set(events.filter((it) => it.args?.name === 'CrRendererMain').map(({ pid }) => pid));
  for (const { name, pid } of events)
    if (renderers.has(pid) && name.endsWith('RunTask')) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}

/** Memory of the page's objects and buffers, after garbage was collected. */
export async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize, backingStorageSize = 0 } = (await session.send('Runtime.getHeapUsage')) as {
    usedSize: number;
    backingStorageSize?: number;
  };
  await session.detach();
  return usedSize + backingStorageSize;
}
