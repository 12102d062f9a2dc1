// A viewer over a real socket: opens, reads what it is told, and keeps the truth that it was told.
// Invariant: it reads strictly: a message that is not as the protocol says fails the test.
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { Truth } from '../../../src/inspect/stream/truth.ts';
import {
  INSPECT_PATH,
  INSPECT_SUBPROTOCOL,
  readTold,
  type Answer,
  type Hello,
  type Step,
  type Told,
} from '../../../src/protocol/inspection.ts';
import { eventually } from '../../chaos/eventually.ts';

export interface LookOptions {
  readonly open?: object | undefined;
  readonly headers?: Record<string, string>;
  readonly subprotocol?: string;
}

export class Looking {
  readonly socket: WebSocket;
  readonly told: Told[] = [];
  readonly truth = new Truth();
  readonly closed: Promise<{ code: number; reason: string }>;
  #asked = 0;

  constructor(url: string, { headers = {}, subprotocol = INSPECT_SUBPROTOCOL }: LookOptions = {}) {
    this.socket = new WebSocket(`${url}${INSPECT_PATH}`, subprotocol, { headers });
    onTestFinished(() => this.socket.terminate());
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => {
      for (const message of readTold(data.toString())) {
        this.told.push(message);
        this.truth.tell(message);
      }
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      // Refused before it was a WebSocket.
      this.socket.on('unexpected-response', (_, response) => {
        resolve({ code: response.statusCode ?? 0, reason: '' });
        this.socket.terminate();
      });
    });
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  get hello(): Hello | undefined {
    return this.told.find((message) => message.kind === 'hello');
  }

  get steps(): Step[] {
    return this.told.filter((message) => message.kind === 'step');
  }

  /** States through which an actor of this machine went, of the process whose id begins so. */
  way(machine: string, process: string): unknown[] {
    const steps = this.steps.filter((step) => step.machine === machine && step.process.startsWith(process));
    return steps.map(({ to }) => to);
  }

  async ask(operation: string, target?: string): Promise<Answer> {
    this.#asked += 1;
    const id = this.#asked;
    this.say({ kind: 'ask', id, operation, target });
    const find = () => this.told.find((it): it is Answer => it.kind === 'answer' && it.id === id);
    await eventually(`the answer to ${operation}`, () => find() !== undefined);
    return find() as Answer;
  }
}

/** A viewer that was let in. */
export async function look(url: string, options: LookOptions = {}): Promise<Looking> {
  const looking = new Looking(url, options);
  await new Promise<void>((resolve, reject) => {
    looking.socket.once('open', () => resolve());
    looking.socket.once('error', reject);
  });
  looking.say(options.open ?? { kind: 'open' });
  await eventually('a hello', () => looking.hello !== undefined);
  return looking;
}
