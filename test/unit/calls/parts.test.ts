// The small parts of calls: deadlines, balancing, the consumer's end of a stream, the order of a turn, acknowledgements.
// Invariant: each is driven by hand here, on a simulated clock.
import { describe, expect, it } from 'vitest';
import { Acknowledgements } from '../../../src/calls/acks.ts';
import { createBalance, type Candidate } from '../../../src/calls/balance.ts';
import { Deadlines, type Waiting } from '../../../src/actors/deadlines.ts';
import { InboundStream } from '../../../src/calls/stream.ts';
import { Turn } from '../../../src/calls/turn.ts';
import { FrameType } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { readIds } from '../../../src/protocol/lists.ts';
import { Outbox } from '../../../src/protocol/outbox.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { createSimulation, Prng } from '../../../src/testing/index.ts';

interface Named extends Waiting {
  readonly name: string;
}
const waiting = (name: string): Named => ({
  name,
  dueAt: 0,
  earlier: undefined,
  later: undefined,
  bucket: undefined,
});

describe('deadlines', () => {
  function make() {
    const simulation = createSimulation({ seed: 1 });
    const fired: { name: string; at: number }[] = [];
    const deadlines = new Deadlines<Named>(
      simulation.clock,
      ({ name }) => void fired.push({ name, at: simulation.clock.now() }),
    );
    return { simulation, deadlines, fired };
  }

  it('Each fires once, never early, and at most one grain late', async () => {
    const { simulation, deadlines, fired } = make();
    const due = new Map<string, number>();
    for (let i = 0; i < 500; i++) {
      const at = (i * 7_919) % 3_000;
      due.set(`d${i}`, at);
      deadlines.set(waiting(`d${i}`), at);
    }
    await simulation.run(4_000);
    expect(fired.length).toBe(500);
    expect(new Set(fired.map(({ name }) => name)).size).toBe(500);
    for (const { name, at } of fired) {
      expect(at).toBeGreaterThanOrEqual(due.get(name) ?? Infinity);
      expect(at).toBeLessThanOrEqual((due.get(name) ?? 0) + 8);
    }
  });

  it('One that was cleared does not fire, and those in the same grain do', async () => {
    const { simulation, deadlines, fired } = make();
    const [a, b, c] = [waiting('a'), waiting('b'), waiting('c')];
    for (const it of [a, b, c]) deadlines.set(it, 100);
    deadlines.clear(b);
    deadlines.clear(b);
    await simulation.run(200);
    expect(fired.map(({ name }) => name).sort()).toEqual(['a', 'c']);
  });

  it('One that is set again fires at its new time only', async () => {
    const { simulation, deadlines, fired } = make();
    const [later, sooner] = [waiting('later'), waiting('sooner')];
    deadlines.set(later, 100);
    deadlines.set(later, 500);
    deadlines.set(sooner, 900);
    deadlines.set(sooner, 50);
    await simulation.run(1_000);
    expect(fired.map(({ name }) => name)).toEqual(['sooner', 'later']);
    expect(fired[1]?.at).toBeGreaterThanOrEqual(500);
  });

  it('One may be set from inside the firing of another', async () => {
    const simulation = createSimulation({ seed: 1 });
    const at: number[] = [];
    const again = waiting('again');
    const deadlines = new Deadlines<Named>(simulation.clock, (it) => {
      at.push(simulation.clock.now());
      if (at.length < 4) deadlines.set(it, simulation.clock.now() + 100);
    });
    deadlines.set(again, 100);
    await simulation.run(1_000);
    expect(at.length).toBe(4);
  });

  it('Stopped, nothing fires and no timer is left', async () => {
    const { simulation, deadlines, fired } = make();
    deadlines.set(waiting('a'), 100);
    deadlines.stop();
    expect(simulation.planned).toBe(0);
    await simulation.run(200);
    expect(fired).toEqual([]);
  });
});

