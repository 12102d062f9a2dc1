// Runs the gate: tells it who joined, acknowledged and left, keeps its record, and says what it decided.
// Invariant: nodes reach the gate as the fleet tells of them, and count by their own acknowledgement only.
import { gateEffects, gateMachine, type GateEnd, type GateInput } from '../../machines/gate.ts';
import type { Actor, System } from '../actors/index.ts';
import { drive } from '../engine/drive.ts';
import { statePath } from '../engine/state-path.ts';
import type { Log } from '../ports.ts';
import type { Budget } from './budget.ts';
import type { Fleet } from './contract.ts';
import type { Courier } from './courier.ts';
import type { Membership, Trainee } from './membership.ts';

/** How training came to its end, as the gate says it. */
export type GateEnding = ReturnType<typeof gateEffects.announceEnd>;

type GateState = 'gathering' | 'open' | 'paused' | 'terminating' | 'terminated' | 'completed';

export interface GateListener {
  /** It is in another state, with so many nodes that count. */
  moved(state: GateState, nodes: number): void;
  /** Rounds may run. */
  opened(): void;
  /** No round may begin; one that runs is to end. */
  paused(reason: string): void;
  /** One more node counts. */
  counted(): void;
  joined(trainee: Trainee): void;
  left(trainee: Trainee): void;
  /** Ends the round, saves and delivers the model; the gate waits for it. */
  deliver(end: GateEnd, reason: string): Promise<void>;
  ended(ending: GateEnding): void;
  /** A defect. */
  crashed(error: unknown): void;
}

export interface GateKeeperOptions {
  readonly system: System;
  readonly log: Log;
  /** Address of the actor. */
  readonly id: string;
  readonly input: GateInput;
  readonly budget: Budget;
  readonly fleet: Fleet;
  readonly members: Membership;
  readonly courier: Courier;
  readonly listener: GateListener;
}

export class GateKeeper {
  readonly #options: GateKeeperOptions;
  readonly #actor: Actor<typeof gateMachine>;

  constructor(options: GateKeeperOptions) {
    this.#options = options;
    this.#actor = this.#spawn();
    this.#actor.onDone((ending) => {
      if (ending.status === 'error') options.listener.crashed(ending.error);
    });
  }

  /** `gathering`, `open`, `paused`, `terminating` …; a crash of it leaves the last. */
  get state(): string {
    return statePath(this.#actor.snapshot().value).split('.')[0] ?? '';
  }

  /** Nodes that are online and acknowledged the model, in the order of their ids. */
  get nodes(): readonly string[] {
    return this.#actor.snapshot().context.control.synced.map(({ node }) => node);
  }

  /** Of the present pause, or of all, in milliseconds. */
  get budgetUsedMs(): number {
    return this.#actor.snapshot().context.ledger.consumedMs;
  }

  /** Of this life of the trainer. */
  get pauses(): { readonly pauses: number; readonly pausedMs: number } {
    const { pauses, pausedMs } = this.#actor.snapshot().context.ledger;
    return { pauses, pausedMs };
  }

  /** Hears of nodes from now on. */
  open(): void {
    const { members, fleet, listener } = this.#options;
    members.open(fleet, {
      joined: (trainee) => {
        const { node, epoch } = trainee;
        this.#tell({ type: 'node.joined', node, epoch });
        listener.joined(trainee);
      },
      left: (trainee) => {
        const { node, epoch } = trainee;
        this.#tell({ type: 'node.left', node, epoch });
        listener.left(trainee);
      },
    });
    this.#tell({ type: 'training.started' });
  }

  complete(): void {
    this.#tell({ type: 'training.completed' });
  }

  terminate(reason: string): void {
    this.#tell({ type: 'termination.requested', reason });
  }

  #tell(event: Parameters<Actor<typeof gateMachine>['send']>[0]): void {
    if (this.#actor.status === 'active') this.#actor.send(event);
  }

  #spawn(): Actor<typeof gateMachine> {
    const { system, log, id, input, budget, listener } = this.#options;
    return system.spawn(
      drive(gateMachine, gateEffects, {
        sendSync: ({ node, epoch }) => void this.#welcome(node, epoch),
        openGate: () => listener.opened(),
        pauseGate: ({ online, needed, leftMs }) =>
          listener.paused(
            `${online} of ${needed} nodes are online; ${Math.round(leftMs)} ms are left for them`,
          ),
        measureBudget: ({ epoch }) => this.#tell({ type: 'budget.measured', epoch }),
        recordBudget: (record) => budget.record(record),
        deliverModel: ({ epoch, end, reason }) => void this.#deliver(epoch, end, reason),
        announceEnd: (ending) => listener.ended(ending),
      }),
      {
        id,
        input,
        onTransition: ({ from, to, snapshot }) => {
          const [[before], [after]] = [from.split('.'), to.split('.')];
          if (before === after) return;
          const nodes = snapshot.context.control.synced.length;
          log.info({ gate: id, nodes }, `${id} ${before} → ${after}: ${nodes} nodes`);
          listener.moved(after as GateState, nodes);
        },
      },
    );
  }

  async #welcome(node: string, epoch: number): Promise<void> {
    const { members, courier, listener } = this.#options;
    const trainee = members.get(node);
    if (trainee?.epoch !== epoch) return;
    if ((await courier.welcome(trainee)) === 'left') return;
    this.#tell({ type: 'node.synced', node, epoch });
    listener.counted();
  }

  async #deliver(epoch: number, end: GateEnd, reason: string): Promise<void> {
    try {
      await this.#options.listener.deliver(end, reason);
      this.#tell({ type: 'model.delivered', epoch });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.log.error({ error: why }, `the model was not delivered: ${why}`);
      this.#tell({ type: 'model.failed', epoch, reason: why });
    }
  }
}
