// Histories: who asked for what, and what came back when. Recorded in a real run, or kept as the state of a model.
// Invariant: a process has at most one operation open; who wants more at once calls itself by more names.
import { model, type Message, type ModelActor } from './system.ts';

/** One line of a recorded history, in the order of real time. `process` is whoever waits for the answer. */
export type HistoryEvent<O = unknown, R = unknown> =
  | { readonly type: 'invoke'; readonly process: string | number; readonly operation: O }
  | { readonly type: 'return'; readonly process: string | number; readonly result: R }
  /** The operation certainly did not take place. One whose fate is unknown simply has no return. */
  | { readonly type: 'fail'; readonly process: string | number };

/** One operation of a history, from its invocation to its return. */
export interface HistoryCall<O = unknown, R = unknown> {
  readonly process: string;
  readonly operation: O;
  /** Where in the list of events. */
  readonly invokedAt: number;
  /** Where in the list of events; undefined when it never returned, so that it may have taken place or not. */
  readonly returnedAt?: number;
  readonly result?: R;
}

/**
 * The operations of a history, in the order of their invocations. Those that failed are left out.
 *
 * @throws Error that names the event: a process asks while it waits, or gets an answer to nothing
 */
export function callsOf<O, R>(events: readonly HistoryEvent<O, R>[]): HistoryCall<O, R>[] {
  const open = new Map<string, number>();
  const calls: (HistoryCall<O, R> | undefined)[] = [];
  events.forEach((event, index) => {
    const process = String(event.process);
    const waiting = open.get(process);
    if (event.type === 'invoke') {
      if (waiting !== undefined) {
        throw new Error(
          `event ${index}: process ${process} invokes ${JSON.stringify(event.operation)} while its operation of event ` +
            `${calls[waiting]?.invokedAt} is open; give what runs at the same time processes of their own`,
        );
      }
      open.set(process, calls.push({ process, operation: event.operation, invokedAt: index }) - 1);
      return;
    }
    const call = waiting === undefined ? undefined : calls[waiting];
    if (waiting === undefined || call === undefined) {
      throw new Error(
        `event ${index}: process ${process} has a ${event.type} but no open operation; record its invoke first`,
      );
    }
    open.delete(process);
    calls[waiting] = event.type === 'fail' ? undefined : { ...call, returnedAt: index, result: event.result };
  });
  return calls.filter((call) => call !== undefined);
}

interface OpenCall<O> {
  readonly operation: O;
  /** How many operations of each other process had returned before this one was invoked. */
  readonly after: Readonly<Record<string, number>>;
}

interface DoneCall<O, R> extends OpenCall<O> {
  readonly result: R;
}

/**
 * A history as a model's state: for each process what it did, and what had returned before. Histories that differ only
 * in the order of overlapping operations are one state, which keeps the space of states small (the form that
 * Stateright's tester keeps, too).
 */
export type History<O = unknown, R = unknown> = Readonly<
  Record<string, { readonly done: readonly DoneCall<O, R>[]; readonly open?: OpenCall<O> }>
>;

/** A model actor whose state is a `History`; tell it `HistoryEvent`s in the turns in which they happen. */
export function historyActor(): ModelActor {
  return model<History>({
    initial: {},
    step(history, message) {
      const event = message as Message & HistoryEvent; // the type of the message says which, below
      const process = String(event.process);
      const { done, open } = history[process] ?? { done: [] };
      if (event.type === 'invoke') {
        if (open !== undefined) return undefined;
        const after: Record<string, number> = {};
        for (const [other, lane] of Object.entries(history))
          if (other !== process && lane.done.length > 0) after[other] = lane.done.length;
        return { state: { ...history, [process]: { done, open: { operation: event.operation, after } } } };
      }
      if (open === undefined) return undefined;
      if (event.type === 'fail') return { state: { ...history, [process]: { done } } };
      if (event.type !== 'return') return undefined;
      return { state: { ...history, [process]: { done: [...done, { ...open, result: event.result }] } } };
    },
  });
}

/** Events in one order that a `History` stands for. */
export function eventsOf<O, R>(history: History<O, R>): HistoryEvent<O, R>[] {
  const lanes = Object.entries(history).map(([process, { done, open }]) => ({
    process,
    calls: open === undefined ? done : [...done, open],
    invoked: 0,
    returned: 0,
  }));
  type Lane = (typeof lanes)[number];
  const events: HistoryEvent<O, R>[] = [];
  const returnedOf = new Map(lanes.map((lane) => [lane.process, lane]));
  const next = ({ calls, invoked }: Lane) => calls[invoked];
  const mayInvoke = (lane: Lane) =>
    lane.invoked === lane.returned &&
    Object.entries(next(lane)?.after ?? {}).every(
      ([p, count]) => (returnedOf.get(p)?.returned ?? 0) >= count,
    );
  // What overlaps a call must be invoked before that call returns.
  const mayReturn = (lane: Lane) =>
    lanes.every((other) => {
      const call = other === lane ? undefined : next(other);
      return call === undefined || (call.after[lane.process] ?? 0) > lane.returned;
    });
  for (;;) {
    const asks = lanes.find((lane) => next(lane) !== undefined && mayInvoke(lane));
    if (asks !== undefined) {
      const call = next(asks) as OpenCall<O>;
      asks.invoked++;
      events.push({ type: 'invoke', process: asks.process, operation: call.operation });
      continue;
    }
    const gets = lanes.find((lane) => {
      const call = lane.returned < lane.invoked ? lane.calls[lane.returned] : undefined;
      return call !== undefined && 'result' in call && mayReturn(lane);
    });
    if (gets === undefined) return events;
    const { result } = gets.calls[gets.returned++] as DoneCall<O, R>;
    events.push({ type: 'return', process: gets.process, result });
  }
}
