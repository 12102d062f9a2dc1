// How many machines are in each state.
// Invariant: the bar's parts and the words beside it are the same numbers.
import { Panel } from '../parts/panel.tsx';
import { toneOf } from '../parts/tone.ts';
import { countText } from '../parts/words.ts';
import type { MachineView } from '../stream/model.ts';
import type { ViewProps } from '../view.ts';

const MAX_STATES = 8;

export function MachinesPanel({ model }: Pick<ViewProps, 'model'>) {
  const machines = [...model.machines.values()].toSorted((a, b) => (a.machine < b.machine ? -1 : 1));
  const busy = machines.filter(({ states }) => states.size > 0);
  return (
    <Panel title="Machines" aside={<span className="soft count">{countText(liveOf(busy))} live</span>}>
      {busy.length === 0 ? (
        <p className="nothing">No machine runs at this moment.</p>
      ) : (
        <ul className="machines">
          {busy.map((machine) => (
            <Machine key={machine.machine} machine={machine} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function liveOf(machines: readonly MachineView[]): number {
  let live = 0;
  for (const { states } of machines) for (const count of states.values()) live += count;
  return live;
}

function Machine({ machine: { machine, states, began, shown } }: { readonly machine: MachineView }) {
  const ordered = [...states].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const total = ordered.reduce((sum, [, count]) => sum + count, 0);
  const rest = ordered.slice(MAX_STATES).reduce((sum, [, count]) => sum + count, 0);
  return (
    <li>
      <div className="machine-head">
        <span className="machine-name">{machine}</span>
        <span className="soft">
          {countText(total)}
          {began > shown ? ` shown of ${countText(began - shown + total)}` : ''}
        </span>
      </div>
      <div className="bar" aria-hidden="true">
        {ordered.map(([label, count]) => (
          <span key={label} className={`part tone-${toneOf(label)}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <ul className="state-counts">
        {ordered.slice(0, MAX_STATES).map(([label, count]) => (
          <li key={label}>
            <span className={`dot tone-${toneOf(label)}`} aria-hidden="true" />
            {label} <span className="soft">{countText(count)}</span>
          </li>
        ))}
        {rest > 0 && <li className="soft">{countText(rest)} in other states</li>}
      </ul>
    </li>
  );
}
