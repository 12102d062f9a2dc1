// Hubs, nodes and clients in the process of the test, over real sockets, ended with the test.
// Invariant: whatever was started is stopped, in the order client, node, hub, so that no stop waits for another.
import { onTestFinished } from 'vitest';
import {
  createClient,
  createHub,
  createNode,
  noLog,
  type Client,
  type ClientOptions,
  type FleetNode,
  type Hub,
  type HubOptions,
  type NodeOptions,
} from '../../src/index.ts';
import { quickHub, quickLink } from './processes.ts';
import { createWork, type WorkEvent } from './roles/work.ts';

export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const hub = await createHub({ ...quickHub, port: 0, log: noLog(), drainTimeoutMs: 200, ...options });
  onTestFinished(() => hub.stop());
  return hub;
}

export interface WorkingNode extends ReturnType<typeof createWork> {
  readonly node: FleetNode;
  readonly events: WorkEvent[];
}

type Options<T> = Omit<T, 'hub' | 'functions'> & Partial<Pick<NodeOptions, 'functions'>>;

/** A node that is ready, with the functions of `createWork`. */
export async function startNode(
  url: string,
  id: string,
  options: Options<NodeOptions> = {},
): Promise<WorkingNode> {
  const events: WorkEvent[] = [];
  const work = createWork(id, (event) => void events.push(event));
  const node = createNode({
    ...quickLink,
    hub: url,
    id,
    log: noLog(),
    drainTimeoutMs: 200,
    functions: work.functions,
    ...options,
  });
  onTestFinished(async () => {
    work.releaseAll();
    await node.stop();
  });
  await node.ready();
  return Object.assign(work, { node, events });
}

export async function startClient(url: string, options: Omit<ClientOptions, 'hub'> = {}): Promise<Client> {
  const client = createClient({ ...quickLink, hub: url, log: noLog(), drainTimeoutMs: 200, ...options });
  onTestFinished(() => client.stop());
  await client.ready();
  return client;
}

export type { Client, FleetNode, Hub };
