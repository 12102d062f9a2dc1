// What may be asked of the server, each after a question back.
// Invariant: nothing is asked that `may` of the hello does not list, and nothing while the past is shown.
import { useState, type ReactNode } from 'react';
import type { Operation } from '../../src/protocol/inspection.ts';
import { Dialog } from '../parts/dialog.tsx';
import type { ViewProps } from '../view.ts';

/** What each does, in the words of the question. */
const questions: Readonly<Record<Operation, { readonly verb: string; ask(target: string): string }>> = {
  drain: { verb: 'Drain', ask: (it) => `Node ${it} gets no new calls, and finishes those that it has.` },
  undrain: { verb: 'Take back', ask: (it) => `Node ${it} gets calls again.` },
  disconnect: { verb: 'Disconnect', ask: (it) => `The connection of node ${it} is cut. It will dial again.` },
  pause: { verb: 'Pause', ask: () => 'Training pauses before its next round. The budget of the pause runs.' },
  resume: { verb: 'Resume', ask: () => 'Training goes on, when enough nodes are online.' },
  retry: { verb: 'Retry', ask: (it) => `Endpoint ${it} is probed now, before its turn.` },
  clear: {
    verb: 'Clear',
    ask: (it) => `The failure queue of ${it} is emptied: its endpoints are taken for healthy.`,
  },
};

export interface ActProps extends Pick<ViewProps, 'model' | 'watch' | 'at' | 'say'> {
  readonly operation: Operation;
  readonly target?: string | undefined;
  readonly children?: ReactNode;
}

export function Act({ model, watch, at, say, operation, target, children }: ActProps) {
  const [state, setState] = useState<'idle' | 'asking' | 'sent'>('idle');
  if (at !== 'live' || model.hello?.may.includes(operation) !== true || watch.recording !== undefined)
    return null;
  const { verb, ask } = questions[operation];
  const go = async (): Promise<void> => {
    setState('sent');
    const { ok, message } = await watch.ask(operation, target);
    say(ok ? 'good' : 'bad', message);
    setState('idle');
  };
  return (
    <>
      <button type="button" onClick={() => setState('asking')} disabled={state === 'sent'}>
        {children ?? verb}
      </button>
      {state === 'idle' ? null : (
        <Dialog
          title={`${verb}${target === undefined ? ' training' : ` ${target}`}?`}
          onCancel={() => setState('idle')}
        >
          <p>{ask(target ?? '')}</p>
          <div className="dialog-acts">
            <button type="button" onClick={() => setState('idle')}>
              Cancel
            </button>
            <button type="button" className="primary" disabled={state === 'sent'} onClick={() => void go()}>
              {state === 'sent' ? 'Asking…' : verb}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
