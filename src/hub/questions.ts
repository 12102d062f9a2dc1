// Answers what peers ask of the hub itself.
// Invariant: one question a turn, whoever asks, so that questions never keep calls waiting; an answer fits into one frame.
import { Fifo } from '../actors/fifo.ts';
import type { Clock } from '../ports.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { AskMessage } from '../protocol/messages.ts';
import { textBytes } from '../protocol/text.ts';
import type { Accepted } from './accepted.ts';

export interface QuestionsOptions {
  readonly clock: Clock;
  status(): object;
  /** All nodes, in an order that stays while pages are asked for. */
  nodes(): readonly { status(): object }[];
}

interface Question {
  readonly link: Accepted;
  readonly id: number;
  readonly message: AskMessage;
}

const PAGE_NODES = 400;
/** What goes around the nodes of a page takes less than the rest. */
const PAGE_BYTES = limits.maxControlBytes - 256;

export class Questions {
  readonly #options: QuestionsOptions;
  readonly #waiting = new Fifo<Question>();
  readonly #counts = new Map<Accepted, number>();
  #state: 'idle' | 'scheduled' = 'idle';

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** @throws ProtocolViolation LIMIT_EXCEEDED when too many questions of this link wait */
  ask(link: Accepted, id: number, message: AskMessage): void {
    const count = (this.#counts.get(link) ?? 0) + 1;
    if (count > limits.maxQuestions) {
      throw new ProtocolViolation(
        CloseCode.LIMIT_EXCEEDED,
        `${count} questions at once; at most ${limits.maxQuestions} are answered`,
      );
    }
    this.#counts.set(link, count);
    this.#waiting.push({ link, id, message });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#state === 'scheduled') return;
    this.#state = 'scheduled';
    this.#options.clock.endOfTurn(() => this.#next());
  }

  #next(): void {
    this.#state = 'idle';
    for (let asked = this.#waiting.shift(); asked !== undefined; asked = this.#waiting.shift()) {
      const { link, id, message } = asked;
      const count = this.#counts.get(link) ?? 0;
      if (count > 1) this.#counts.set(link, count - 1);
      else this.#counts.delete(link);
      // Who is gone costs nothing more.
      if (link.state !== 'open') continue;
      link.outbox.json(FrameType.ANSWER, 0, 0, id, this.#answer(message));
      break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }

  #answer({ ask, from }: AskMessage): object {
    if (ask === 'status') return { ok: true, status: this.#options.status() };
    const nodes = this.#options.nodes();
    const page: object[] = [];
    let bytes = 0;
    for (const node of nodes.slice(from, from + PAGE_NODES)) {
      const status = node.status();
      bytes += textBytes(JSON.stringify(status)) + 1;
      if (bytes <= PAGE_BYTES) page.push(status);
      // With its functions it would not fit even alone.
      else if (page.length === 0) page.push({ ...status, functions: [] });
      if (bytes > PAGE_BYTES) break;
    }
    return { ok: true, nodes: page, total: nodes.length };
  }
}
