// A channel as a part: what is in flight, and the ways in which it can arrive, arrive twice, or be lost.
// Invariant: an unordered channel's content is sorted, so that equal contents are one local state.
import { canonical, type EpochVisitor } from './epochs.ts';
import { inWords, Part, QUIET, type Input, type Move, type Op, type Outcome, type Wiring } from './part.ts';
import type { Rename } from './renaming.ts';
import type { Channel, Message, SystemDefinition } from './system.ts';

type Content = readonly Message[];

export class ChannelPart extends Part<Content> {
  readonly #channel: Channel;
  readonly #deliver: NonNullable<SystemDefinition['deliver']>;

  constructor(
    name: string,
    index: number,
    wiring: Wiring,
    channel: Channel,
    deliver: SystemDefinition['deliver'],
  ) {
    super(name, index, wiring);
    this.#channel = channel;
    this.#deliver = deliver ?? (() => []);
  }

  begin(): Outcome {
    return { next: this.intern([]), ...QUIET };
  }

  describe(local: number): string {
    const content = this.values[local] as Content;
    return content.length === 0 ? 'empty' : content.map(inWords).join('; ');
  }

  protected keyOf(value: Content, visit: EpochVisitor): string {
    return canonical(value, visit, `a message on ${this.name}`);
  }

  protected override renumbered(value: Content, visit: EpochVisitor): Content {
    return this.#arranged(super.renumbered(value, visit));
  }

  protected override renamed(value: Content, rename: Rename): Content {
    return this.#arranged(value.map(rename));
  }

  protected react(value: Content, input: Input, local: number): Outcome {
    if (input.is === 'clear') return { next: this.intern([]), ...QUIET };
    if (input.is === 'take') return { next: this.intern(value.toSpliced(input.index, 1)), ...QUIET };
    if (input.is !== 'push')
      throw new Error(`${this.name} is a channel; it cannot take ${input.is}: send to it instead`);
    const { capacity = 8, lossy, duplicating, delivered } = this.#channel;
    const text = canonical(input.message);
    // A copy more of what may arrive any number of times anyway makes no difference.
    if (
      (duplicating === true || delivered === 'kept') &&
      value.some((message) => canonical(message) === text)
    )
      return { next: local, ...QUIET };
    if (value.length < capacity)
      return { next: this.intern(this.#arranged([...value, input.message])), ...QUIET };
    if (lossy === true) return { next: local, ...QUIET };
    throw new Error(
      `channel ${this.name} holds ${capacity} messages (${this.describe(local)}); raise its capacity or bound what is sent`,
    );
  }

  protected offer(value: Content): readonly Move[] {
    const moves: Move[] = [];
    const { order = 'ordered', lossy = false, duplicating = false, delivered, ignored } = this.#channel;
    const budget = (allowed: true | string) =>
      this.wiring.budget(allowed === true ? undefined : allowed, this.name);
    value.forEach((message, index) => {
      const text = canonical(message);
      if (index > 0 && (order === 'ordered' || text === canonical(value[index - 1]))) return;
      const take: Op = { part: this.index, input: this.wiring.input({ is: 'take', index }) };
      for (const choice of this.#deliver(this.name, message)) {
        const move = this.wiring.settleMove(choice, this.name, [take]);
        const label = choice.label ?? `${this.name} delivers ${inWords(message)} to ${choice.to}`;
        const arrival = move.ops.slice(1);
        const unlessIdle = ignored === 'stays' && arrival[0] !== undefined ? { unlessIdle: arrival[0] } : {};
        moves.push({ ...move, ...unlessIdle, ops: delivered === 'kept' ? arrival : move.ops, label });
        if (duplicating === false) continue;
        moves.push({
          ...unlessIdle,
          ops: arrival,
          fault: true,
          budget: budget(duplicating),
          label: `${label}, and keeps a copy`,
        });
      }
      if (lossy === false) return;
      moves.push({
        ops: [take],
        fault: true,
        budget: budget(lossy),
        label: `${this.name} loses ${inWords(message)}`,
      });
    });
    return moves;
  }

  #arranged(content: Content): Content {
    if ((this.#channel.order ?? 'ordered') === 'ordered') return content;
    const keyed = content.map((message) => ({ message, text: canonical(message) }));
    return keyed
      .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
      .map(({ message }) => message);
  }
}
