// What a view shows when it has nothing to show, and why.
// Invariant: says what to do, or that nothing needs doing.
import type { ReactNode } from 'react';

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <output className="empty">
      <h2>{title}</h2>
      {children}
    </output>
  );
}
