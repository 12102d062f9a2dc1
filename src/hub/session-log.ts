// What a session's transitions are to others: one line in the hub's log for each that a person can act upon.
// Invariant: what happens inside a state is the machine's own; that a draining node is away is told in the log alone.
import type { sessionMachine } from '../../machines/session.ts';
import type { Transition } from '../actors/index.ts';
import type { Log } from '../ports.ts';

/** `moved` hears of each change of its outermost state. */
export function noteSession(
  log: Log,
  { role, id }: { readonly role: 'node' | 'client'; readonly id: string },
  moved: (state: string) => void,
) {
  return ({ from, to, snapshot }: Transition<typeof sessionMachine>): void => {
    const [[before], [after = '']] = [from.split('.'), to.split('.')];
    if (before !== after) moved(after);
    const [left, entered] = [phaseOf(from), phaseOf(to)];
    if (left === entered) return;
    const { reason } = snapshot.context.ledger;
    const why = entered.endsWith('absent') || entered === 'expired' ? `: ${reason}` : '';
    const fields = { [role]: id, from: left, to: entered };
    log[role === 'node' ? 'info' : 'debug'](fields, `${id} ${left} → ${entered}${why}`);
  };
}

/** `draining.ordered.absent` → `draining.absent`. */
function phaseOf(path: string): string {
  const [state = ''] = path.split('.');
  return state === 'draining' && path.endsWith('.absent') ? 'draining.absent' : state;
}
