// A model actor as a part: a value and pure functions of it.
// Invariant: a step is worked out once for each (state, event), so `step` and `choices` must be pure.
import { inWords, Part, QUIET, type Input, type Move, type Outcome, type Wiring } from './part.ts';
import type { ModelActor } from './system.ts';
import type { Numbered } from './values.ts';

export class ModelPart extends Part {
  readonly #model: ModelActor<unknown>;

  constructor(name: string, index: number, wiring: Wiring, model: ModelActor) {
    super(name, index, wiring);
    this.#model = model as unknown as ModelActor<unknown>; // its states are made by itself alone
  }

  begin(): Outcome {
    return { next: this.intern(this.#model.initial), ...QUIET };
  }

  describe(local: number): string {
    return JSON.stringify(this.values[local]);
  }

  protected numberOf(value: unknown): Numbered {
    return this.pieces.number(value, `the state of ${this.name}`);
  }

  protected renumbered(value: unknown, masks: Int32Array): unknown {
    return this.pieces.renumbered(value, masks);
  }

  protected react(value: unknown, input: Input, local: number): Outcome {
    if (input.is !== 'event')
      throw new Error(`${this.name} is a model; it cannot take ${input.is}: tell it an event instead`);
    const result = this.#try(inWords(input.event), value, () => this.#model.step(value, input.event));
    if (result === undefined) return { ...QUIET, next: local, unexpected: true };
    const next = result.state === value ? local : this.intern(result.state);
    return { ...QUIET, next, ops: this.wiring.ops(result.outputs ?? [], this.name) };
  }

  protected offer(value: unknown): readonly Move[] {
    const choices = this.#try('its choices', value, () => this.#model.choices?.(value) ?? []);
    return choices.map((choice) => this.wiring.settleMove(choice, this.name, []));
  }

  #try<T>(what: string, value: unknown, run: () => T): T {
    try {
      return run();
    } catch (cause) {
      throw new Error(
        `the model ${this.name} failed on ${what} in ${JSON.stringify(value)}: ${String(cause)}`,
        {
          cause,
        },
      );
    }
  }
}
