// Calls that are journaled before they are sent, and that the next start of their hub takes up again.
// Invariant: a node gets such a call only after the journal has kept that it is going to: one without a node there was never sent.
import type { Clock } from '../ports.ts';
import { Flag } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { bytesOf, type Book } from './book.ts';
import { createAsking, type Asking, type Routed, type Running } from './roster.ts';

/** One attempt, as a journal keeps it. Durations only: the time that a hub is down does not count. */
export interface KeptCall {
  readonly client: { readonly id: string; readonly instance: string };
  readonly attempt: number;
  readonly function: string;
  readonly target: Routed['target'];
  readonly flags: number;
  /** Milliseconds until its deadline, when it was kept. */
  readonly deadlineMs: number;
  /** CALL, and the CHUNKs that followed. */
  readonly frames: Routed['frames'];
  /** Undefined: it was never sent. */
  readonly node: { readonly id: string; readonly instance: string } | undefined;
}

export interface CallJournal {
  /** Resolves when it is kept, instead of what was kept of this attempt before. Rejects when the store failed. */
  keep(call: KeptCall): Promise<void>;
  /** It ended, and nobody asks for it any more. */
  forget(client: string, attempt: number): void;
  /** Resolves when it is kept no more. Rejects when the store failed, or is another start's by now. */
  withdraw(client: string, attempt: number): Promise<void>;
}

/** What becomes of calls when the journal has kept them. */
export interface DurablesOptions {
  readonly clock: Clock;
  place(call: Routed): void;
  /** What is known is that this node may have it. */
  expect(call: Routed, id: string, instance: string): void;
}

export class Durables {
  readonly #book: Book;
  readonly #options: DurablesOptions;
  #journal: CallJournal | undefined;
  /** Clients of calls that were taken up again, until they are back: by instance. */
  readonly #away = new Map<string, Asking>();

  constructor(book: Book, options: DurablesOptions) {
    this.#book = book;
    this.#options = options;
  }

  /** Its CALL came, and is among its frames; more of it may follow. */
  begin(call: Routed): void {
    if (this.#journal === undefined) {
      const advice = 'start the hub with a store, or leave durable out';
      return this.#book.fail(this.#left(call), 'invalid', `the hub keeps no store; ${advice}`);
    }
    call.state = 'journaling';
    if (!call.uploading) this.#arrived(call);
  }

  /** More of its arguments came. */
  more(call: Routed): void {
    if (bytesOf(call) > limits.maxDurableBytes) {
      const message = `arguments of a durable call have at most ${limits.maxDurableBytes} bytes; keep larger ones in the store, and pass their key`;
      this.#book.fail(this.#left(call), 'too_large', message);
    } else if (!call.uploading) this.#arrived(call);
  }

