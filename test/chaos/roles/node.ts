// One or more nodes in a process of its own, with counters of what they executed.
// Invariant: what a node's connection does is told with the time at which it did it.
import { createNode, type FleetNode, type Log, type NodeOptions } from '../../../src/index.ts';
import { monotonicMs } from '../eventually.ts';
import { leave, roleOptions, serve, tell } from './role.ts';
import { createWork } from './work.ts';

export interface NodeRoleOptions extends Omit<NodeOptions, 'functions' | 'log' | 'id'> {
  readonly ids: readonly string[];
}

const { ids, ...options } = roleOptions<NodeRoleOptions>();

function logOf(node: string): Log {
  const note = (fields: object, message: string): void =>
    tell({ event: 'log', node, at: monotonicMs(), fields, message });
  return { debug: () => undefined, info: note, warn: note, error: note };
}

const nodes = new Map<string, FleetNode>();
const works = new Map<string, ReturnType<typeof createWork>>();
for (const id of ids) {
  const work = createWork(id, tell);
  works.set(id, work);
  const onEnded = (error: Error): void => tell({ event: 'ended', node: id, message: error.message });
  nodes.set(id, createNode({ ...options, id, functions: work.functions, log: logOf(id), onEnded }));
}

serve({
  status: (id: string) => nodes.get(id)?.status(),
  statuses: () => [...nodes.values()].map((node) => node.status()),
  counts: () => [...works.values()].map((work) => work.counts()),
  order: (id: string) => works.get(id)?.order(),
  produced: (id: string) => works.get(id)?.produced(),
  release: (key: string) => {
    for (const work of works.values()) work.release(key);
  },
  releaseAll: () => {
    for (const work of works.values()) work.releaseAll();
  },
  connect: () => {
    for (const node of nodes.values()) node.connect();
  },
  stop: async () => {
    await Promise.all([...nodes.values()].map((node) => node.stop()));
  },
  leave: () => void setImmediate(leave),
});
await Promise.all([...nodes.values()].map((node) => node.ready()));
tell({ event: 'ready' });
