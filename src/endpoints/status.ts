// What a pool says of one of its endpoints.
// Invariant: counters are read from the machine's ledger; nothing is counted twice.
import type { Member } from './member.ts';

export interface EndpointStatus {
  readonly id: string;
  readonly url: string | undefined;
  /** Of its machine: `healthy`, `suspect`, `ejected`, `probing`, `rising`. */
  readonly state: string;
  /** `refused`: the last key was, and nothing has succeeded since. */
  readonly credentials: 'accepted' | 'refused';
  /** Attempts that began: `inFlight` of them are under way, the others have a verdict. */
  readonly totalRequests: number;
  readonly inFlight: number;
  readonly failedRequests: number;
  readonly clientFaults: number;
  readonly credentialFaults: number;
  readonly abandonedRequests: number;
  /** Verdicts and probes that came after the epoch in which they began: counted, and no more than that. */
  readonly late: number;
  readonly consecutiveFailures: number;
  /** Times that it was put out of service, and those that are not forgiven yet. */
  readonly totalEjections: number;
  readonly ejections: number;
  readonly probes: number;
  readonly failedProbes: number;
  /** Of successes, up to the first byte; −1 before the first. Percentiles are over the latest 10 000 to 20 000. */
  readonly latency: {
    readonly ewmaMs: number;
    readonly p50Ms: number;
    readonly p90Ms: number;
    readonly p99Ms: number;
  };
}

export function endpointStatus(member: Member, state: string): EndpointStatus {
  const { endpoint, context, latencies } = member;
  const { ledger } = context;
  return {
    id: member.id,
    url: endpoint.url,
    state,
    credentials: ledger.denials > 0 ? 'refused' : 'accepted',
    totalRequests: member.begun,
    inFlight: member.inFlight,
    failedRequests: ledger.failedRequests,
    clientFaults: ledger.clientFaults,
    credentialFaults: ledger.credentialFaults,
    abandonedRequests: ledger.abandonedRequests,
    late: ledger.staleEvents,
    consecutiveFailures: ledger.consecutiveFailures,
    totalEjections: ledger.totalEjections,
    ejections: ledger.ejections,
    probes: ledger.probes,
    failedProbes: ledger.failedProbes,
    latency: {
      ewmaMs: ledger.latencyEwmaMs,
      p50Ms: latencies.percentileMs(0.5),
      p90Ms: latencies.percentileMs(0.9),
      p99Ms: latencies.percentileMs(0.99),
    },
  };
}
