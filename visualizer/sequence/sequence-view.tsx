// Messages between actors, in causal order.
// Invariant: shows what the model says, and nothing else.
import { Empty } from '../parts/empty.tsx';
import type { ViewProps } from '../view.ts';

export function SequenceView({ model }: ViewProps) {
  return (
    <Empty title="No messages yet">
      <p>Messages between actors, in causal order.</p>
      <p>{model.actors.size} actors are known.</p>
    </Empty>
  );
}
