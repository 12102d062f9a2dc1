import { describe, expect, it } from 'vitest';
import type { ListenOptions, Listening, Socket } from '../../../src/ports.ts';
import type { Host } from '../../../src/testing/index.ts';
import { createSimulation } from '../../../src/testing/index.ts';
import type { NetworkOptions, Simulation } from '../../../src/testing/index.ts';

/** What happened to one socket, in order. */
class Diary {
  readonly lines: string[] = [];
  socket: Socket | undefined;

  readonly handlers = {
    opened: () => void this.lines.push('opened'),
    message: (bytes: Uint8Array) => void this.lines.push(`message ${new TextDecoder().decode(bytes)}`),
    drained: () => void this.lines.push('drained'),
    closed: (code: number, reason: string) => void this.lines.push(`closed ${code} ${reason}`.trim()),
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function options(accept: ListenOptions['accept'], port = 0): ListenOptions {
  return { host: '127.0.0.1', port, maxMessageBytes: 1_000, accept, page: async () => undefined };
}

interface Pair {
  sim: Simulation;
  hub: Host;
  node: Host;
  client: Diary;
  server: Diary;
  listening: Listening;
  dial(diary?: Diary): Diary;
}

async function pair(network: NetworkOptions = {}): Promise<Pair> {
  const sim = createSimulation({ seed: 1, latencyMs: 10, ...network });
  const hub = sim.host('hub');
  const node = sim.host('node');
  const server = new Diary();
  const listening = await hub.listener.listen(
    options(({ socket, handle }) => {
      server.socket = socket;
      handle(server.handlers);
    }),
  );
  const client = new Diary();
  const dial = (diary = client): Diary => {
    diary.socket = node.dialer.dial(listening.url, diary.handlers);
    return diary;
  };
  return { sim, hub, node, client, server, listening, dial };
}

async function connected(network: NetworkOptions = {}): Promise<Pair> {
  const all = await pair(network);
  all.dial();
  await all.sim.runUntil(() => all.client.lines.length > 0, 100);
  expect(all.client.lines).toEqual(['opened']);
  return all;
}

describe('the simulated clock', () => {
  it('fires timers in the order of their times, and of their setting when the times are equal', async () => {
    const sim = createSimulation({ seed: 1 });
    const fired: string[] = [];
    for (const [name, delayMs] of [
      ['c', 30],
      ['a', 10],
      ['b', 10],
      ['d', 2 ** 33],
    ] as const) {
      sim.clock.setTimer(() => fired.push(`${name} at ${sim.now}`), delayMs);
    }
    await sim.run(30);
    expect(fired).toEqual(['a at 10', 'b at 10', 'c at 30']);
    await sim.run(2 ** 33);
    expect(fired.at(-1)).toBe(`d at ${2 ** 33}`);
  });

  it('does not stop midway when one timer sets the next', async () => {
    const sim = createSimulation({ seed: 1 });
    let secondAt = -1;
    sim.clock.setTimer(() => sim.clock.setTimer(() => (secondAt = sim.now), 10), 10);
    await sim.run(20);
    expect(secondAt).toBe(20);
  });

  it('never fires a timer that was cleared, and forgets it', async () => {
    const sim = createSimulation({ seed: 1 });
    const timers = Array.from({ length: 100 }, (_, index) =>
      sim.clock.setTimer(() => expect.unreachable(), index),
    );
    for (const timer of timers) sim.clock.clearTimer(timer);
    expect(sim.planned).toBe(0);
    await sim.run(1_000);
    expect(sim.now).toBe(1_000);
  });

  it('keeps its order through random setting and clearing', async () => {
    const sim = createSimulation({ seed: 7 });
    const expected = new Map<number, number>();
    const fired: [number, number][] = [];
    const handles: object[] = [];
    for (let index = 0; index < 2_000; index += 1) {
      const delayMs = sim.random.uint32() % 500;
      handles.push(sim.clock.setTimer(() => fired.push([index, sim.now]), delayMs) as object);
      expected.set(index, delayMs);
      if (index % 3 === 0) {
        const victim = sim.random.uint32() % handles.length;
        sim.clock.clearTimer(handles[victim]!);
        expected.delete(victim);
      }
    }
    await sim.run(500);
    const sorted = [...expected].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    expect(fired).toEqual(sorted);
  });

  it('serves ten thousand timers that set themselves again', async () => {
    const sim = createSimulation({ seed: 1 });
    let fired = 0;
    for (let index = 0; index < 10_000; index += 1) {
      const again = (): void => {
        fired += 1;
        sim.clock.setTimer(again, 100);
      };
      sim.clock.setTimer(again, index % 100);
    }
    await sim.run(1_000);
    expect(fired).toBe(100_100);
    expect(sim.planned).toBe(10_000);
  });

  it('ends a turn after all that happens at one instant, and before time moves', async () => {
    const sim = createSimulation({ seed: 1 });
    const order: string[] = [];
    sim.clock.setTimer(() => {
      order.push('first');
      sim.clock.endOfTurn(() => {
        order.push(`end at ${sim.now}`);
        sim.clock.endOfTurn(() => order.push(`second end at ${sim.now}`));
      });
    }, 5);
    sim.clock.setTimer(() => order.push('second'), 5);
    sim.clock.setTimer(() => order.push('later'), 5.5);
    await sim.run(6);
    expect(order).toEqual(['first', 'second', 'end at 5', 'second end at 5', 'later']);
  });

  it('lets promises go on before the next happening', async () => {
    const sim = createSimulation({ seed: 1 });
    const order: string[] = [];
    const work = async (): Promise<void> => {
      for (let hop = 0; hop < 50; hop += 1) await Promise.resolve();
      order.push(`worked until ${sim.now}`);
    };
    sim.clock.setTimer(() => void work(), 5);
    sim.clock.setTimer(() => order.push('next'), 5);
    await sim.run(5);
    expect(order).toEqual(['worked until 5', 'next']);
  });

  it('fails with the seed when a condition does not come true, and when a handler throws', async () => {
    const sim = createSimulation({ seed: 4711 });
    await expect(sim.runUntil(() => false, 50)).rejects.toThrow(/seed 4711/);
    sim.clock.setTimer(() => {
      throw new Error('broken handler');
    }, 1);
    await expect(sim.run(10)).rejects.toThrow(/seed 4711: broken handler/);
  });

  it('notices that time stands still', async () => {
    const sim = createSimulation({ seed: 1, maxPerInstant: 100 });
    const again = (): void => void sim.clock.setTimer(again, 0);
    again();
    await expect(sim.run(10)).rejects.toThrow(/time stands still/);
  });
});

describe('the simulated network', () => {
  it('carries messages in order, each way, after the latency', async () => {
    const { sim, client, server } = await connected({ jitterMs: 5 });
    for (const text of ['1', '2', '3']) client.socket?.send(bytes(text));
    server.socket?.send(bytes('hello'));
    await sim.run(9);
    expect(server.lines).toEqual([]);
    await sim.run(6);
    expect(server.lines).toEqual(['message 1', 'message 2', 'message 3']);
    expect(client.lines).toEqual(['opened', 'message hello']);
  });

  it('hands over a copy, so that neither side sees what the other does with its bytes', async () => {
    const { sim, client, server } = await connected();
    const sent = bytes('before');
    client.socket?.send(sent);
    sent.fill(0);
    await sim.run(10);
    expect(server.lines).toEqual(['message before']);
  });

  it('refuses a dial where nobody listens', async () => {
    const { sim, listening, dial, client } = await pair();
    listening.stopAccepting();
    dial();
    await sim.run(20);
    expect(client.lines).toEqual([`closed 1006 connect ECONNREFUSED ${listening.url}`]);
  });

  it('closes with the same code on both sides, once', async () => {
    const { sim, client, server } = await connected();
    client.socket?.send(bytes('last'));
    client.socket?.close(1000, 'bye');
    client.socket?.send(bytes('too late'));
    await sim.run(100);
    expect(server.lines).toEqual(['message last', 'closed 1000 bye']);
    expect(client.lines).toEqual(['opened', 'closed 1000 bye']);
    expect(sim.network.links).toEqual([]);
    expect(sim.planned).toBe(0);
  });

  it('terminates at once on one side and after the latency on the other', async () => {
    const { sim, client, server } = await connected();
    client.socket?.terminate();
    expect(client.lines).toEqual(['opened']);
    await sim.run(0);
    expect(client.lines).toEqual(['opened', 'closed 1006']);
    expect(server.lines).toEqual([]);
    await sim.run(10);
    expect(server.lines).toEqual(['closed 1006 connection reset']);
  });

  it('gives up on a closing handshake that nobody answers', async () => {
    const { sim, client } = await connected();
    sim.network.swallow();
    client.socket?.close(1000, 'bye');
    await sim.run(2_999);
    expect(client.lines).toEqual(['opened']);
    await sim.run(1);
    expect(client.lines).toEqual(['opened', 'closed 1006']);
  });

  it('cuts links and refuses dials until it is healed', async () => {
    const { sim, client, server, dial } = await connected();
    sim.network.cut();
    await sim.run(10);
    expect(client.lines.at(-1)).toBe('closed 1006 connection reset');
    expect(server.lines).toEqual(['closed 1006 connection reset']);
    const refused = dial(new Diary());
    await sim.run(20);
    expect(refused.lines).toEqual(['closed 1006 connection reset']);
    sim.network.heal();
    const healed = dial(new Diary());
    await sim.run(20);
    expect(healed.lines).toEqual(['opened']);
  });

  it('swallows bytes while sockets stay open, and a link that lost some carries none again', async () => {
    const { sim, client, server, dial } = await connected();
    const other = dial(new Diary());
    await sim.run(20);
    sim.network.swallow(({ id }) => id === 1);
    client.socket?.send(bytes('gone'));
    other.socket?.send(bytes('through'));
    await sim.run(1_000);
    sim.network.heal();
    client.socket?.send(bytes('gone as well'));
    await sim.run(1_000);
    expect(server.lines).toEqual(['message through']);
    expect(client.lines).toEqual(['opened']);
    client.socket?.terminate();
    await sim.run(100);
    expect(client.lines).toEqual(['opened', 'closed 1006']);
  });

  it('loses what was under way when swallowing begins, and keeps links whole that carried nothing', async () => {
    const { sim, client, server, dial } = await connected();
    const quiet = dial(new Diary());
    await sim.run(20);
    client.socket?.send(bytes('under way'));
    sim.network.swallow();
    await sim.run(100);
    sim.network.heal();
    quiet.socket?.send(bytes('whole'));
    await sim.run(100);
    expect(server.lines).toEqual(['message whole']);
  });

  it('offers peers that never speak, before and after the upgrade', async () => {
    const { sim, node } = await pair();
    const deaf = sim.network.mute();
    const mute = sim.network.mute({ upgrade: true });
    const first = new Diary();
    const second = new Diary();
    first.socket = node.dialer.dial(deaf.url, first.handlers);
    second.socket = node.dialer.dial(mute.url, second.handlers);
    await sim.run(60_000);
    expect(first.lines).toEqual([]);
    expect(second.lines).toEqual(['opened']);
    first.socket.terminate();
    await sim.run(100);
    expect(first.lines).toEqual(['closed 1006']);
  });

  it('counts bytes that the kernels do not take, and tells when they are gone', async () => {
    const { sim, client, server } = await connected({ kernelBytes: 100 });
    server.socket?.pause();
    for (let index = 0; index < 3; index += 1) client.socket?.send(new Uint8Array(60));
    await sim.run(1_000);
    expect(client.socket?.bufferedBytes).toBe(80);
    expect(server.lines).toEqual([]);
    server.socket?.resume();
    await sim.run(20);
    expect(client.socket?.bufferedBytes).toBe(0);
    expect(server.lines).toHaveLength(3);
    expect(client.lines).toEqual(['opened', 'drained']);
  });

  it('closes on a message that is longer than the listener takes', async () => {
    const { sim, client, server } = await connected();
    client.socket?.send(new Uint8Array(1_000).fill(65));
    client.socket?.send(new Uint8Array(1_001));
    await sim.run(100);
    expect(server.lines).toEqual([`message ${'A'.repeat(1_000)}`, 'closed 1009 a message of 1001 bytes']);
    expect(client.lines.at(-1)).toBe('closed 1009 a message of 1001 bytes');
  });

  it('ends what a listener accepted when that is closed, and frees the port', async () => {
    const { sim, hub, client, listening } = await connected();
    await listening.close();
    await sim.run(10);
    expect(client.lines.at(-1)).toBe('closed 1006 connection reset');
    const again = await hub.listener.listen(options(() => {}, listening.port));
    expect(again.url).toBe(listening.url);
    await expect(hub.listener.listen(options(() => {}, listening.port))).rejects.toThrow(/in use/);
  });

  it('answers for the HTTP pages of a listener', async () => {
    const { sim, hub } = await pair();
    const page = { status: 200, contentType: 'text/plain', body: 'well' };
    const listening = await hub.listener.listen({
      ...options(() => {}),
      page: async (path) => (path === '/health' ? page : undefined),
    });
    const base = listening.url.replace('ws:', 'http:');
    await expect(sim.network.page(`${base}/health?verbose`)).resolves.toEqual(page);
    await expect(sim.network.page(`${base}/nothing`)).resolves.toBeUndefined();
    await expect(sim.network.page('http://127.0.0.1:1/health')).rejects.toThrow(/nobody listens/);
  });
});

describe('simulated processes', () => {
  it('stop running when they are killed, and their peers learn of it', async () => {
    const { sim, hub, client, server, dial } = await connected();
    hub.clock.setTimer(() => expect.unreachable(), 15);
    const late = dial(new Diary());
    await sim.run(5);
    hub.kill();
    expect(sim.host('hub')).not.toBe(hub);
    await sim.run(1_000);
    expect(client.lines).toEqual(['opened', 'closed 1006 connection reset']);
    expect(late.lines).toHaveLength(1);
    expect(server.lines).toEqual([]);
    expect(sim.network.links).toEqual([]);
  });

  it('reach nobody any more after they were killed, though their code may still run', async () => {
    const { sim, node, hub, client, server, dial } = await connected();
    node.kill();
    node.clock.setTimer(() => expect.unreachable(), 1);
    node.clock.endOfTurn(() => expect.unreachable());
    const ghost = dial(new Diary());
    client.socket?.send(bytes('ghost'));
    await expect(node.listener.listen(options(() => {}))).rejects.toThrow(/node was killed/);
    await sim.run(1_000);
    expect(ghost.lines).toEqual([]);
    expect(sim.network.links).toEqual([]);
    expect(server.lines).toEqual(['closed 1006 connection reset']);
    expect(hub.state).toBe('running');
  });

  it('vanish without a word when the whole machine does', async () => {
    const { sim, hub, client } = await connected();
    hub.kill(true);
    await sim.run(60_000);
    expect(client.lines).toEqual(['opened']);
    client.socket?.terminate();
    await sim.run(1);
    expect(sim.network.links).toEqual([]);
  });

  it('handle overdue timers before the input that piled up, when they are continued after a stop', async () => {
    const { sim, hub, node } = await pair();
    const order: string[] = [];
    const server = new Diary();
    const listening = await hub.listener.listen(
      options(({ socket, handle }) => {
        server.socket = socket;
        handle(server.handlers);
      }),
    );
    node.dialer.dial(listening.url, {
      opened() {},
      message: (message) => void order.push(`message ${new TextDecoder().decode(message)}`),
      drained() {},
      closed() {},
    });
    await sim.run(20);
    node.clock.onJump((jumpMs) => order.push(`jump of ${jumpMs}`));
    node.clock.setTimer(() => {
      order.push(`timer at ${sim.now}`);
      node.clock.endOfTurn(() => order.push('turn ends'));
    }, 100);
    node.stop();
    server.socket?.send(bytes('waiting'));
    await sim.run(5_000);
    expect(order).toEqual([]);
    node.continue();
    await sim.run(0);
    expect(order).toEqual(['jump of 5000', 'timer at 5020', 'message waiting', 'turn ends']);
    node.stop();
    await sim.run(2_000);
    node.continue();
    await sim.run(0);
    expect(order).toHaveLength(4);
  });

  it('that are killed before they took a connection end it', async () => {
    const { sim, hub, client, dial } = await pair();
    hub.stop();
    dial();
    await sim.run(100);
    expect(client.lines).toEqual([]);
    hub.kill();
    await sim.run(100);
    expect(client.lines).toEqual(['closed 1006 connection reset']);
  });

  it('have randomness of their own that the seed determines', () => {
    const ids = (seed: number) => {
      const sim = createSimulation({ seed });
      return [sim.host('a').random.id(), sim.host('b').random.id(), sim.random.id()];
    };
    expect(ids(1)).toEqual(ids(1));
    expect(new Set([...ids(1), ...ids(2)]).size).toBe(6);
  });
});

describe('a run', () => {
  async function play(seed: number): Promise<string> {
    const sim = createSimulation({ seed, latencyMs: 5, jitterMs: 20 });
    const hub = sim.host('hub');
    const listening = await hub.listener.listen(
      options(({ socket, handle }) =>
        handle({ message: (message) => socket.send(message), drained() {}, closed() {} }),
      ),
    );
    for (let index = 0; index < 20; index += 1) {
      const host = sim.host(`node-${index}`);
      const dial = (): void => {
        const socket = host.dialer.dial(listening.url, {
          opened: () => socket.send(bytes(`hello from ${index}`)),
          message: () => void host.clock.setTimer(() => socket.terminate(), host.random.uint32() % 100),
          drained() {},
          closed: () => void host.clock.setTimer(dial, host.random.uint32() % 1_000),
        });
      };
      dial();
    }
    await sim.run(10_000);
    return sim.fingerprint;
  }

  it('by the same seed is the same, and by another seed another', async () => {
    const [first, second, other] = [await play(5), await play(5), await play(6)];
    expect(first).toBe(second);
    expect(first).not.toBe(other);
  });

  it('waits for a promise of its own world', async () => {
    const sim = createSimulation({ seed: 1 });
    const later = new Promise<string>((resolve) => sim.clock.setTimer(() => resolve('done'), 500));
    await expect(sim.settle(later, 1_000)).resolves.toBe('done');
    expect(sim.now).toBe(500);
    await expect(sim.settle(Promise.reject(new Error('no')), 10)).rejects.toThrow('no');
    await expect(sim.settle(new Promise(() => {}), 10)).rejects.toThrow(/did not settle within 10 ms/);
  });
});
