// A node's shell in the model: src/calls/{executor,customers,retention}.ts for one client.
// Invariant: an attempt that is here, in whatever state, is not begun again.
import { model, type Message, type ModelActor, type Output } from '../../../src/checker/index.ts';
import { CLIENT, execution, fieldsOf, instanceOf, link, nodeOf, send, tell, WITNESS } from './names.ts';
import type { Frames, Told } from './names.ts';

export interface Ran {
  slot: string;
  life: number;
  epoch: number;
  linkIs: 'down' | 'up';
  /** Whether the hub spoke of the client on the present link. */
  client: 'unheard' | 'named';
  /** `asked`: on which link it came, or was last asked about. */
  executions: { attempt: number; ending: string; is: 'live' | 'kept'; asked: 'now' | 'before' }[];
  /** Attempts up to this one may have been forgotten with their outcome. */
  evictedUpTo: number;
}

/** One turn of the shell; a broken twin overrides a method. */
export class Running {
  readonly now: Ran;
  readonly out: Output[] = [];

  constructor(before: Ran) {
    this.now = structuredClone(before);
  }

  get instance(): string {
    return instanceOf(this.now.slot, this.now.life);
  }

  heard(event: Message): void {
    const frame = event['frame'] as Message | undefined;
    const attempt = event['attempt'] as number;
    switch (event.type) {
      case 'boot':
        return this.dial();
      case 'opened':
        this.now.linkIs = 'up';
        for (const one of this.now.executions) one.asked = 'before';
        return this.send('register', { instance: this.instance, links: 'first' });
      case 'closed':
        this.now.linkIs = 'down';
        this.now.client = 'unheard';
        return this.dial();
      case 'crashed':
        return this.crash();
      case 'frame':
        return frame === undefined ? undefined : this.frame(frame);
      case 'returned':
        return this.end(attempt, 'succeeded', 'function.returned');
      case 'sendOutcome':
        return this.conclude(attempt);
      case 'forget':
        return this.forget(attempt);
      case 'evict':
        return this.evict();
      case 'dismiss':
        return this.dismiss();
      case 'dropUnasked':
        return this.dropUnasked();
      default:
        throw new Error(`a node does not know ${event.type}`);
    }
  }

  dial(): void {
    this.now.epoch += 1;
    this.out.push(tell(link(this.now.slot), 'dial', { epoch: this.now.epoch }));
  }

  /** The process dies with all it knew, and another one starts. */
  crash(): void {
    const { now } = this;
    for (const { attempt } of now.executions) this.out.push({ stop: execution(now.slot, attempt) });
    this.out.push(tell(link(now.slot), 'crash', { end: 'near' }));
    now.life += 1;
    now.linkIs = 'down';
    now.client = 'unheard';
    now.executions = [];
    now.evictedUpTo = 0;
    this.dial();
  }

  frame(frame: Message): void {
    this.now.client = 'named';
    switch (frame.type) {
      case 'CALL':
        return this.accept(fieldsOf(frame, 'CALL').attempt);
      case 'CANCEL':
        return this.end(fieldsOf(frame, 'CANCEL').attempt, 'cancelled', 'cancel.requested');
      case 'ACK':
        for (const attempt of fieldsOf(frame, 'ACK').attempts) this.tellOf(attempt, 'result.acknowledged');
        return;
      case 'DISMISS':
        return this.dismiss();
      case 'QUERY':
        return this.query(fieldsOf(frame, 'QUERY').attempts);
      default:
        throw new Error(`a node does not know the frame ${frame.type}`);
    }
  }

  find(attempt: number) {
    return this.now.executions.find((one) => one.attempt === attempt);
  }

  accept(attempt: number): void {
    const { now } = this;
    if (this.find(attempt) !== undefined) return;
    now.executions.push({ attempt, ending: '', is: 'live', asked: 'now' });
    const actor = execution(now.slot, attempt);
    this.out.push({ start: actor }, tell(actor, 'slot.granted'));
  }

  tellOf(attempt: number, type: string): void {
    if (this.find(attempt) !== undefined) this.out.push(tell(execution(this.now.slot, attempt), type));
  }

  /** What it ends with, if nothing ended it before. */
  end(attempt: number, ending: string, type: string): void {
    const found = this.find(attempt);
    if (found === undefined) return;
    if (found.ending === '' && ending === 'succeeded') this.out.push(tell(WITNESS, 'finished'));
    if (found.ending === '') found.ending = ending;
    this.tellOf(attempt, type);
  }

