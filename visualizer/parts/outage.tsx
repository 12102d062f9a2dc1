// Says that what is shown is old: the server is not there.
// Invariant: it stands there only as long as nothing can be heard.
import { useEffect, useState } from 'react';
import { stateLabel } from '../stream/state-label.ts';
import type { LinkState } from '../stream/watch.ts';

/** A link that is back sooner was hardly away. */
const PATIENCE_MS = 400;

export function Outage({ link, known }: { readonly link: LinkState; readonly known: 'known' | 'unknown' }) {
  const label = stateLabel(link.state);
  const lost = known === 'known' && label !== 'connected' && label !== 'recording' ? 'lost' : 'here';
  const [shown, setShown] = useState<'shown' | 'hidden'>('hidden');
  useEffect(() => {
    const timer = setTimeout(
      () => setShown(lost === 'lost' ? 'shown' : 'hidden'),
      lost === 'lost' ? PATIENCE_MS : 0,
    );
    return () => clearTimeout(timer);
  }, [lost]);
  if (shown === 'hidden') return null;
  return (
    <p className="outage" role="status">
      The server does not answer. What you see is what was heard last; this page dials again by itself.
    </p>
  );
}
