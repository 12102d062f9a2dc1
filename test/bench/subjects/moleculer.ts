// Moleculer over its TCP transporter: caller → node, without anything between.
// Invariant: loopback addresses that are given; no discovery by multicast or broadcast.

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { ServiceBroker } from 'moleculer';
import type { BrokerOptions } from 'moleculer';

import { runLoad } from '../load.ts';
import type { LoadRequest } from '../load.ts';
import { serveRoles } from '../roles.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function options(nodeID: string, urls: Record<string, string>, port: number): BrokerOptions {
  const addresses = Object.entries(urls)
    .map(([id, address]) => `${address}/${id}`)
    .join(',');
  return {
    nodeID,
    logger: false,
    transporter: { type: 'TCP', options: { udpDiscovery: false, urls: addresses, port } },
  };
}

async function node(): Promise<{ info: { callerPort: number; nodePort: number } }> {
  const [callerPort, nodePort] = [await freePort(), await freePort()];
  const urls = { caller: `127.0.0.1:${callerPort}`, node: `127.0.0.1:${nodePort}` };
  const broker = new ServiceBroker(options('node', urls, nodePort));
  broker.createService({
    name: 'math',
    actions: { add: (context: { params: { a: number; b: number } }) => context.params.a + context.params.b },
  });
  await broker.start();
  return { info: { callerPort, nodePort } };
}

async function caller(ports: {
  callerPort: number;
  nodePort: number;
}): Promise<{ commands: { load: (request: LoadRequest) => unknown } }> {
  const urls = { caller: `127.0.0.1:${ports.callerPort}`, node: `127.0.0.1:${ports.nodePort}` };
  const broker = new ServiceBroker(options('caller', urls, ports.callerPort));
  await broker.start();
  await broker.waitForServices('math');
  const call = (): Promise<unknown> => broker.call('math.add', { a: 1, b: 2 });
  return { commands: { load: (request) => runLoad(call, request) } };
}

await serveRoles({ node, caller });
