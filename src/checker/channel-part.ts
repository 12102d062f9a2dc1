// A channel as a part: what is in flight, and the ways in which it can arrive, arrive twice, or be lost.
// Invariant: an unordered channel's content is sorted, so that equal contents are one local state.
import { canonical } from './epochs.ts';
import { inWords, Part, QUIET, type Input, type Move, type Op, type Outcome, type Wiring } from './part.ts';
import type { Rename } from './renaming.ts';
import type { Channel, Message, SystemDefinition } from './system.ts';
import type { Numbered } from './values.ts';

type Content = readonly Message[];
type Deliver = NonNullable<SystemDefinition['deliver']>;
type Choices = ReturnType<Deliver>;

/** What is worked out once for a message, since most contents differ by one message only. */
interface Known {
  readonly text: string;
  /** What its arrival may mean; filled in when it can arrive. */
  arrivals?: readonly Move[];
}

export class ChannelPart extends Part<Content> {
  readonly #channel: Channel;
  readonly #deliver: Deliver;
  readonly #known = new WeakMap<Message, Known>();

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

  protected numberOf(value: Content): Numbered {
    return this.pieces.number(value, `what is on ${this.name}`);
  }

  protected renumbered(value: Content, masks: Int32Array): Content {
    return this.#arranged(this.pieces.renumbered(value, masks));
  }

  override get content(): 'bag' | 'set' | undefined {
    const { order = 'ordered', duplicating, delivered } = this.#channel;
    if (order === 'ordered') return undefined;
    return duplicating === true || delivered === 'kept' ? 'set' : 'bag';
  }

  /** A lossy one without a budget loses what comes last when it is full. */
  override get forgetsOrder(): boolean {
    return this.content !== undefined && this.#channel.lossy !== true;
  }

  override hasRoom(local: number, messages: number): boolean {
    const { capacity = 8 } = this.#channel;
    return (this.values[local] as Content).length + messages <= capacity;
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
    const { text } = this.#of(input.message);
    // A copy more of what may arrive any number of times anyway makes no difference.
    if (
      (duplicating === true || delivered === 'kept') &&
      value.some((message) => this.#of(message).text === text)
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
    const { order = 'ordered', lossy = false, duplicating = false, delivered } = this.#channel;
    const budget = (allowed: true | string) =>
      this.wiring.budget(allowed === true ? undefined : allowed, this.name);
    value.forEach((message, index) => {
      if (index > 0 && (order === 'ordered' || this.#same(message, value[index - 1]))) return;
      const subject = order === 'unordered' ? this.#of(message).text : undefined;
      const take: Op = { part: this.index, input: this.wiring.input({ is: 'take', index }) };
      for (const arrival of this.#arrivals(message)) {
        const ops = delivered === 'kept' ? arrival.ops : [take, ...arrival.ops];
        moves.push({ ...arrival, subject, ops });
        if (duplicating === false) continue;
        const label = `${arrival.label}, and keeps a copy`;
        moves.push({ ...arrival, subject, fault: true, budget: budget(duplicating), label });
      }
      if (lossy === false) return;
      moves.push({
        subject,
        ops: [take],
        fault: true,
        budget: budget(lossy),
        label: `${this.name} loses ${inWords(message)}`,
      });
    });
    return moves;
  }

  /** The ways in which a message can arrive, as if it were still in flight afterwards. */
  #arrivals(message: Message): readonly Move[] {
    return (this.#of(message).arrivals ??= this.#choicesFor(message).map((choice) => {
      const move = this.wiring.settleMove(choice, this.name, []);
      const [arrival] = move.ops;
      const unlessIdle =
        this.#channel.ignored === 'stays' && arrival !== undefined ? { unlessIdle: arrival } : {};
      const label = choice.label ?? `${this.name} delivers ${inWords(message)} to ${choice.to}`;
      return { ...move, ...unlessIdle, label };
    }));
  }

  #choicesFor(message: Message): Choices {
    const choices: unknown = this.#deliver(this.name, message);
    const wanted = "answer a list, such as [{ to: 'name of an actor', event }], or [] for nothing";
    if (!Array.isArray(choices))
      throw new Error(`deliver answers no list for ${inWords(message)} on ${this.name}; ${wanted}`);
    const list = choices as Choices;
    if (list.some(({ to }) => to === undefined))
      throw new Error(`deliver does not say to whom ${inWords(message)} on ${this.name} goes; ${wanted}`);
    return list;
  }

  #of(message: Message): Known {
    const before = this.#known.get(message);
    if (before !== undefined) return before;
    const known: Known = { text: canonical(message, `a message on ${this.name}`) };
    this.#known.set(message, known);
    return known;
  }

  #same(message: Message, other: Message | undefined): boolean {
    return other !== undefined && this.#of(message).text === this.#of(other).text;
  }

  #arranged(content: Content): Content {
    if ((this.#channel.order ?? 'ordered') === 'ordered') return content;
    const keyed = content.map((message) => ({ message, text: this.#of(message).text }));
    return keyed
      .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
      .map(({ message }) => message);
  }
}
