// The demo's hub, a process of its own.
// Invariant: it keeps nothing on disk: after SIGKILL its successor knows only what nodes and clients tell it.
import { createHub } from '../../index.ts';
import { configOf, liveAsRole, report, reportingLog, times, type HubConfig } from '../role.ts';

const { port } = configOf<HubConfig>();
const hub = await createHub({
  port,
  heartbeatIntervalMs: times.heartbeatIntervalMs,
  heartbeatTimeoutMs: times.heartbeatTimeoutMs,
  connectionTimeoutMs: times.connectionTimeoutMs,
  failoverAfterMs: 1_500,
  noNodeAfterMs: 20_000,
  drainTimeoutMs: 3_000,
  log: reportingLog(),
});
liveAsRole(() => hub.stop());
report({ kind: 'listening', url: hub.url, port: hub.port });
setInterval(() => {
  const { running, ended, unexpectedEvents } = hub.status();
  report({ kind: 'work', active: running, executed: ended['result'] ?? 0, unexpectedEvents });
}, 250);
