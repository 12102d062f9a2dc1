// The hub, the nodes and the clients of a run, each on its own simulated host, and what may be done to them.
// Invariant: every life of a process has a host of its own name (`n3#2`), so that nothing of an earlier life is mistaken for it.
import { startClient, type Client } from '../../src/client/client.ts';
import type { TransitionSink } from '../../src/engine/transition-record.ts';
import { startHub } from '../../src/hub/hub.ts';
import type { Hub } from '../../src/hub/status.ts';
import { presets } from '../../src/links/options.ts';
import { startNode, type FleetNode } from '../../src/node/node.ts';
import type { Log, Metrics } from '../../src/ports.ts';
import { HoldfastError } from '../../src/protocol/errors.ts';
import { defaults } from '../../src/protocol/limits.ts';
import type { Host, LinkFilter, Simulation } from '../../src/testing/index.ts';
import { Database } from './database.ts';
import { Ledger } from './ledger.ts';
import type { ClientPlan, NodePlan, Scenario } from './scenario.ts';
import type { Twin } from './twins.ts';
import { WallClock } from './wall-clock.ts';
import { functionsOf } from './work.ts';

const HUB_URL = 'ws://127.0.0.1:7070';

const noMetrics: Metrics = {
  count() {},
  gauge() {},
  render: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: '' }),
};

/** Where nodes of one id, or clients of one id, live one after the other, or side by side. */
abstract class Seat<Plan extends { readonly id: string }, Process> {
  readonly plan: Plan;
  process: Process | undefined;
  host: Host;
  /** Lives that were replaced, stopped or killed, and what is left of them. */
  readonly former: { readonly host: Host; readonly process: Process }[] = [];
  protected readonly fleet: Fleet;
  #lives = 0;

  constructor(fleet: Fleet, plan: Plan) {
    this.fleet = fleet;
    this.plan = plan;
    this.host = fleet.sim.host(`${plan.id}#1`);
  }

  get life(): string {
    return this.host.name;
  }

  start(): void {
    if (this.process !== undefined) return;
    this.#lives += 1;
    this.host = this.fleet.sim.host(`${this.plan.id}#${this.#lives}`);
    this.fleet.note(`${this.life} starts`);
    this.process = this.begin(this.host);
  }

  kill(silently: boolean): void {
    this.fleet.ledger.gone.set(this.plan.id, 'killed');
    for (const { host } of this.former) host.kill(silently);
    this.host.kill(silently);
    this.leave();
  }

  protected leave(): void {
    if (this.process !== undefined) this.former.push({ host: this.host, process: this.process });
    this.process = undefined;
  }

  protected abstract begin(host: Host): Process;
}

export class NodeSeat extends Seat<NodePlan, FleetNode> {
  /** Leaves as on SIGTERM, and may not be done when the next life begins. */
  stop(): void {
    const { process } = this;
    if (process === undefined) return;
    this.fleet.ledger.gone.set(this.plan.id, 'stopped');
    this.leave();
    void process.stop();
  }

  /** Another instance with the same id, beside the one that lives. */
  rival(): void {
    this.fleet.ledger.gone.set(this.plan.id, 'replaced');
    this.leave();
    this.start();
  }

  protected begin(host: Host): FleetNode {
    const { plan, fleet } = this;
    return startNode(
      {
        hub: HUB_URL,
        id: plan.id,
        ...plan.times,
        token: fleet.scenario.hub.token,
        labels: plan.labels,
        maxConcurrent: plan.maxConcurrent,
        encoding: plan.encoding,
        functions: functionsOf(host, fleet.ledger, plan.functions, fleet.broken),
        onSync: () => new Promise((resolve) => void host.setTimer(resolve, plan.syncMs)),
        onEnded: () => fleet.ledger.gone.set(plan.id, 'its link ended'),
        transitions: fleet.transitions,
      },
      fleet.portsOf(host),
    );
  }
}

export class ClientSeat extends Seat<ClientPlan, Client> {
  override kill(silently: boolean): void {
    super.kill(silently);
    this.fleet.ledger.orphan(this.life);
  }

  protected begin(host: Host): Client {
    const { plan, fleet } = this;
    return startClient(
      {
        hub: HUB_URL,
        id: plan.id,
        ...plan.times,
        token: fleet.scenario.hub.token,
        encoding: plan.encoding,
        maxCallAttempts: plan.maxCallAttempts,
        onEnded: () => fleet.ledger.gone.set(plan.id, 'its link ended'),
        transitions: fleet.transitions,
      },
      fleet.portsOf(host),
    );
  }
}

export class Fleet {
  readonly sim: Simulation;
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly wallClock = new WallClock();
  /** Hears of every transition; set before the first process starts. */
  transitions: TransitionSink | undefined;
  readonly nodes: readonly NodeSeat[];
  readonly clients: readonly ClientSeat[];
  readonly broken: (what: string) => void;
  readonly twin: Twin;
  readonly database: Database | undefined;
  hub: Hub | undefined;
  hubHost: Host;
  /** Hubs that were killed or stopped, or are still at it. */
  readonly formerHubs: { readonly host: Host; readonly hub: Hub }[] = [];
  #hubLives = 0;
  #starting: Host | undefined;
  /** Faults that last. */
  readonly #pending = new Set<() => void>();

  constructor(sim: Simulation, scenario: Scenario, twin: Twin, broken: (what: string) => void) {
    this.sim = sim;
    this.scenario = scenario;
    this.twin = twin;
    this.broken = broken;
    const { preset, sessionGraceMs } = scenario.hub;
    const ofPreset = preset === undefined ? undefined : presets[preset].sessionGraceMs;
    const graceMs = sessionGraceMs ?? ofPreset ?? defaults.sessionGraceMs;
    this.ledger = new Ledger(() => sim.now, graceMs, broken);
    const { store } = scenario;
    const forgets = twin.storeForgets ?? 0;
    this.database = store === undefined ? undefined : new Database(sim, { ...store, forgets }, broken);
    this.hubHost = sim.host('hub#0');
    this.nodes = scenario.nodes.map((plan) => new NodeSeat(this, plan));
    this.clients = scenario.clients.map((plan) => new ClientSeat(this, plan));
  }

