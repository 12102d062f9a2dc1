// The page under load for as long as one likes: `npm run page:endure -- 10` streams for ten minutes and prints a line a minute.
// Invariant: the status is 0 only if no task took over 50 ms of CPU time, and memory was flat once the past that is kept was full.
import { builtPage, launch, openPage } from './browser.ts';
import { heapBytes, mainThreadTasks } from './measure.ts';
import { servePage } from './page-server.ts';
import { SyntheticFleet } from './synthetic-fleet.ts';

const NODES = 1_000;
const STEPS_PER_SECOND = 500;
const MAX_TASK_MS = 50;
/** Peak of the second half against that of the first. */
const MAX_GROWTH = 1.25;
const MEASURED_MS = 10_000;

const minutes = Number(process.argv[2] ?? 10);
const fleet = new SyntheticFleet({ nodes: NODES });
const server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(fleet.beginning()) });
const browser = await launch();
const { page, faults } = await openPage(browser, server.url);
await page.locator('[data-node="n2"]').waitFor();
const paint = await page.evaluate<string>(
  `Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime) + ' ms to the first paint, ' +
   Math.round(performance.now()) + ' ms to the fleet of ${NODES} nodes'`,
);
console.log(paint);

let told = 0;
let due = performance.now();
const streaming = setInterval(() => {
  // What this process was late by is made up for, as a hub would.
  for (; due <= performance.now(); due += 100) {
    server.send(fleet.steps(STEPS_PER_SECOND / 10, 100));
    told += STEPS_PER_SECOND / 10;
    if (told % STEPS_PER_SECOND === 0) server.send([fleet.fleet('changed')]);
  }
}, 20);

const megabytes: number[] = [];
let longest = 0;
for (let minute = 1; minute <= minutes; minute += 1) {
  await page.waitForTimeout(60_000 - MEASURED_MS);
  const tasks = await mainThreadTasks(page, () => page.waitForTimeout(MEASURED_MS));
  const slowest = Math.max(...tasks.map(({ cpuMs }) => cpuMs));
  longest = Math.max(longest, slowest);
  const busy = tasks.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / MEASURED_MS;
  megabytes.push((await heapBytes(page)) / 1e6);
  const heap = megabytes.at(-1)?.toFixed(1);
  console.log(
    `minute ${minute}: ${told} steps, ${heap} MB, longest task ${slowest.toFixed(0)} ms, busy ${(busy * 100).toFixed(0)} %`,
  );
}
clearInterval(streaming);
await browser.close();
await server[Symbol.asyncDispose]();

// Memory rises and falls with the checkpoints: its peaks are what must not grow. The first minute fills the past.
const middle = Math.ceil(megabytes.length / 2);
const first = Math.max(...megabytes.slice(0, middle));
const second = Math.max(...megabytes.slice(middle));
const growth = megabytes.length < 2 ? 1 : second / first;
console.log(
  `memory peaked at ${first.toFixed(1)} MB, then at ${second.toFixed(1)} MB; longest task ${longest.toFixed(0)} ms; ${faults.length} faults`,
);
for (const fault of faults) console.error(fault);
process.exitCode = growth <= MAX_GROWTH && longest <= MAX_TASK_MS && faults.length === 0 ? 0 : 1;
