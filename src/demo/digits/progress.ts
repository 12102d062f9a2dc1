// What the demo knows of training, from what hub and nodes tell.
// Invariant: every update that a node finished is accounted for once: in the model, of an attempt that was redone, refused by
// name, gone with its node; what is left is lost.
import type { RoundReport, TrainingEvent } from '../../index.ts';
import type { Told } from './told.ts';

/** A time without training, in milliseconds on the demo's clock. */
export interface Pause {
  readonly fromMs: number;
  readonly toMs: number | undefined;
  /** That it fell into. */
  readonly round: number;
}

/** An attempt at a round that came to nothing. */
export interface Redone {
  readonly round: number;
  readonly reason: string;
}

export type Fate =
  | 'pending'
  | 'in the model'
  | 'of an attempt that was redone'
  | 'refused'
  | 'gone with its node';

/** What a node was asked for once. */
interface Update {
  readonly round: number;
  readonly node: string;
  work: 'begun' | 'finished';
  fate: Fate;
}

export interface ProgressOptions {
  elapsedMs(): number;
  say(message: string): void;
}

export const HUB_KILLED = 'the hub was killed';

export class Progress {
  readonly #options: ProgressOptions;
  committed: readonly RoundReport[] = [];
  readonly pauses: Pause[] = [];
  readonly redone: Redone[] = [];
  readonly #updates: Update[] = [];
  /** Rounds whose commit was told, by the life of the hub that told it; the first is 1. */
  readonly #told = new Map<number, number>();
  #life = 1;
  /** Of the hub that lives; `none` after its death. */
  gate: 'none' | Extract<TrainingEvent, { type: 'gate' }>['state'] = 'none';
  ended: { readonly end: string; readonly reason: string } | undefined;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** Number of updates that nodes finished. @param fate @default any */
  count(fate?: Fate): number {
    const finished = this.#updates.filter(({ work }) => work === 'finished');
    return finished.filter((it) => fate === undefined || it.fate === fate).length;
  }

  /** Of the hub that committed a round. */
  lifeOf(round: number): number | undefined {
    return this.#told.get(round);
  }

  /** In which round a node trains now. */
  trainsIn(node: string): number | undefined {
    const update = this.#updates.findLast((it) => it.node === node);
    return update?.work === 'begun' && update.fate === 'pending' ? update.round : undefined;
  }

  get accuracy(): number {
    return this.committed.at(-1)?.evaluation['accuracy'] ?? 0;
  }

  heard(told: Told, who: string): void {
    if (told.type === 'training')
      this.#updates.push({ round: told.round, node: who, work: 'begun', fate: 'pending' });
    else if (told.type === 'trained') {
      const update = this.#updates.findLast((it) => it.node === who && it.round === told.round);
      if (update !== undefined) update.work = 'finished';
    } else if (told.type === 'committed') this.#committed(told.report);
    else if (told.type === 'event') this.#event(told.event);
    else {
      this.ended = told;
      this.committed = told.history;
    }
  }

  /** What it had not delivered is gone. */
  nodeKilled(node: string): void {
    this.#settle((it) => it.node === node, 'gone with its node');
  }

  /** In mid-round, or not: the round after the last one that was committed has to be done again. */
  hubKilled(): void {
    this.gate = 'none';
    this.#life += 1;
    this.#redo(this.committed.length + 1, HUB_KILLED);
  }

  #committed(report: RoundReport): void {
    this.committed = [...this.committed, report];
    this.#told.set(report.round, this.#life);
    const { round, participants, evaluation, asked, answered, late, lost, durationMs, metrics } = report;
    for (const node of participants) {
      // Also what a node delivered just before it was killed.
      const update = this.#updates.findLast((it) => it.round === round && it.node === node);
      if (update !== undefined) Object.assign(update, { work: 'finished', fate: 'in the model' });
    }
    const missing = `${late > 0 ? `, ${late} late` : ''}${lost > 0 ? `, ${lost} lost` : ''}`;
    this.#options.say(
      `round ${String(round).padStart(2)}  accuracy ${percent(evaluation['accuracy'])}  loss ${(metrics['loss'] ?? NaN).toFixed(3)}` +
        `  ${answered} of ${asked} nodes${missing}  ${(durationMs / 1_000).toFixed(1)} s`,
    );
  }

  #event(event: TrainingEvent): void {
    const { say } = this.#options;
    if (event.type === 'abandoned') {
      this.#redo(event.round, event.reason);
      say(`round ${String(event.round).padStart(2)}  abandoned, to be done again: ${event.reason}`);
    } else if (event.type === 'refused') {
      this.#settle((it) => it.round === event.round && it.node === event.node, 'refused');
      say(`round ${String(event.round).padStart(2)}  ${event.node} refused: ${event.code}`);
    } else this.#gateMoved(event);
  }

  #gateMoved({ state, nodes }: Extract<TrainingEvent, { type: 'gate' }>): void {
    const now = this.#options.elapsedMs();
    const last = this.pauses.at(-1);
    if (last !== undefined && last.toMs === undefined)
      this.pauses[this.pauses.length - 1] = { ...last, toMs: now };
    if (state === 'paused')
      this.pauses.push({ fromMs: now, toMs: undefined, round: this.committed.length + 1 });
    this.gate = state;
    this.#options.say(`gate ${state}, ${nodes} nodes`);
  }

  #redo(round: number, reason: string): void {
    this.redone.push({ round, reason });
    this.#settle((it) => it.round === round, 'of an attempt that was redone');
  }

  #settle(whose: (update: Update) => boolean, fate: Fate): void {
    for (const it of this.#updates) if (it.fate === 'pending' && whose(it)) it.fate = fate;
  }
}

export function percent(share: number | undefined): string {
  return `${(100 * (share ?? NaN)).toFixed(2)} %`;
}
