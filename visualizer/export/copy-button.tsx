// A button that copies a text and says that it did.
// Invariant: works on pages that are not served securely too, where browsers offer no clipboard to scripts.
import { useEffect, useState } from 'react';

export interface CopyButtonProps {
  readonly label: string;
  /** Made when it is asked for. */
  readonly text: () => string;
  readonly title?: string;
}

const SHOWN_MS = 2_000;

export function CopyButton({ label, text, title }: CopyButtonProps) {
  const [state, setState] = useState<'ready' | 'copied' | 'failed'>('ready');
  useEffect(() => {
    if (state === 'ready') return undefined;
    const timer = setTimeout(() => setState('ready'), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = (): void => {
    copyText(text()).then(setState, () => setState('failed'));
  };
  return (
    <button type="button" title={title} onClick={copy}>
      <span aria-live="polite">
        {state === 'copied' ? 'Copied' : state === 'failed' ? 'Copying is not allowed here' : label}
      </span>
    </button>
  );
}

async function copyText(text: string): Promise<'copied' | 'failed'> {
  try {
    await navigator.clipboard.writeText(text);
    return 'copied';
  } catch {
    return copySelected(text);
  }
}

/** By the old way: a field that is selected. */
function copySelected(text: string): 'copied' | 'failed' {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'off-screen';
  field.setAttribute('aria-hidden', 'true');
  document.body.append(field);
  const before = document.activeElement;
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied ? 'copied' : 'failed';
}
