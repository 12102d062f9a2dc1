// Options of links, hubs, nodes and clients: defaults, presets, and what is refused.
// Invariant of all: a refusal names the option, the value that was given, and what to do.
import { describe, expect, it } from 'vitest';
import {
  createClient,
  createHub,
  createNode,
  defaults,
  HoldfastError,
  limits,
  noLog,
  presets,
  type ClientOptions,
  type HubOptions,
  type NodeOptions,
} from '../../../src/index.ts';
import { resolveHubOptions } from '../../../src/hub/options.ts';
import { resolveTimes } from '../../../src/links/options.ts';

/** DESIGN's table of defaults: the value, then what presets make of it. */
const table: Record<string, [number, { [preset: string]: number }?]> = {
  reconnectIntervalMs: [
    2_000,
    { development: 1_000, highAvailability: 1_000, unstableNetwork: 5_000, production: 5_000 },
  ],
  reconnectMaxMs: [60_000],
  maxRetryAttempts: [10, { development: 5, highAvailability: 20, unstableNetwork: 50, production: 20 }],
  heartbeatIntervalMs: [
    5_000,
    { development: 3_000, highAvailability: 2_000, unstableNetwork: 10_000, production: 10_000 },
  ],
  heartbeatTimeoutMs: [
    15_000,
    { development: 10_000, highAvailability: 8_000, unstableNetwork: 30_000, production: 30_000 },
  ],
  healthCheckIntervalMs: [30_000, { highAvailability: 10_000, unstableNetwork: 60_000, production: 60_000 }],
  connectionTimeoutMs: [10_000, { highAvailability: 5_000, unstableNetwork: 20_000 }],
  executionTimeoutMs: [300_000, { highAvailability: 120_000 }],
  stableAfterMs: [10_000, { unstableNetwork: 30_000 }],
};
const names = ['development', 'highAvailability', 'unstableNetwork', 'production'] as const;

describe('defaults and presets', () => {
  it('Without a preset every time is the one of the table', () => {
    const resolved = resolveTimes({}) as unknown as Record<string, number>;
    for (const [name, [value]] of Object.entries(table)) expect(resolved[name], name).toBe(value);
    expect(defaults.maxQueueSize).toBe(1_000);
    expect(defaults.sessionGraceMs).toBe(60_000);
    expect(limits.maxRetainedResults).toBe(10_000);
    expect(limits.maxRetainedBytes).toBe(64 * 1_048_576);
  });

  it.each(names)('The preset %s changes what the table says, and nothing else', (preset) => {
    const resolved = resolveTimes({}, preset) as unknown as Record<string, number>;
    for (const [name, [value, changed]] of Object.entries(table)) {
      expect(resolved[name], `${preset}: ${name}`).toBe(changed?.[preset] ?? value);
    }
    const known = new Set([...Object.keys(table), 'sessionGraceMs']);
    expect(Object.keys(presets[preset]).filter((name) => !known.has(name))).toEqual([]);
    expect(resolveHubOptions({ preset }).sessionGraceMs).toBe(
      preset === 'unstableNetwork' ? 300_000 : 60_000,
    );
  });

  it('What is given wins over the preset, and the preset over the default', () => {
    const resolved = resolveTimes({ heartbeatIntervalMs: 123 }, 'production');
    expect(resolved).toMatchObject({
      heartbeatIntervalMs: 123,
      heartbeatTimeoutMs: 30_000,
      reconnectMaxMs: 60_000,
    });
  });

  it('An option that is given as undefined is as if it were not given', () => {
    expect(resolveTimes({ heartbeatIntervalMs: undefined as unknown as number }).heartbeatIntervalMs).toBe(
      5_000,
    );
  });
});

/** The error that making something ends with. */
async function refusal(make: () => unknown): Promise<HoldfastError> {
  try {
    await make();
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'invalid_option', retryable: false, blame: 'local' });
    return error as HoldfastError;
  }
  throw new Error('nothing was refused');
}

const url = 'ws://127.0.0.1:1';
const aNode = (options: object) =>
  createNode({ hub: url, functions: {}, log: noLog(), ...options } as NodeOptions);
const aClient = (options: object) => createClient({ hub: url, log: noLog(), ...options } as ClientOptions);
const aHub = (options: object) => createHub({ port: 0, log: noLog(), ...options } as HubOptions);

