// What must hold in every run: at each step, for each call that ends, when all is quiet, and when all has stopped.
// Invariant: only what the README promises is demanded; each exception names its reason.
import type { System } from '../../src/actors/index.ts';
import type { Fleet } from './fleet.ts';
import type { Entry } from './ledger.ts';

/** Outcomes that the README lists. */
const documented = new Set([
  'succeeded',
  'function_failed',
  'timed_out',
  'cancelled',
  'lost',
  'queue_full',
  'no_node',
]);

/** A deadline is met to its grain, and by the way of what tells of it. */
const LATE_MS = 50;

/** After each happening: what is cheap to see. */
export function checkStep({ clients, nodes, ledger, broken }: Fleet): void {
  for (const { process, life } of clients) {
    if (process === undefined) continue;
    const { inFlight } = process.status();
    const open = ledger.open.get(life) ?? 0;
    if (inFlight !== open && !(inFlight < open))
      broken(`${life} holds ${inFlight} calls of ${open} that are open`);
  }
  for (const { process, plan, life } of nodes) {
    if (process === undefined) continue;
    const { activeExecutions } = process.status();
    if (activeExecutions < 0 || activeExecutions > plan.maxConcurrent)
      broken(`${life} runs ${activeExecutions} calls, of at most ${plan.maxConcurrent}`);
  }
}

/** When a call has ended, and once more at the end of the run. */
export function checkEntry({ ledger, broken, scenario }: Fleet, entry: Entry): void {
  const { key, plan, outcome, executions, askedAt, cancelledAt, orphaned } = entry;
  if (orphaned) return;
  if (outcome === undefined) return broken(`${key} has not ended`);
  const { code, started, at, message } = outcome;
  const tookMs = at - askedAt;
  // A link that gave up says so to whoever asks for something new.
  const isRefused = code === 'not_connected' && ledger.isGone(clientOf(entry)) && executions.length === 0;
  if (!documented.has(code) && !isRefused)
    broken(`${key} ended with ${code}, which is not documented: ${message}`);
  if (started === 'notStarted' && executions.length > 0)
    broken(
      `${key} ended ${code} as not started, and was executed by ${executions.map(({ by }) => by).join()}`,
    );
  if (
    ((code === 'succeeded' && cancelledAt === undefined) || code === 'function_failed') &&
    executions.length === 0
  )
    broken(`${key} ended ${code} and was never executed`);
  if (code === 'function_failed' && plan.kind !== 'fail')
    broken(`${key} failed, and its function does not: ${message}`);
  if (code === 'cancelled' && cancelledAt === undefined) broken(`${key} was cancelled by nobody: ${message}`);
  // An attempt of an idempotent call may have been executed before one was refused.
  if ((code === 'queue_full' || code === 'no_node') && started !== 'notStarted' && !plan.idempotent)
    broken(`${key} ended ${code} and does not say that it was not started`);
  const leastMs = Math.min(
    plan.deadlineMs,
    ...scenario.nodes.map(({ times }) => times.executionTimeoutMs ?? 120_000),
  );
  if (code === 'timed_out' && tookMs < leastMs - 1e-6)
    broken(`${key} timed out after ${tookMs} ms, before its ${plan.deadlineMs} ms were over`);
  // An idempotent call leaves a node that is only away; its attempts may be spent so.
  if (code === 'lost' && started === 'unknown' && !plan.idempotent) {
    const suspects = outcome.node === undefined ? scenario.nodes.map(({ id }) => id) : [outcome.node];
    if (![clientOf(entry), ...suspects].some((id) => ledger.isGone(id)))
      broken(`${key} was lost (unknown), and neither its node nor its client is gone: ${message}`);
  }
}

/** A deadline passed, and its call is there still: asked at each step of those that are due. */
export function checkDue(fleet: Fleet, entry: Entry, lastFrozen: number): void {
  if (entry.outcome !== undefined || entry.orphaned) return;
  // What its consumer has not taken yet comes before the error.
  if (entry.plan.kind === 'rows' && entry.plan.consumeMs > 0) return;
  const dueAt = Math.max(entry.askedAt + entry.plan.deadlineMs, lastFrozen) + LATE_MS;
  if (fleet.sim.now > dueAt) fleet.broken(`${entry.key} has not ended, ${LATE_MS} ms after its deadline`);
}

/** What is not as it should be in a fleet that nothing troubles any more; empty when all is well. */
export function unrest(fleet: Fleet): string[] {
  const { hub, nodes, clients, ledger, database } = fleet;
  if (hub === undefined) return ['there is no hub'];
  const wrong: string[] = [];
  const expect = (what: string, is: unknown, due: unknown): void => {
    if (is !== due) wrong.push(`${what} is ${String(is)} instead of ${String(due)}`);
  };
  const status = hub.status();
  expect('calls waiting at the hub', status.waiting, 0);
  expect('calls running, for the hub', status.running, 0);
  expect('nodes at the hub', status.nodes, nodes.length);
  expect('clients at the hub', status.clients, clients.length);
  expect('connections of the hub', status.connections, nodes.length + clients.length);
  for (const { id, state, totalTasksExecuted } of hub.nodes()) {
    expect(`state of ${id} at the hub`, state, 'online');
    const record = database?.nodes.get(`/holdfast/nodes/${id}`);
    if (database !== undefined)
      expect(`calls of ${id} on record`, record?.totalTasksExecuted, totalTasksExecuted);
  }
  expect('durable calls on record', database?.calls ?? 0, 0);
  for (const { id, state, queued } of hub.clients()) {
    expect(`state of ${id} at the hub`, state, 'online');
    expect(`calls of ${id} at the hub`, queued, 0);
  }
  for (const { plan, process, former } of nodes) {
    const lives = [...former.map((life) => life), { process, host: { state: 'running' } }]
      .filter((life) => life.process !== undefined && life.host.state !== 'killed')
      .map(({ process: node }) => node?.status());
    expect(`links of ${plan.id}`, lives.filter((it) => it?.state === 'connected').length, 1);
    for (const it of lives) {
      if (it === undefined) continue;
      // One that gave up before it was told of its rival is told when somebody connects it again.
      const isOver = ['connected', 'shutdown', 'rejected', 'failed'].includes(it.state);
      if (!isOver) wrong.push(`a life of ${plan.id} is ${it.state}: ${it.reason}`);
      expect(`executions of ${plan.id}`, it.activeExecutions + it.waitingExecutions, 0);
      expect(`outcomes kept by ${plan.id}`, it.retainedResults, 0);
    }
  }
  for (const { plan, process, life } of clients) {
    expect(`state of ${plan.id}`, process?.status().state, 'connected');
    expect(`calls of ${plan.id}`, process?.status().inFlight, 0);
    expect(`open calls of ${life}`, ledger.open.get(life) ?? 0, 0);
  }
  return wrong;
}

/** Nothing went wrong inside, in any life of anybody. */
export function checkSystems({ hub, formerHubs, nodes, clients, broken }: Fleet): void {
  // Dead letters are looked at as they are logged, where their names can be seen.
  const look = (who: string, { unexpectedEvents }: System): void => {
    if (unexpectedEvents > 0) broken(`${who} had ${unexpectedEvents} unexpected events`);
  };
  for (const { host, hub: former } of formerHubs) look(host.name, former.system);
  if (hub !== undefined) look('the hub', hub.system);
  for (const seat of [...nodes, ...clients]) {
    for (const { host, process } of seat.former) look(host.name, process.system);
    if (seat.process !== undefined) look(seat.life, seat.process.system);
  }
}

function clientOf({ key }: Entry): string {
  return key.split('#')[0] ?? '';
}