describe('balancing', () => {
  const node = (id: string, running: number, queued = 0, latencyMs = 0): Candidate & { id: string } => ({
    id,
    running,
    queued,
    latencyMs,
  });
  const counter = () => {
    let n = 0;
    return () => (n = (n * 1_664_525 + 1_013_904_223) >>> 0);
  };

  it('leastLoaded takes the one with the fewest calls that run or wait, and ties go round', () => {
    const choose = createBalance('leastLoaded', counter());
    expect(choose([node('a', 3), node('b', 1), node('c', 2)])?.id).toBe('b');
    expect(choose([node('a', 1, 5), node('b', 3)])?.id).toBe('b');
    const tied = [node('a', 0), node('b', 0), node('c', 0)];
    const taken = Array.from({ length: 6 }, () => choose(tied)?.id);
    expect(new Set(taken.slice(0, 3)).size).toBe(3);
  });

  it('latency weighs how long a node takes by how much it has to do', () => {
    const choose = createBalance('latency', counter());
    expect(choose([node('slow', 0, 0, 100), node('fast', 0, 0, 10)])?.id).toBe('fast');
    expect(choose([node('slow', 0, 0, 100), node('fast', 30, 0, 10)])?.id).toBe('slow');
    // One that has not answered yet is tried.
    expect(choose([node('known', 0, 0, 5), node('new', 0)])?.id).toBe('new');
  });

  it('latency asks one that was slow again now and then', () => {
    const prng = new Prng(1);
    const choose = createBalance('latency', () => prng.uint32());
    const nodes = [node('was slow', 0, 0, 1_000), node('fast', 0, 0, 10)];
    const asked = Array.from({ length: 2_000 }, () => choose(nodes)?.id).filter((id) => id === 'was slow');
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.length).toBeLessThan(40);
  });

  it('Of nobody, nobody is chosen', () => {
    for (const balance of ['leastLoaded', 'roundRobin', 'latency', 'random'] as const) {
      expect(createBalance(balance, counter())([])).toBeUndefined();
      expect(createBalance(balance, counter())([node('only', 9)])?.id).toBe('only');
    }
  });

  it('Among very many, leastLoaded is close to even without looking at all', () => {
    const choose = createBalance('leastLoaded', counter());
    const nodes = Array.from({ length: 200 }, (_, i) => ({ ...node(`n${i}`, 0), running: 0 }));
    for (let i = 0; i < 20_000; i++) {
      const chosen = choose(nodes);
      if (chosen !== undefined) (chosen as { running: number }).running += 1;
    }
    const loads = nodes.map(({ running }) => running);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThan(20);
  });
});

