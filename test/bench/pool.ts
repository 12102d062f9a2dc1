// Decisions per second of a pool without any HTTP: one endpoint chosen, one verdict given.
// Invariant: every pool takes the same ends in the same order; time is that of the processor, not of the wall.

import { createActor } from 'xstate';
import { endpointEffects, endpointInput, endpointMachine } from '../../machines/index.ts';
import { bindPerformers, drive } from '../../src/engine/index.ts';
import { createPool, noLog, selections, type Selection } from '../../src/index.ts';
import { median, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const BASELINE = 'XState actors, in turn';

interface Subject {
  readonly name: string;
  /** Sets up so many endpoints; answers what makes so many decisions. */
  start(endpoints: number): Promise<{ decide(decisions: number): void; stop(): Promise<void> }>;
}

/** One attempt in a hundred fails; `flapping`, every other one does, so that endpoints come and go. */
function pool(selection: Selection, failing: 'few' | 'flapping'): Subject {
  return {
    name: failing === 'few' ? selection : `${selection}, flapping`,
    async start(size) {
      const made = await createPool({
        endpoints: Array.from({ length: size }, (_, index) => ({ id: `e${index}`, weight: 1 + (index % 3) })),
        selection,
        log: noLog(),
        ...(failing === 'few' ? {} : { ejectionMs: 1, maxEjectionMs: 1 }),
      });
      const bad = failing === 'few' ? 100 : 2;
      return {
        decide(decisions) {
          for (let i = 0; i < decisions; i++) {
            const attempt = made.request().next();
            if (attempt === undefined) throw new Error('the pool has no endpoint');
            if (i % bad === bad - 1) attempt.ended({ status: 503 });
            else attempt.succeeded();
          }
        },
        stop: () => made.close(),
      };
    },
  };
}

/** The same machine, each endpoint an actor of XState: what verdicts would cost without the compiled table. */
const actors: Subject = {
  name: BASELINE,
  async start(size) {
    const nothing = () => {};
    const performers = {
      announceEjected: nothing,
      announceRecovered: nothing,
      announceReleased: nothing,
      announceRemoved: nothing,
      startProbe: nothing,
      abortProbe: nothing,
    };
    const clock = { setTimeout: () => 0, clearTimeout: () => {} };
    const all = Array.from({ length: size }, () => {
      const driven = drive(endpointMachine, endpointEffects, performers);
      const actor = createActor(driven.machine, { input: endpointInput, clock });
      bindPerformers(actor, driven);
      actor.start();
      actor.send({ type: 'endpoint.opened', at: 0 });
      return actor;
    });
    let turn = 0;
    return {
      decide(decisions) {
        for (let i = 0; i < decisions; i++) {
          const actor = all[turn++ % size];
          const at = performance.now();
          const epoch = 0;
          if (i % 100 === 99) actor?.send({ type: 'attempt.failed', epoch, at, retryAfterMs: 0, room: 1 });
          else actor?.send({ type: 'attempt.succeeded', epoch, at, latencyMs: 1 });
        }
      },
      stop: () => Promise.resolve(),
    };
  },
};

async function perSecond(subject: Subject, endpoints: number, decisions: number): Promise<number> {
  const { decide, stop } = await subject.start(endpoints);
  decide(decisions / 10);
  const before = process.cpuUsage();
  decide(decisions);
  const { user, system } = process.cpuUsage(before);
  await stop();
  return decisions / ((user + system) / 1e6);
}

/** Rows `<selection>@<endpoints>` in decisions/s; the ratio is against XState actors with as many endpoints. */
export async function run({ rounds, quick, only, say }: BenchOptions): Promise<Row[]> {
  const subjects = [...selections.map((each) => pool(each, 'few')), pool('roundRobin', 'flapping'), actors];
  const chosen = subjects.filter(({ name }) => only === undefined || only.includes(name));
  const decisions = quick ? 2_000 : 300_000;
  const rows: Row[] = [];
  for (const endpoints of [4, 64, 1_024]) {
    const rates = new Map(chosen.map((subject): [Subject, number[]] => [subject, []]));
    for (let round = 0; round < rounds; round++) {
      for (const subject of rotated(chosen, round)) {
        const rate = await perSecond(subject, endpoints, decisions);
        rates.get(subject)?.push(rate);
        say(`${subject.name.padEnd(24)} ${String(endpoints).padStart(5)} endpoints  ${Math.round(rate)}/s`);
      }
    }
    const baseline = median(rates.get(actors) ?? []);
    for (const [{ name }, values] of rates) {
      const value = median(values);
      const ratio = Number.isNaN(baseline) ? null : value / baseline;
      rows.push({ name: `${name}@${endpoints}`, value, unit: 'decisions/s', ratio });
    }
  }
  return rows;
}
