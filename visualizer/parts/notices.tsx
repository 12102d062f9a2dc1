// What the page has to say to the person: answers and errors, for a while, at the edge.
// Invariant: an error stays until it is dismissed.
import { useCallback, useState } from 'react';

export interface Notice {
  readonly id: number;
  readonly tone: 'good' | 'bad';
  readonly message: string;
}

const SHOWN_MS = 6_000;
const MAX_NOTICES = 4;
let nextId = 1;

export function useNotices() {
  const [notices, setNotices] = useState<readonly Notice[]>([]);
  const dismiss = useCallback((id: number) => setNotices((all) => all.filter((it) => it.id !== id)), []);
  const say = useCallback(
    (tone: Notice['tone'], message: string) => {
      const id = nextId++;
      setNotices((all) => [...all, { id, tone, message }].slice(-MAX_NOTICES));
      if (tone === 'good') setTimeout(() => dismiss(id), SHOWN_MS);
    },
    [dismiss],
  );
  return { notices, say, dismiss };
}

export function Notices(props: { readonly notices: readonly Notice[]; dismiss(id: number): void }) {
  return (
    <div className="notices" aria-live="polite">
      {props.notices.map(({ id, tone, message }) => (
        <div key={id} className={`notice notice-${tone}`}>
          <span>{message}</span>
          <button type="button" className="quiet" aria-label="Dismiss" onClick={() => props.dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
