// Bad input at large: what a hub makes of hundreds of thousands of damaged frames, and what others notice of it.
// The seed is printed; `FUZZ_SEED=… npx vitest run … test/conformance/fuzz.test.ts` says the same frames again.
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { HubProcess, startBystanders } from './fuzz/children.ts';
import { seedOf } from './fuzz/dice.ts';
import { offend } from './fuzz/offender.ts';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 200_000);
const LANES = 8;
/** What the hub may hold more than before, after a garbage collection, when all offenders are gone. */
const KEPT_BYTES = 16 * 1_048_576;
/** The most memory that the process may ever have taken. */
const PEAK_RSS_BYTES = 512 * 1_048_576;
/** Of the bystanders' calls; a call takes about 2 ms. The machine may be busy with other tests. */
const P99_MS = 500;

/** Codes of PROTOCOL.md that a hub sends. */
function documentedCodes(): Set<number> {
  const text = readFileSync(new URL('../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| (\d{4}) \| [A-Z_]+ \| ([^|]+) \|/gm)];
  return new Set(rows.filter(([, , by]) => !by!.includes('not sent')).map(([, code]) => Number(code)));
}

it(
  `A hub outlives ${FRAMES} damaged frames: each offender gets a code that PROTOCOL.md names, and bystanders notice nothing`,
  { timeout: 120_000 },
  async () => {
    const seed = seedOf();
    console.log(`FUZZ_SEED=${seed}`);
    const hub = await HubProcess.start();
    const bystanders = await startBystanders(hub.url);
    const documented = documentedCodes();
    const codes = new Map<number, number>();
    const odd: string[] = [];
    let mutatedFrames = 0;
    let offenders = 0;
    let next = 0;

    async function lane(): Promise<void> {
      while (mutatedFrames < FRAMES) {
        const number = next;
        next += 1;
        const offence = await offend(hub.url, seed, number);
        mutatedFrames += offence.mutatedFrames;
        offenders += 1;
        const code = offence.closed?.code ?? 0;
        codes.set(code, (codes.get(code) ?? 0) + 1);
        if (offence.closed !== undefined && !documented.has(code))
          odd.push(`offender ${number}: ${code} ${offence.closed.reason}`);
      }
    }
    const before = await hub.memory();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: LANES }, lane));
    const seconds = (performance.now() - startedAt) / 1_000;
    const experience = await bystanders.experience();
    // Sessions of those who left are held for a while.
    await expect
      .poll(async () => (await hub.status()).status, { timeout: 20_000, interval: 100 })
      .toMatchObject({ nodes: 1, clients: 1, connections: 2, waiting: 0, running: 0 });
    // What sockets held is freed a while after them.
    let after = before;
    const keptBytes = async (): Promise<number> => {
      after = await hub.memory();
      return Math.max(after.heapBytes - before.heapBytes, after.bufferBytes - before.bufferBytes);
    };
    await expect.poll(keptBytes, { timeout: 10_000, interval: 200 }).toBeLessThan(KEPT_BYTES);
    const { status, names } = await hub.status();
    console.log(
      JSON.stringify({
        seconds,
        offenders,
        mutatedFrames,
        codes: Object.fromEntries(codes),
        experience,
        before,
        after,
      }),
    );

    expect(hub.defects).toEqual([]);
    expect(odd).toEqual([]);
    expect([...codes.keys()]).toEqual(expect.arrayContaining([0, 4400, 4402, 4403, 4404]));
    expect(status).toMatchObject({ unexpectedEvents: 0 });
    expect(names).toBe(1);
    expect(after.peakRssBytes).toBeLessThan(PEAK_RSS_BYTES);
    expect(experience).toMatchObject({ failures: [], nodeReconnects: 0, clientReconnects: 0, retries: 0 });
    expect(experience.calls).toBeGreaterThan(1_000);
    expect(experience.p99Ms).toBeLessThan(P99_MS);
  },
);