describe('the consumer’s end of a stream', () => {
  function make() {
    const credited: number[] = [];
    let abandoned = 0;
    const stream = new InboundStream({
      consumed: (bytes) => void credited.push(bytes),
      abandon: () => void (abandoned += 1),
    });
    return { stream, credited, abandoned: () => abandoned };
  }

  it('Items that came before they were asked for, and after, come out in order', async () => {
    const { stream } = make();
    stream.push(1, 10);
    stream.push(2, 10);
    const first = [await stream.next(), await stream.next()];
    const waits = [stream.next(), stream.next()];
    stream.push(3, 10);
    stream.push(4, 10);
    expect([...first, ...(await Promise.all(waits))].map(({ value }) => value as number)).toEqual([
      1, 2, 3, 4,
    ]);
    expect(stream.received).toBe(4);
  });

  it('What arrived before the end is delivered before the end, or before the error', async () => {
    const { stream } = make();
    stream.push('a', 1);
    stream.finish();
    stream.fail(new Error('too late'));
    expect(await stream.next()).toEqual({ done: false, value: 'a' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    const broken = make().stream;
    broken.push('b', 1);
    broken.fail(new Error('broken'));
    expect(await broken.next()).toEqual({ done: false, value: 'b' });
    await expect(broken.next()).rejects.toThrow('broken');
  });

  it('Credit is given for what was consumed, in parcels, and all of it in the end', async () => {
    const { stream, credited } = make();
    const itemBytes = 10_000;
    const count = 50;
    for (let i = 0; i < count; i++) stream.push(i, itemBytes);
    expect(credited).toEqual([]);
    expect(stream.waitingBytes).toBe(count * itemBytes);
    for (let i = 0; i < count; i++) await stream.next();
    expect(credited.reduce((sum, bytes) => sum + bytes, 0)).toBe(count * itemBytes);
    expect(stream.waitingBytes).toBe(0);
    expect(credited.length).toBeLessThan(count / 5);
    expect(Math.max(...credited)).toBeLessThan(limits.creditWindowBytes / 4 + itemBytes);
  });

  it('Leaving the loop abandons the call once, and nothing more comes out', async () => {
    const { stream, abandoned } = make();
    stream.push(1, 1);
    stream.push(2, 1);
    for await (const item of stream) {
      expect(item).toBe(1);
      break;
    }
    await stream.return();
    stream.push(3, 1);
    expect(abandoned()).toBe(1);
    expect(await stream.next()).toMatchObject({ done: true });
  });
});

describe('the order of a turn', () => {
  it('Clients are written to first, then calls are assigned, then nodes are written to', async () => {
    const simulation = createSimulation({ seed: 1 });
    const happened: string[] = [];
    const turn = new Turn(simulation.clock, () => void happened.push('dispatch'));
    turn.afterClients(() => void happened.push('node'));
    turn.afterInput(() => void happened.push('client'));
    turn.schedule();
    await simulation.run(1);
    expect(happened).toEqual(['client', 'dispatch', 'node']);
  });

  it('What is written to a node while calls are assigned leaves in the same turn', async () => {
    const simulation = createSimulation({ seed: 1 });
    const happened: string[] = [];
    const turn: Turn = new Turn(simulation.clock, () => {
      happened.push('dispatch');
      if (happened.length === 1) turn.afterClients(() => void happened.push('node'));
    });
    turn.schedule();
    await simulation.run(1);
    expect(happened.slice(0, 2)).toEqual(['dispatch', 'node']);
  });
});

describe('acknowledgements', () => {
  function make() {
    const simulation = createSimulation({ seed: 1 });
    const sent: { peer: number; attempts: number[]; at: number }[] = [];
    const outbox = new Outbox(
      {
        send: (message) => {
          readFrames(message, {
            frame: (type, _flags, peer, _id, bytes, start, end) => {
              expect(type).toBe(FrameType.ACK);
              const attempts: number[] = [];
              readIds(bytes, start, end, (attempt) => void attempts.push(attempt));
              sent.push({ peer, attempts, at: simulation.clock.now() });
            },
          });
          return 'taken';
        },
        bufferedBytes: 0,
        endOfTurn: (fn) => simulation.clock.endOfTurn(fn),
      },
      { onOverflow: () => undefined },
    );
    const acks = new Acknowledgements(simulation.clock);
    acks.attached(outbox);
    return { simulation, acks, sent };
  }

  it('They leave together, one frame a node, after a short while', async () => {
    const { simulation, acks, sent } = make();
    for (let i = 1; i <= 5; i++) acks.add(1, i);
    acks.add(2, 9);
    await simulation.run(5);
    expect(sent).toEqual([]);
    await simulation.run(20);
    expect(sent.map(({ peer, attempts }) => [peer, attempts])).toEqual([
      [1, [1, 2, 3, 4, 5]],
      [2, [9]],
    ]);
    await simulation.run(100);
    expect(sent.length).toBe(2);
  });

  it('Many leave at once, before the while is over', async () => {
    const { simulation, acks, sent } = make();
    for (let i = 1; i <= 128; i++) acks.add(1, i);
    await simulation.run(1);
    expect(sent.map(({ attempts }) => attempts.length)).toEqual([128]);
  });

  it('Nothing is sent for peer 0, nor without a link, and no timer is left', async () => {
    const { simulation, acks, sent } = make();
    acks.add(0, 1);
    expect(simulation.planned).toBe(0);
    acks.add(1, 1);
    acks.detached();
    acks.add(1, 2);
    expect(simulation.planned).toBe(0);
    await simulation.run(100);
    expect(sent).toEqual([]);
  });
});