  note(line: string): void {
    this.sim.note(line);
  }

  nodeAt(index: number): NodeSeat {
    return at(this.nodes, index);
  }

  clientAt(index: number): ClientSeat {
    return at(this.clients, index);
  }

  portsOf(host: Host) {
    const { random, dialer } = this.twin.host?.(host, this.sim) ?? host;
    return { clock: host.clock, dialer, random, log: this.#logOf(host) };
  }

  startHub(): void {
    // One that is killed while it starts never says so.
    if (this.hub !== undefined || (this.#starting !== undefined && this.#starting.state !== 'killed')) return;
    this.#hubLives += 1;
    const host = this.sim.host(`hub#${this.#hubLives}`);
    this.hubHost = host;
    this.#starting = host;
    this.note(`${host.name} starts`);
    const store = this.database?.from(host);
    const ports = { ...this.portsOf(host), listener: host.listener, metrics: noMetrics, store };
    const options = {
      ...this.scenario.hub,
      ...this.twin.hub,
      onSync: () => ({ hub: host.name }),
      transitions: this.transitions,
    };
    startHub(options, ports).then(
      (hub) => {
        if (this.#starting === host) this.#starting = undefined;
        if (host.state === 'killed') this.formerHubs.push({ host, hub });
        else this.hub = hub;
      },
      (error: unknown) => {
        const isRival = error instanceof HoldfastError && error.code === 'store_failed';
        if (!isRival || this.database === undefined)
          return this.broken(`the hub did not start: ${String(error)}`);
        // What the hub before it wrote last came in between.
        this.note(`${host.name} did not start: ${error.message}`);
        host.kill(true);
        this.later(100, () => this.startHub());
      },
    );
  }

  killHub(silently: boolean): void {
    for (const { host } of this.formerHubs) host.kill(silently);
    this.hubHost.kill(silently);
    this.#leaveHub();
  }

  stopHub(): void {
    const { hub } = this;
    this.#leaveHub();
    void hub?.stop();
  }

  forget(node: NodeSeat): void {
    // The operator says that it is gone: its calls are settled so.
    this.ledger.gone.set(node.plan.id, 'forgotten');
    this.hub?.forget(node.plan.id);
  }

  freeze(host: Host, forMs: number): void {
    host.stop();
    this.later(forMs, () => host.continue());
  }

  breakLinks(how: 'cut' | 'swallow', of: LinkFilter, forMs: number): void {
    let holds = true;
    this.sim.network[how]((link) => holds && of(link));
    this.later(forMs, () => {
      holds = false;
    });
  }

  calm(): void {
    this.sim.network.shape({ jitterMs: 0, bytesPerMs: Infinity, ...this.scenario.network });
  }

  /** On the operator's clock, or when the quiet time begins. */
  later(ms: number, fn: () => void): void {
    const once = (): void => {
      if (this.#pending.delete(once)) fn();
    };
    this.#pending.add(once);
    this.sim.clock.setTimer(once, ms);
  }

  /** Mends whatever is broken; an operator tells links that gave up to try again. */
  mend(): void {
    for (const end of [...this.#pending]) end();
    this.sim.network.heal();
    this.calm();
    this.startHub();
    // A node that was drained, and that nobody stopped, is let in again.
    for (const { id } of this.hub?.nodes() ?? []) this.hub?.undrain(id);
    for (const seat of [...this.nodes, ...this.clients]) seat.start();
    this.revive();
  }

  /** What an operator does about links whose attempts are spent. */
  revive(): void {
    for (const { process } of [...this.nodes, ...this.clients]) {
      if (process?.status().state === 'failed') process.connect();
    }
    for (const { process, former } of this.nodes) {
      // Its rival, that came back first to a hub without memory, is the one that counts.
      if (process?.status().state !== 'rejected') continue;
      for (const { process: rival, host } of former)
        if (host.state === 'running' && rival.status().state === 'failed') rival.connect();
    }
  }

  #leaveHub(): void {
    for (const { id } of [...this.scenario.nodes, ...this.scenario.clients]) this.ledger.offline(id);
    if (this.hub !== undefined) this.formerHubs.push({ host: this.hubHost, hub: this.hub });
    this.hub = undefined;
  }

  #logOf(host: Host): Log {
    const line =
      (level: string) =>
      (_fields: object, message: string): void => {
        if (host.state === 'killed') return;
        this.note(`${host.name} ${level}: ${message}`);
        // A hub that is still stopping hears so from the next one.
        const isSuperseded = host !== this.hubHost && message.startsWith('another hub with the id');
        if (
          (level === 'error' && !isSuperseded) ||
          /defect|broke the protocol|unexpected event/.test(message)
        )
          this.broken(`${host.name} logged: ${message}`);
        // A link that is told of its rival ends at once; that its socket was let go comes too late for it.
        if (message.startsWith('dead letter') && !message.includes('socket.released to connection/'))
          this.broken(`${host.name} had a ${message}`);
        const [, id = '', state = ''] = /^(\S+) \S+ → (\S+)/.exec(message) ?? [];
        if (!host.name.startsWith('hub#') || id === '') return;
        if (state.startsWith('online')) this.ledger.online(id);
        else this.ledger.offline(id);
        if (state.startsWith('expired')) this.ledger.gone.set(id, 'expired');
      };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no number ${index} of ${items.length}`);
  return item;
}
