// The fleet at a glance.
// Invariant: shows what the model says, and nothing else.
import { Empty } from '../parts/empty.tsx';
import type { ViewProps } from '../view.ts';

export function FleetView({ model }: ViewProps) {
  if (model.hello === undefined)
    return (
      <Empty title="Waiting for the fleet">
        <p>Nothing has been heard from the server of this page yet.</p>
      </Empty>
    );
  return <p>{model.fleet.nodes.size} nodes</p>;
}