  /** All of it is here: it is kept, then it finds its node. */
  #arrived(call: Routed): void {
    const { durable } = call;
    if (durable === undefined) return;
    durable.frames = call.frames;
    this.#journal?.keep(this.#keptOf(call, undefined)).then(
      () => {
        if (call.state === 'journaling') this.#options.place(call);
      },
      (error: unknown) => {
        if (call.state === 'journaling') this.#book.fail(this.#left(call), 'store_failed', String(error));
      },
    );
  }

  /** It is assigned: `kept` is called when the journal says so. */
  assign(call: Routed, node: Running, kept: () => void): void {
    const { durable } = call;
    if (durable === undefined) return;
    const write = this.#journal?.keep(this.#keptOf(call, node));
    durable.write = write;
    // It may have left, and have been assigned to the same node again: then the journal must say so again.
    const isStill = (): boolean => call.state === 'held' && call.node === node && durable.write === write;
    write?.then(
      () => {
        if (!isStill()) return;
        durable.node = node;
        kept();
      },
      (error: unknown) => {
        if (isStill()) this.#book.giveBack(call, `it could not be journaled: ${String(error)}`);
      },
    );
  }

  /** It is with no node any more, and is placed as if it were new. The journal says so, unless that node may have executed it. */
  again(call: Routed): void {
    const { durable } = call;
    if (durable === undefined) return;
    durable.node = undefined;
    durable.write = undefined;
    // If that fails, the next start of the hub asks the node that the journal names.
    if (durable.past === 'unstarted')
      (durable.write = this.#journal?.keep(this.#keptOf(call, undefined)))?.catch(() => undefined);
    call.state = 'parked';
    call.since = this.#options.clock.now();
    call.presumed = 0;
    call.passing = 'no';
    call.awaits = 0;
    call.downBytes = 0;
    call.result = 'none';
    if (call.frames.length === 0)
      for (const { type, flags, bytes } of durable.frames) this.#book.keep(call, type, flags, bytes);
    this.#options.place(call);
  }

  left(call: Routed): void {
    this.#journal?.forget(call.client.instance, call.attempt);
  }

  withdraw({ client, attempt }: Routed, withdrawn: () => void): void {
    if (this.#journal === undefined) return withdrawn();
    // If it cannot be, the next start decides what becomes of the call, and its client asks there.
    this.#journal.withdraw(client.instance, attempt).then(withdrawn, () => undefined);
  }

  /**
   * From now on calls can be durable. Those that an earlier start of this hub kept are taken up again; they wait so much
   * longer for a node: the nodes are coming back.
   */
  open(
    journal: CallJournal,
    calls: readonly KeptCall[],
    takeNumber: () => number | undefined,
    patienceMs: number,
  ): void {
    this.#journal = journal;
    for (const [instance, kept] of Map.groupBy(calls, ({ client }) => client.instance)) {
      const [first] = kept;
      const number = takeNumber();
      if (first === undefined || number === undefined) continue;
      const { id } = first.client;
      const client = createAsking({ number, id, instance });
      this.#away.set(instance, client);
      this.#book.clients.set(number, client);
      for (const one of kept) this.#restoreOne(client, one, patienceMs);
    }
  }

  /** Number of the client that was waited for. */
  numberOf(instance: string): number | undefined {
    return this.#away.get(instance)?.number;
  }

  /** It is here: from now on its session decides what becomes of its calls. */
  back(instance: string): Asking | undefined {
    const client = this.#away.get(instance);
    this.#away.delete(instance);
    return client;
  }

  /** Those that did not come back in time. */
  giveUp(): Asking[] {
    const clients = [...this.#away.values()];
    this.#away.clear();
    return clients;
  }

  #restoreOne(client: Asking, kept: KeptCall, patienceMs: number): void {
    const now = this.#options.clock.now();
    const { attempt, flags, deadlineMs, target, frames, node } = kept;
    const idempotent = (flags & Flag.IDEMPOTENT) !== 0;
    // Only such a call may have been with another node before.
    const mayHaveRun = idempotent && node !== undefined;
    const call: Routed = {
      client,
      attempt,
      offer: this.#book.offer(kept.function),
      flags,
      target,
      deadlineAt: now + deadlineMs,
      since: now + patienceMs,
      presumed: 0,
      node: undefined,
      place: -1,
      state: 'parked',
      frames: [],
      first: undefined,
      firstStart: 0,
      firstEnd: 0,
      uploading: false,
      upBytes: frames.reduce((sum, { bytes }) => sum + bytes.length, 0),
      downBytes: 0,
      passing: 'no',
      awaits: 0,
      result: 'none',
      idempotent,
      whereabouts: 'sure',
      durable: { frames, node: undefined, write: undefined, past: mayHaveRun ? 'unknown' : 'unstarted' },
    };
    client.calls.set(call);
    if (node !== undefined) return this.#options.expect(call, node.id, node.instance);
    for (const { type, flags: its, bytes } of frames) this.#book.keep(call, type, its, bytes);
    this.#options.place(call);
  }

  #left(call: Routed): Routed {
    this.#book.leave(call);
    return call;
  }

  #keptOf(call: Routed, node: Running | undefined): KeptCall {
    const { client, attempt, offer, target, flags, deadlineAt, durable } = call;
    return {
      client: { id: client.id, instance: client.instance },
      attempt,
      function: offer?.name ?? '',
      target,
      flags,
      deadlineMs: Math.max(1, Math.ceil(deadlineAt - this.#options.clock.now())),
      frames: durable?.frames ?? [],
      node: node === undefined ? undefined : { id: node.id, instance: node.instance },
    };
  }
}
