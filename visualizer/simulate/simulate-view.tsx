// A machine walked by hand, without a hub.
// Invariant: shows what the model says, and nothing else.
import { Empty } from '../parts/empty.tsx';
import type { ViewProps } from '../view.ts';

export function SimulateView({ model }: ViewProps) {
  return (
    <Empty title="Choose a machine">
      <p>A machine walked by hand, without a hub.</p>
      <p>{model.actors.size} actors are known.</p>
    </Empty>
  );
}
