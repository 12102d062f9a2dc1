// The demo's hub, a process of its own, with the trainer in it.
// Invariant: all that its successor needs after SIGKILL is in the store.
import { writeFileSync } from 'node:fs';
import { createHub, createTrainer, openStore } from '../../index.ts';
import { configOf, liveAsRole, report, reportingLog, times, type HubConfig } from '../role.ts';
import { readDigits } from './digits.ts';
import { bytesOf, heartbeat, initialModel, MIN_NODES, openDemoNetwork, RESUME_NODES } from './job.ts';
import type { Told, TrainerConfig } from './told.ts';

const { port, rounds, digits, store: folder, model } = configOf<HubConfig & TrainerConfig>();
const tell = (told: Told): void => report({ kind: 'told', told });

const network = await openDemoNetwork();
const testDigits = readDigits(digits, 'test');
const store = await openStore(`file:${folder}`);
const hub = await createHub({
  port,
  ...heartbeat,
  connectionTimeoutMs: times.connectionTimeoutMs,
  drainTimeoutMs: 3_000,
  log: reportingLog(),
});
const trainer = createTrainer({
  hub,
  store,
  model: initialModel(network),
  rounds,
  resume: true,
  gate: { minNodes: MIN_NODES, resumeNodes: RESUME_NODES },
  // A node that is killed in mid-round is not waited for longer than that.
  stragglerGraceMs: 2_000,
  deadlineMs: 30_000,
  evaluate: async (weights) => ({ ...(await network.score(weights, testDigits)) }),
  deliver: ({ weights }) => writeFileSync(model, bytesOf(weights)),
  onRound: (committed) => tell({ type: 'committed', report: committed }),
  onEvent: (event) => tell({ type: 'event', event }),
  log: reportingLog(),
});
liveAsRole(async () => {
  await trainer[Symbol.asyncDispose]();
  await hub.stop();
  await store.close();
});
report({ kind: 'listening', url: hub.url, port: hub.port });
setInterval(() => {
  const { running, ended, unexpectedEvents } = hub.status();
  report({ kind: 'work', active: running, executed: ended['result'] ?? 0, unexpectedEvents });
}, 250);
await trainer.start();
const { end, reason } = await trainer.done;
tell({ type: 'ended', end, reason, history: await trainer.history() });