describe('refusals', () => {
  const numbers = [
    'reconnectIntervalMs',
    'reconnectMaxMs',
    'heartbeatIntervalMs',
    'heartbeatTimeoutMs',
    'healthCheckIntervalMs',
    'connectionTimeoutMs',
    'stableAfterMs',
    'drainTimeoutMs',
    'executionTimeoutMs',
  ];
  for (const [what, make] of [
    ['node', aNode],
    ['client', aClient],
  ] as const) {
    it.each(numbers)(`A ${what} refuses %s unless it is a whole number of milliseconds`, async (name) => {
      for (const value of [0, -1, 1.5, Number.NaN, Infinity, '100']) {
        const error = await refusal(() => make({ [name]: value }));
        expect(error.message).toContain(
          `option ${name} is ${String(value)}; it must be a whole number from 1 to`,
        );
      }
    });

    it(`A ${what} refuses a negative maxRetryAttempts; 0 means for ever`, async () => {
      const error = await refusal(() => make({ maxRetryAttempts: -1 }));
      expect(error.message).toContain('option maxRetryAttempts is -1; it must be a whole number from 0 to');
      await make({ maxRetryAttempts: 0 }).stop();
    });

    it(`A ${what} refuses a heartbeat time-out that does not exceed the interval`, async () => {
      const error = await refusal(() => make({ heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 5_000 }));
      expect(error.message).toBe(
        'option heartbeatTimeoutMs is 5000; it must exceed heartbeatIntervalMs (5000): a link is asked before it is given up',
      );
    });

    it(`A ${what} refuses a longest wait that is shorter than the first`, async () => {
      const error = await refusal(() => make({ reconnectIntervalMs: 500, reconnectMaxMs: 499 }));
      expect(error.message).toBe(
        'option reconnectMaxMs is 499; it must be at least reconnectIntervalMs (500)',
      );
    });

    it(`A ${what} refuses a preset that does not exist, even one that every object has`, async () => {
      for (const preset of ['fast', 'constructor', '__proto__']) {
        const error = await refusal(() => make({ preset }));
        expect(error.message).toContain(
          `option preset is ${preset}; choose one of development, highAvailability, unstableNetwork, production`,
        );
      }
    });

    it(`A ${what} refuses an address that is no WebSocket's`, async () => {
      for (const hub of ['', 'localhost:7070', 'http://localhost:7070', 'ws://', 'ws:// x']) {
        const error = await refusal(() => make({ hub }));
        expect(error.message).toContain(
          `option hub is ${JSON.stringify(hub)}; it must look like ws://host:port`,
        );
      }
    });
  }

  it.each(['maxConcurrent', 'maxRetainedResults', 'maxRetainedBytes'])(
    'A node refuses %s below 1',
    async (name) => {
      const error = await refusal(() => aNode({ [name]: 0 }));
      expect(error.message).toContain(`option ${name} is 0; it must be a whole number from 1 to`);
    },
  );

  it('A node refuses functions that are none, nameless or too many', async () => {
    expect((await refusal(() => aNode({ functions: { add: 3 } }))).message).toBe(
      'functions.add is number; it must be a function',
    );
    expect(() => aNode({ functions: { '': () => 1 } })).toThrow(/function name/);
    expect(() => aNode({ functions: { ['x'.repeat(257)]: () => 1 } })).toThrow(/function name/);
    const many = Object.fromEntries(
      Array.from({ length: limits.maxFunctionsPerNode + 1 }, (_, i) => [`f${i}`, () => i]),
    );
    expect((await refusal(() => aNode({ functions: many }))).message).toContain(
      'at most 1024 functions, not 1025',
    );
    delete many['f0'];
    await aNode({ functions: many }).stop();
  });

  it('A client refuses senseless limits', async () => {
    expect((await refusal(() => aClient({ maxCallAttempts: 0 }))).message).toContain(
      'option maxCallAttempts is 0',
    );
    expect((await refusal(() => aClient({ maxQueueSize: -1 }))).message).toContain(
      'option maxQueueSize is -1',
    );
  });

  it.each([
    'sessionGraceMs',
    'heartbeatIntervalMs',
    'heartbeatTimeoutMs',
    'connectionTimeoutMs',
    'drainTimeoutMs',
  ])('A hub refuses %s below 1', async (name) => {
    const error = await refusal(() => aHub({ [name]: 0 }));
    expect(error.message).toContain(`option ${name} is 0; it must be a whole number from 1 to`);
  });

  it.each(['maxQueueSize', 'failoverAfterMs', 'noNodeAfterMs', 'retryAfterMs', 'port'])(
    'A hub refuses %s below 0',
    async (name) => {
      const error = await refusal(() => aHub({ [name]: -1 }));
      expect(error.message).toContain(`option ${name} is -1; it must be a whole number from 0 to`);
    },
  );

  it('A hub refuses a way of balancing that does not exist', async () => {
    const error = await refusal(() => aHub({ balance: 'fair' }));
    expect(error.message).toContain(
      'option balance is fair; choose leastLoaded, roundRobin, latency or random',
    );
  });

  it('A hub without token or verify refuses to be reachable by others; with one it may', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      const error = await refusal(() => aHub({ host }));
      expect(error.message).toContain(`option host is ${host}, which others can reach`);
      expect(error.message).toContain('pass a token, or listen on 127.0.0.1');
    }
    const hub = await aHub({ host: '0.0.0.0', token: 'secret' });
    await hub.stop();
  });

  it('A hub refuses an empty token, which anyone could show', async () => {
    expect((await refusal(() => aHub({ token: '' }))).message).toContain('option token is empty');
  });

  it('A port that is taken is an error of the system, and leaves nothing behind', async () => {
    const hub = await aHub({});
    await expect(createHub({ port: hub.port, log: noLog() })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await hub.stop();
  });
});
