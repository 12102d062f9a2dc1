// The health of a pool's endpoints: verdicts go into the compiled table, and what it decides is carried out.
// Invariant: whether an endpoint serves is decided by its machine alone; here it is only read.
import {
  endpointEffects,
  endpointMachine,
  type EndpointContext,
  type EndpointEvent,
} from '../../machines/endpoint.ts';
import { compile } from '../engine/compile.ts';
import type { Observer } from '../engine/table-records.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { VerdictKind } from './classify.ts';
import { newMember, type Member } from './member.ts';
import type { Endpoint, PoolSettings, Probe } from './options.ts';

/** Who hears of endpoints that come and go: the failure queue. */
export interface Announcements {
  ejected(id: string, facts: { epoch: number; waitMs: number; ejections: number }): void;
  recovered(id: string, epoch: number): void;
  removed(id: string): void;
}

export interface HealthOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings: PoolSettings;
  readonly probe: Probe | undefined;
  readonly announce: Announcements;
  /** An endpoint came into service, or left it. */
  changed(member: Member): void;
  readonly observer: Observer<Member> | undefined;
}

const contextOf = (member: Member) => ({ context: member.context, event: { type: '' } });

export class Health {
  readonly #options: HealthOptions;
  #phase: 'running' | 'stopped' = 'running';
  /** Members that are out of service. */
  #out = 0;
  #size = 0;
  // One object for each event that every attempt brings: the machine reads it and does not keep it.
  readonly #succeeded = { type: 'attempt.succeeded' as const, epoch: 0, at: 0, latencyMs: 0 };
  readonly #failed = { type: 'attempt.failed' as const, epoch: 0, at: 0, retryAfterMs: 0, room: 1 as 0 | 1 };

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#machine.observe(options.observer);
  }

  readonly #machine = compile<typeof endpointMachine, typeof endpointEffects, Member>(
    endpointMachine,
    endpointEffects,
    {
      announceEjected: (member) => this.#announceEjected(member),
      announceRecovered: (member) => this.#announceRecovered(member),
      announceReleased: ({ id }) =>
        this.#options.log.info({ endpoint: id }, `endpoint ${id} was put back into service, unproven`),
      announceRemoved: (member) => this.#options.announce.removed(member.id),
      startProbe: (member) => this.#startProbe(member),
      abortProbe: (member) => this.#abortProbe(member),
    },
    { entered: (member) => this.#entered(member) },
  );
  readonly #serves = this.#machine.states.map((name) => name === 'healthy' || name === 'suspect');

  /** `ejection`: what the queue remembers of it, if it is in it. */
  add(endpoint: Endpoint, ejection?: { readonly epoch: number; readonly ejections: number }): Member {
    const { settings, random, clock } = this.#options;
    const context = this.#machine.initialContext({
      failureThreshold: settings.consecutiveFailures,
      // Nobody looks: once is as good as twice.
      rise: this.#options.probe === undefined ? 1 : settings.rise,
      ejectionMs: settings.ejectionMs,
      maxEjectionMs: settings.maxEjectionMs,
      probeTimeoutMs: settings.probeTimeoutMs,
      probeIntervalMs: settings.probeIntervalMs,
      seed: random.uint32(),
      epoch: ejection?.epoch ?? 0,
      ejections: ejection?.ejections ?? 0,
    });
    const member = newMember(endpoint, context as EndpointContext, settings.failureWindowMs);
    this.#size += 1;
    this.#out += 1;
    this.#machine.enter(member);
    const type = ejection === undefined ? 'endpoint.opened' : 'endpoint.restored';
    this.#machine.send(member, { type, at: clock.now() });
    return member;
  }

  state(member: Member): string {
    return this.#machine.states[member.state] ?? '';
  }

  /** The end of an attempt that began in `epoch`. */
  verdict(member: Member, epoch: number, kind: VerdictKind, latencyMs: number, retryAfterMs: number): void {
    const at = this.#options.clock.now();
    const isLate = epoch !== member.context.control.epoch;
    if (kind === 'success') {
      const event = this.#succeeded;
      event.epoch = epoch;
      event.at = at;
      event.latencyMs = latencyMs;
      this.#machine.send(member, event);
      if (isLate) return;
      member.latencies.add(latencyMs);
      member.window.add(at, 0);
    } else if (kind === 'failure') {
      const event = this.#failed;
      event.epoch = epoch;
      event.at = at;
      event.retryAfterMs = retryAfterMs;
      event.room = this.#room;
      this.#machine.send(member, event);
      if (!isLate && epoch === member.context.control.epoch) this.#countFailure(member, at);
    } else {
      const type: EndpointEvent['type'] =
        kind === 'client'
          ? 'attempt.faulted'
          : kind === 'credentials'
            ? 'attempt.denied'
            : 'attempt.abandoned';
      this.#machine.send(member, { type, epoch, at });
    }
  }

  granted(member: Member, epoch: number): void {
    this.#machine.send(member, { type: 'slot.granted', epoch, at: this.#options.clock.now() });
  }

  release(member: Member): void {
    this.#machine.send(member, { type: 'release.requested', at: this.#options.clock.now() });
  }

  remove(member: Member): void {
    this.#machine.send(member, { type: 'removal.requested', at: this.#options.clock.now() });
  }

  /** Nothing of it runs any more. */
  stop(members: Iterable<Member>): void {
    this.#phase = 'stopped';
    for (const member of members) {
      this.#clearTimer(member);
      this.#abortProbe(member);
    }
  }

  /** 1 when one more may go out of service. */
  get #room(): 0 | 1 {
    const { maxEjectedPercent } = this.#options.settings;
    if (maxEjectedPercent === 100) return 1;
    const most = Math.floor((this.#size * maxEjectedPercent) / 100);
    return this.#out < (maxEjectedPercent === 0 ? 0 : Math.max(1, most)) ? 1 : 0;
  }

  #countFailure(member: Member, at: number): void {
    const { failureRate, minimumVolume } = this.#options.settings;
    const { window } = member;
    window.add(at, 1);
    if (window.volume < minimumVolume || window.failures < failureRate * window.volume) return;
    const { epoch } = member.context.control;
    this.#machine.send(member, { type: 'rate.exceeded', epoch, at, room: this.#room });
  }

  /** A member entered another state, and its entry actions have run. */
  #entered(member: Member): void {
    this.#clearTimer(member);
    const delayMs = this.#machine.delayMs(member);
    if (delayMs >= 0)
      member.timer = this.#options.clock.setTimer(() => {
        member.timer = undefined;
        this.#machine.expire(member);
      }, delayMs);
    const isOver = this.#machine.final[member.state] === true;
    const service = isOver ? 'removed' : this.#serves[member.state] === true ? 'in' : 'out';
    if (service === member.service) return;
    this.#out += (service === 'out' ? 1 : 0) - (member.service === 'out' ? 1 : 0);
    if (isOver) this.#size -= 1;
    member.service = service;
    member.window.clear();
    this.#options.changed(member);
  }

  #clearTimer(member: Member): void {
    if (member.timer !== undefined) this.#options.clock.clearTimer(member.timer);
    member.timer = undefined;
  }

  #announceEjected(member: Member): void {
    const { log, announce } = this.#options;
    const facts = endpointEffects.announceEjected(contextOf(member));
    const { consecutiveFailures, failedRequests } = member.context.ledger;
    const waitMs = Math.round(facts.waitMs);
    log.warn(
      { endpoint: member.id, waitMs, consecutiveFailures, failedRequests },
      `endpoint ${member.id} is out of service for ${waitMs} ms, after ${consecutiveFailures} failures in a row`,
    );
    announce.ejected(member.id, facts);
  }

  #announceRecovered(member: Member): void {
    const { epoch } = endpointEffects.announceRecovered(contextOf(member));
    this.#options.log.info({ endpoint: member.id }, `endpoint ${member.id} serves again`);
    this.#options.announce.recovered(member.id, epoch);
  }

  #startProbe(member: Member): void {
    const { probe, clock, log } = this.#options;
    const { epoch } = endpointEffects.startProbe(contextOf(member));
    const ended = (type: 'probe.succeeded' | 'probe.failed'): void => {
      if (this.#phase === 'running') this.#machine.send(member, { type, epoch, at: clock.now() });
    };
    if (probe === undefined) return ended('probe.succeeded');
    const controller = new AbortController();
    member.probe = controller;
    // A probe that throws at once has failed, too.
    new Promise<void>((resolve) => resolve(probe(member.endpoint, controller.signal))).then(
      () => ended('probe.succeeded'),
      (error: unknown) => {
        log.debug(
          { endpoint: member.id, error: String(error) },
          `the probe of ${member.id} failed: ${error}`,
        );
        ended('probe.failed');
      },
    );
    return undefined;
  }

  #abortProbe(member: Member): void {
    const { probe } = member;
    member.probe = undefined;
    probe?.abort(new HoldfastError(`nobody waits for the probe of ${member.id}`, { code: 'cancelled' }));
  }
}
