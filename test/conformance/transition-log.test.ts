// The transition log of a real fleet conforms to the machines; of a log that was tampered with, the line is found.
import { beforeAll, describe, expect, it } from 'vitest';
import { registry } from '../../machines/index.ts';
import {
  createClient,
  createHub,
  createNode,
  noLog,
  transitionLine,
  withCall,
  type TransitionRecord,
} from '../../src/index.ts';
import { conform, Prng, type Conformance } from '../../src/testing/index.ts';

const machines = Object.values(registry).map(({ machine }) => machine);
const check = (lines: readonly string[]): Conformance => conform(lines, { machines });

/** A hub that restarts, two nodes and a client: calls that succeed, throw, are cancelled, time out and fail over. */
async function fleetLog(): Promise<string[]> {
  const lines: string[] = [];
  const log = noLog();
  const transitions = (record: TransitionRecord) => void lines.push(transitionLine(record).trimEnd());
  const first = await createHub({ port: 0, log, transitions, drainTimeoutMs: 1 });
  const link = {
    hub: first.url,
    log,
    transitions,
    reconnectIntervalMs: 20,
    reconnectMaxMs: 50,
    maxRetryAttempts: 0,
  };
  const functions = {
    add: (a: number, b: number) => a + b,
    boom: () => Promise.reject(new Error('no')),
    wait: withCall(
      ({ signal }: { signal: AbortSignal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
    ),
  };
  const nodes = ['n1', 'n2'].map((id) => createNode({ ...link, id, functions }));
  const client = createClient({ ...link, id: 'c' });
  await Promise.all([...nodes.map((node) => node.ready()), client.ready()]);

  const sums = await Promise.all(Array.from({ length: 20 }, (_, i) => client.call('add', [i, 1])));
  expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  await expect(client.call('boom')).rejects.toThrow('no');
  await expect(client.call('wait', [], { deadlineMs: 30 })).rejects.toMatchObject({ code: 'timed_out' });
  await expect(client.call('wait', [], { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
    code: 'cancelled',
  });

  const inFlight = client
    .call('wait', [], { idempotent: true, deadlineMs: 400 })
    .catch((error: unknown) => error);
  await first.stop();
  const second = await createHub({ port: first.port, log, transitions, drainTimeoutMs: 1 });
  expect(await client.call('add', [1, 2], { idempotent: true })).toBe(3);
  await inFlight;
  for (const member of [client, ...nodes, second]) await member.stop();
  return lines;
}

let lines: string[];
beforeAll(async () => {
  lines = await fleetLog();
});

const read = (line: string | undefined): TransitionRecord => JSON.parse(line ?? '') as TransitionRecord;
const write = (record: object): string => JSON.stringify(record);
/** Index of the first record that fits. */
const find = (fits: (record: TransitionRecord) => boolean): number => {
  const index = lines.findIndex((line) => fits(read(line)));
  expect(index, 'such a record is in the log').toBeGreaterThan(0);
  return index;
};
const followers = (index: number): number[] => {
  const { run, actor } = read(lines[index]);
  return lines.flatMap((line, i) =>
    i > index && read(line).actor === actor && read(line).run === run ? [i] : [],
  );
};

describe('the transition log of a hub, a second hub on its port, nodes and a client', () => {
  it('conforms: connections, sessions, calls and executions, each from its start', () => {
    const found = check(lines);
    expect(found).toMatchObject({ impossible: [], gaps: [], unreadable: [], cut: [], begunBefore: 0 });
    expect(found.checked).toBe(lines.length);
    const records = lines.map(read);
    const ids = new Set(records.map(({ machine }) => machine));
    expect([...ids].toSorted()).toEqual(['call', 'connection', 'execution', 'session']);
    const ends = records
      .filter(({ machine, status }) => machine === 'call' && status === 'done')
      .map(({ to }) => to);
    expect(new Set(ends)).toEqual(new Set(['succeeded', 'failed', 'timed_out', 'cancelled']));
    expect(records.some(({ event }) => event.type === 'socket.closed')).toBe(true);
  });

  it('conforms with the lines of different actors in any order', () => {
    const prng = new Prng(7);
    const queues = Map.groupBy(lines, (line) => read(line).actor + read(line).run);
    const shuffled: string[] = [];
    while (queues.size > 0) {
      const keys = [...queues.keys()];
      const key = keys[prng.uint32() % keys.length] ?? '';
      shuffled.push(queues.get(key)?.shift() ?? '');
      if (queues.get(key)?.length === 0) queues.delete(key);
    }
    expect(shuffled).not.toEqual(lines);
    expect(check(shuffled)).toMatchObject({ impossible: [], gaps: [], checked: lines.length });
  });

  it('conforms from the middle on, and when the last line was cut', () => {
    const half = lines.slice(Math.floor(lines.length / 3));
    const cut = [...half.slice(0, -1), half.at(-1)?.slice(0, 40) ?? ''];
    const found = check(cut);
    expect(found).toMatchObject({ impossible: [], gaps: [], unreadable: [], cut: [half.length] });
    expect(found.begunBefore).toBeGreaterThan(1);
    expect(found.checked).toBeGreaterThan(half.length / 2);
  });

  it('passes over fields that nobody knows', () => {
    const more = lines.map((line) => write({ ...read(line), host: 'h1', level: 30 }));
    expect(check(more)).toMatchObject({ impossible: [], checked: lines.length });
  });
});

describe('a log that was tampered with is refused in the right line', () => {
  const broken = (index: number, line: string): Conformance => check(lines.with(index, line));

  it('another target state', () => {
    const index = find(({ event }) => event.type === 'sync.acknowledged');
    const found = broken(index, write({ ...read(lines[index]), to: 'suspect' }));
    expect(found.impossible).toMatchObject([
      {
        line: index + 1,
        machine: 'session',
        state: 'syncing',
        event: { type: 'sync.acknowledged' },
        what: expect.stringMatching(/leads to online\.listening, and the line says suspect$/),
        possible: expect.arrayContaining([
          'sync.acknowledged [currentRegistration] → online  (its guard holds)',
        ]),
      },
    ]);
  });

  it('a stale epoch that was accepted', () => {
    const index = find(({ machine, event }) => machine === 'connection' && event.type === 'socket.opened');
    const record = read(lines[index]);
    const found = broken(index, write({ ...record, event: { ...record.event, epoch: 0 } }));
    expect(found.impossible).toMatchObject([
      {
        line: index + 1,
        what: expect.stringMatching(
          /^socket\.opened {"epoch":0} leads to establishing\.connecting, and the line says/,
        ),
        possible: [
          'socket.opened [currentSocket] → establishing.registering',
          'socket.opened → stays (noteStale)  (its guard holds)',
          expect.anything(),
        ],
      },
    ]);
  });

  it('a context that the event does not make', () => {
    const index = find(({ machine, seq }) => machine === 'call' && seq === 2);
    const record = read(lines[index]);
    const { control, ledger } = record.context as { control: { epoch: number }; ledger: object };
    const found = broken(index, write({ ...record, context: { control: { ...control, epoch: 9 }, ledger } }));
    expect(found.impossible).toMatchObject([
      {
        line: index + 1,
        machine: 'call',
        what: expect.stringContaining('makes context.control.epoch 1, and the line says 9'),
      },
    ]);
  });

  it('a line that is missing', () => {
    const index = find(({ machine, seq }) => machine === 'execution' && seq === 2);
    const [next = 0] = followers(index);
    const found = check(lines.toSpliced(index, 1));
    expect(found).toMatchObject({
      impossible: [],
      gaps: [{ line: next, missing: 1, actor: read(lines[index]).actor }],
    });
  });

  it('a line that is missing, its number with it', () => {
    const index = find(({ machine, seq }) => machine === 'execution' && seq === 2);
    const later = followers(index);
    const renumbered = lines.map((line, i) =>
      later.includes(i) ? write({ ...read(line), seq: read(line).seq - 1 }) : line,
    );
    const found = check(renumbered.toSpliced(index, 1));
    expect(found.impossible).toMatchObject([
      {
        line: later[0],
        what: expect.stringMatching(
          /^the line says that it was in running, and by the line before it was in queued/,
        ),
      },
    ]);
  });

  it('two lines of one actor that changed places', () => {
    const index = find(({ machine, seq }) => machine === 'session' && seq === 3);
    const [next = 0] = followers(index);
    const found = check(lines.with(index, lines[next] ?? '').with(next, lines[index] ?? ''));
    expect(found.gaps).toEqual([]);
    expect(found.impossible).toMatchObject([
      {
        line: index + 1,
        seq: 4,
        what: `number 4 of this actor stands before its number 3 (line ${next + 1}): lines were swapped`,
      },
    ]);
  });

  it('a line that stands there twice', () => {
    const index = find(({ machine, seq }) => machine === 'session' && seq === 3);
    expect(check(lines.toSpliced(index, 0, lines[index] ?? '')).impossible).toMatchObject([
      { line: index + 2, what: `number 3 of this actor stands in line ${index + 1} already` },
    ]);
  });

  it('an event after the end', () => {
    const index = find(({ machine, status }) => machine === 'call' && status === 'done');
    const record = read(lines[index]);
    const after = { ...record, seq: record.seq + 1, event: { type: 'link.ended', at: 1 }, from: record.to };
    expect(check(lines.toSpliced(index + 1, 0, write(after))).impossible).toMatchObject([
      { line: index + 2, what: `the actor had ended with line ${index + 1}` },
    ]);
  });

  it('a delay that was not running', () => {
    const index = find(({ machine, seq, from }) => machine === 'session' && seq === 3 && from === 'joining');
    const event = { type: 'xstate.after.sessionGrace.session.absent' };
    expect(broken(index, write({ ...read(lines[index]), event })).impossible).toMatchObject([
      {
        line: index + 1,
        what: 'after sessionGrace cannot come: that delay was not running (after syncTimeout)',
      },
    ]);
  });

  it('a line that is no record, between lines of the same run', () => {
    expect(
      check(lines.toSpliced(5, 0, '{"actor":', '{"actor":"a","machine":"call","seq":0}')).unreadable,
    ).toEqual([
      { line: 6, why: 'it is not JSON' },
      { line: 7, why: 'seq must be a whole number of at least 1' },
    ]);
  });
});
