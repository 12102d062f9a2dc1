// Two instances of one node id at a real hub, on the simulated network. The checker's twin "whose hub forgets whom it
// replaced" shows what this prevents: instances that replace each other by turns.
import { describe, expect, it } from 'vitest';
import { startHub } from '../../../src/hub/hub.ts';
import type { Metrics, Socket } from '../../../src/ports.ts';
import { FrameType } from '../../../src/protocol/frames.ts';
import { SUBPROTOCOL } from '../../../src/protocol/limits.ts';
import { readRefused } from '../../../src/protocol/messages.ts';
import { Outbox } from '../../../src/protocol/outbox.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const noMetrics: Metrics = {
  count() {},
  gauge() {},
  render: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: '' }),
};

/** Registers as `instance` of node n1 on a fresh socket and acknowledges its sync; keeps what it hears. */
function join(
  sim: ReturnType<typeof createSimulation>,
  url: string,
  instance: string,
  epoch: number,
): string[] {
  const heard: string[] = [];
  const { clock, dialer } = sim.host(instance);
  const numbers = { epoch, registrationEpoch: epoch };
  const socket: Socket = dialer.dial(url, {
    opened() {
      outbox.json(FrameType.REGISTER, 0, 0, 0, {
        role: 'node',
        id: 'n1',
        instance,
        ...numbers,
        functions: [],
        labels: {},
        maxConcurrent: 1,
        encodings: ['json'],
        version: SUBPROTOCOL,
        heartbeatIntervalMs: 5_000,
        heartbeatTimeoutMs: 15_000,
      });
    },
    message(bytes) {
      readFrames(bytes, {
        frame(type, _flags, _peer, _id, payload, start, end) {
          if (type === FrameType.REGISTERED) heard.push('registered');
          if (type === FrameType.REPLACED) heard.push('replaced');
          if (type === FrameType.SYNC) outbox.json(FrameType.SYNCED, 0, 0, 0, numbers);
          if (type === FrameType.REFUSED)
            heard.push(readRefused(payload, start, end).terminal ? 'refused for good' : 'refused');
        },
      });
    },
    drained() {},
    closed: () => void heard.push('closed'),
  });
  const outbox = new Outbox(
    {
      send: (bytes) => socket.send(bytes),
      get bufferedBytes() {
        return socket.bufferedBytes;
      },
      endOfTurn: (fn) => clock.endOfTurn(fn),
    },
    { onOverflow: () => undefined },
  );
  return heard;
}

describe('an instance that another replaced', () => {
  it('is refused for good when it comes back, so that it cannot replace its successor', async () => {
    const sim = createSimulation({ seed: 1 });
    const { clock, random, listener } = sim.host('hub');
    const ports = { clock, random, listener, log: sim.log, metrics: noMetrics };
    const hub = await sim.settle(startHub({ port: 7070 }, ports), 1_000);

    const older = join(sim, hub.url, 'older', 1);
    await sim.runUntil(() => hub.nodes()[0]?.state === 'online', 1_000);
    const newer = join(sim, hub.url, 'newer', 1);
    await sim.runUntil(() => older.includes('closed'), 1_000);
    expect(older).toEqual(['registered', 'replaced', 'closed']);

    const back = join(sim, hub.url, 'older', 2);
    await sim.runUntil(() => back.includes('closed'), 1_000);
    expect(back).toEqual(['refused for good', 'closed']);
    expect(newer).toEqual(['registered']);
    expect(hub.nodes().map(({ instance, state }) => `${instance} ${state}`)).toEqual(['newer online']);
  });
});
