// Endpoints with their health, and the failure queue: who waits to be proven healthy.
// Invariant: an entry can be retried only where it stands in the queue.
import { StateBadge } from '../parts/badge.tsx';
import { Panel } from '../parts/panel.tsx';
import { countText } from '../parts/words.ts';
import type { ViewProps } from '../view.ts';
import { Act } from './acts.tsx';

const MAX_SHOWN = 100;

export function EndpointsPanel(props: ViewProps) {
  return props.model.fleet.pools.map((pool) => (
    <Panel
      key={pool.name}
      title={`Endpoints · ${pool.name}`}
      aside={<span className="soft count">{countText(pool.requests)} requests</span>}
    >
      <ul className="endpoints">
        {pool.endpoints.slice(0, MAX_SHOWN).map((endpoint) => (
          <li key={endpoint.id}>
            <span className="endpoint-name" title={endpoint.id}>
              {endpoint.id}
            </span>
            <span className="soft">
              {countText(endpoint.inFlight)} in flight, {countText(endpoint.failedRequests)} of{' '}
              {countText(endpoint.totalRequests)} failed
            </span>
            <StateBadge state={endpoint.state} />
          </li>
        ))}
      </ul>
      <h3>
        Failure queue <span className="soft">{queueText(pool.queue)}</span>
      </h3>
      {(pool.waiting ?? []).length === 0 ? (
        <p className="nothing">
          {pool.queue.size === 0 ? 'Empty: no endpoint has failed.' : 'Its entries are not told.'}
        </p>
      ) : (
        <ol className="queue">
          {(pool.waiting ?? []).slice(0, MAX_SHOWN).map(({ endpoint, phase }) => (
            <li key={endpoint}>
              <span className="endpoint-name">{endpoint}</span>
              <StateBadge state={phase} />
              <Act {...props} operation="retry" target={endpoint} />
            </li>
          ))}
        </ol>
      )}
      {pool.queue.size === 0 ? null : (
        <div className="acts">
          <Act {...props} operation="clear" target={pool.name} />
        </div>
      )}
    </Panel>
  ));
}

function queueText({
  size,
  probing,
  held,
}: {
  readonly size: number;
  readonly probing: number;
  readonly held: number;
}): string {
  return size === 0 ? '' : `${size} waiting, ${probing} probing, ${held} held`;
}
