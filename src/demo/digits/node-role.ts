// One of the demo's nodes, a process of its own: it trains on digits that no other node has.
// Invariant: it keeps nothing on disk; what it was working on when it is killed is gone.
import { createNode, trainable } from '../../index.ts';
import { configOf, liveAsRole, report, reportingLog, times, type NodeConfig } from '../role.ts';
import { createLearner, heartbeat, openDemoNetwork } from './job.ts';
import type { LearnerConfig, Told } from './told.ts';

const { id, hub, digits } = configOf<NodeConfig & LearnerConfig>();
const tell = (told: Told): void => report({ kind: 'told', told });
const learn = createLearner(await openDemoNetwork(), digits, id);

const node = createNode({
  hub,
  id,
  functions: {
    ...trainable({
      async train({ round, weights, signal }) {
        tell({ type: 'training', round });
        const update = await learn({ round, weights, signal });
        signal.throwIfAborted();
        tell({ type: 'trained', round });
        return update;
      },
    }),
  },
  ...times,
  ...heartbeat,
  drainTimeoutMs: 3_000,
  log: reportingLog(),
});
liveAsRole(() => node.stop());
setInterval(() => {
  const { activeExecutions, totalExecuted } = node.status();
  const { unexpectedEvents } = node.system;
  report({ kind: 'work', active: activeExecutions, executed: totalExecuted, unexpectedEvents });
}, 250);
