// The fleet of a demo: a hub and its nodes, their links as they report them, and the faults that are done to them.
// Invariant: every process that was started is known here until it was waited for.
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Member } from './member.ts';
import type { LogReport, Report } from './role.ts';

const LOOK_MS = 20;
const START_MS = 10_000;

/** A node's process and its link, as the view shows them. */
export interface Station {
  readonly id: string;
  member: Member;
  /** State of its connection machine, as it last said. */
  link: string;
  /** Since when, on the demo's clock, in milliseconds. */
  since: number;
  active: number;
  executed: number;
}

/** A link that broke and came back. */
export interface Reconnect {
  readonly who: string;
  readonly lostAt: number;
  readonly tookMs: number;
}

export interface FleetOptions {
  /** The demo's own module, as `import.meta.url`: its `hub-role` and `node-role` lie beside it. */
  readonly demo: string;
  /** A folder for what is compiled, which the demo removes in the end. */
  readonly scratch: string;
  /** What its hub is told beyond the port. @default nothing */
  readonly hubConfig?: object;
  /** What a node is told beyond its id and its hub. */
  nodeConfig(id: string): object;
  /** Monotonic milliseconds. */
  now(): number;
  /** A line for the view: whose, and what. */
  said(who: string, message: string): void;
  /** A process ended that nobody had asked to. */
  died(who: string, how: string): void;
  /** What a process told that only this demo knows. @default nothing */
  told?(told: unknown, who: string): void;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #all = new Set<Member>();
  readonly stations = new Map<string, Station>();
  readonly reconnects: Reconnect[] = [];
  /** Links that were connected and are not: who, and since when. */
  readonly #lost = new Map<string, number>();
  readonly #unexpected = new Map<Member, number>();
  /** What the hubs said of nodes: `node-5 absent`. */
  readonly hubSaw = new Set<string>();
  hub: Member | undefined;
  url = '';
  #port = 0;
  #listening: Member | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Events that no state of any machine in these processes had expected. */
  get unexpectedEvents(): number {
    let sum = 0;
    for (const count of this.#unexpected.values()) sum += count;
    return sum;
  }

  /** The inspector's page, which the hub serves. */
  get page(): string {
    return this.url.replace(/^ws/, 'http');
  }

  /** A hub on the port of the one before it. Resolves with whether it listens. */
  startHub(signal: AbortSignal): Promise<boolean> {
    const hub = this.#spawn('hub', 'hub', { port: this.#port, ...this.#options.hubConfig });
    this.hub = hub;
    return this.until(() => this.#listening === hub || hub.life === 'gone', START_MS, signal).then(
      () => this.#listening === hub,
    );
  }

  startNode(id: string): void {
    const { nodeConfig, now } = this.#options;
    const member = this.#spawn('node', id, { id, hub: this.url, ...nodeConfig(id) });
    const station = this.stations.get(id);
    if (station === undefined) {
      this.stations.set(id, { id, member, link: 'starting', since: now(), active: 0, executed: 0 });
    } else {
      // Another process: its link was never lost.
      this.#lost.delete(id);
      Object.assign(station, { member, link: 'starting', since: now(), active: 0, executed: 0 });
    }
  }

  #spawn(role: 'hub' | 'node', name: string, config: object): Member {
    const { demo, scratch } = this.#options;
    const file = fileURLToPath(new URL(`${role}-role${extname(fileURLToPath(demo))}`, demo));
    const heard = (report: Report, member: Member): void => this.#heard(report, member);
    const died = (member: Member, how: string): void => this.#options.died(member.name, how);
    const member = new Member({ file, name, config, cache: join(scratch, 'compiled') }, heard, died);
    this.#all.add(member);
    return member;
  }

  /** A link changed its state; the demo's own client reports here too. */
  linkChanged(who: string, from: string, to: string): void {
    const now = this.#options.now();
    if (from === 'connected' && to === 'transient_failure') this.#lost.set(who, now);
    const lostAt = this.#lost.get(who);
    if (to === 'connected' && lostAt !== undefined) {
      this.#lost.delete(who);
      this.reconnects.push({ who, lostAt, tookMs: now - lostAt });
    }
    const station = this.stations.get(who);
    if (station !== undefined) Object.assign(station, { link: to, since: now });
  }

  #heard(report: Report, member: Member): void {
    if (report.kind === 'log') this.#logged(report, member);
    else if (report.kind === 'listening') {
      this.url = report.url;
      this.#port = report.port;
      this.#listening = member;
    } else if (report.kind === 'told') this.#options.told?.(report.told, member.name);
    else {
      this.#unexpected.set(member, report.unexpectedEvents);
      const station = this.stations.get(member.name);
      if (station?.member === member)
        Object.assign(station, { active: report.active, executed: report.executed });
    }
  }

  #logged({ fields, message }: LogReport, member: Member): void {
    const { from, to, node } = fields;
    if (member === this.hub && typeof node === 'string' && typeof to === 'string') {
      this.hubSaw.add(`${node} ${to}`);
    }
    if (
      this.stations.get(member.name)?.member === member &&
      typeof from === 'string' &&
      typeof to === 'string'
    ) {
      this.linkChanged(member.name, from, to);
    }
    this.#options.said(member.name, message);
  }

  /** Resolves with true once `holds` does, with false when `withinMs` milliseconds have passed or the signal came. */
  async until(holds: () => boolean, withinMs: number, signal: AbortSignal): Promise<boolean> {
    const endAt = this.#options.now() + withinMs;
    while (!holds()) {
      if (signal.aborted || this.#options.now() >= endAt) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  /** Nodes whose process runs and whose link stands. */
  get connected(): number {
    return [...this.stations.values()].filter(
      ({ link, member }) => link === 'connected' && member.life === 'running',
    ).length;
  }

  /** Everything ends as it should: nodes first, then the hub. Returns who had to be killed. */
  async end(): Promise<string[]> {
    const nodes = [...this.#all].filter((member) => member !== this.hub && member.life !== 'gone');
    const hub = this.hub === undefined || this.hub.life === 'gone' ? [] : [this.hub];
    const killed: string[] = [];
    for (const group of [nodes, hub]) {
      await Promise.all(
        group.map(async (member) => {
          if ((await member.end(6_000)) === 'killed') killed.push(member.name);
        }),
      );
    }
    return killed;
  }

  /** SIGKILL for all that is left, without waiting: for a process that is about to end itself. */
  killNow(): void {
    for (const member of this.#all) void member.kill();
  }

  /** SIGKILL for all that is left. Resolves when every process was waited for. */
  async kill(): Promise<void> {
    await Promise.all([...this.#all].map((member) => member.kill()));
  }
}