  conclude(attempt: number): void {
    const found = this.find(attempt);
    if (found === undefined) return;
    if (found.ending === '') found.ending = 'timed_out';
    found.is = 'kept';
    this.answer(attempt);
  }

  answer(attempt: number): void {
    const ending = this.find(attempt)?.ending;
    if (this.now.client === 'unheard' || ending === undefined) return;
    const of = { node: this.instance, attempt };
    if (ending === 'succeeded') this.send('RESULT', of);
    else this.send('FAILURE', { ...of, code: ending });
  }

  forget(attempt: number): void {
    this.now.executions = this.now.executions.filter((one) => one.attempt !== attempt);
  }

  /** The memory for outcomes ran out: the oldest goes. */
  evict(): void {
    const oldest = this.now.executions.find(({ is }) => is === 'kept');
    if (oldest !== undefined) this.giveUp(oldest.attempt);
  }

  /** Nobody waits for the client's calls; all that is kept of it is how far they had come. */
  dismiss(): void {
    for (const { attempt } of this.now.executions) this.giveUp(attempt);
  }

  /** Its client is here and did not ask about it: the acknowledgement was lost. */
  dropUnasked(): void {
    for (const { attempt, asked } of this.now.executions) if (asked === 'before') this.giveUp(attempt);
  }

  giveUp(attempt: number): void {
    this.now.evictedUpTo = Math.max(this.now.evictedUpTo, attempt);
    this.tellOf(attempt, 'result.evicted');
  }

  query(attempts: readonly number[]): void {
    const fates = attempts.map((attempt): Told => {
      const found = this.find(attempt);
      if (found !== undefined) {
        found.asked = 'now';
        return [attempt, found.is === 'kept' ? 'done' : 'running'];
      }
      return [attempt, attempt <= this.now.evictedUpTo ? 'vanished' : 'unstarted'];
    });
    this.send('FATE', { node: this.instance, fates });
    for (const attempt of attempts) if (this.find(attempt)?.is === 'kept') this.answer(attempt);
  }

  send<T extends keyof Frames>(type: T, fields: Frames[T]): void {
    const { slot, linkIs, epoch } = this.now;
    if (linkIs === 'up') this.out.push(send(slot, 'near', epoch, type, fields));
  }
}

export function nodeModel(slot: string, Shell: typeof Running): ModelActor {
  const initial: Ran = {
    slot,
    life: 1,
    epoch: 0,
    linkIs: 'down',
    client: 'unheard',
    executions: [],
    evictedUpTo: 0,
  };
  return model<Ran>({
    initial,
    step(before, event) {
      const turn = new Shell(before);
      turn.heard(event);
      return { state: turn.now, outputs: turn.out };
    },
    choices: ({ linkIs, client, executions }) => [
      ...(executions.some(({ is }) => is === 'kept')
        ? [
            {
              event: { type: 'evict' },
              fault: true,
              budget: 'evict',
              label: `${slot} has no memory for its oldest outcome`,
            },
          ]
        : []),
      ...(linkIs === 'up' && client === 'unheard' && executions.length > 0
        ? [
            {
              event: { type: 'dismiss' },
              budget: 'expire',
              label: `${slot} gives up waiting for the ${CLIENT}`,
            },
          ]
        : []),
      ...(linkIs === 'up' && client === 'named' && executions.some(({ asked }) => asked === 'before')
        ? [
            {
              event: { type: 'dropUnasked' },
              budget: 'expire',
              label: `${slot} forgets what nobody asks about`,
            },
          ]
        : []),
    ],
  });
}

/** What an execution's effects lead to. */
export function routeExecution(slot: string, attempt: number, type: string): Output[] | undefined {
  switch (type) {
    case 'startFunction': {
      const returned = {
        event: { type: 'returned', attempt },
        to: nodeOf(slot),
        label: `the function on ${slot} returns`,
      };
      return [tell(WITNESS, 'began'), { later: [returned], key: 'function' }];
    }
    case 'abortFunction':
      return [];
    case 'sendOutcome':
    case 'forget':
      return [tell(nodeOf(slot), type, { attempt })];
    default:
      return undefined;
  }
}
