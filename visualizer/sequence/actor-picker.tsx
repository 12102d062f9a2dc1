// Chooses whose lifelines are drawn.
// Invariant: never more than can be told apart; what is chosen stays in the order of the choice.
import { useId, useMemo, useRef, useState } from 'react';
import type { Placed } from '../stream/causal-order.ts';
import type { ActorKey } from '../stream/model.ts';

export const MOST_LIFELINES = 16;
/** Of thousands of actors so many are listed; a search finds the others. */
const MOST_LISTED = 200;

export interface ActorPickerProps {
  /** Those that have steps, the busiest first. */
  readonly known: readonly KnownActor[];
  readonly chosen: readonly ActorKey[];
  readonly isAutomatic: boolean;
  /** Undefined: the busiest. */
  onChoose(chosen: readonly ActorKey[] | undefined): void;
}

export interface KnownActor {
  readonly key: ActorKey;
  readonly actor: string;
  readonly process: string;
  readonly machine: string;
  readonly steps: number;
}

export function actorsOf(steps: readonly Placed[]): readonly KnownActor[] {
  const counts = new Map<ActorKey, number>();
  const firsts = new Map<ActorKey, Placed>();
  for (const placed of steps) {
    const count = counts.get(placed.actor);
    if (count === undefined) firsts.set(placed.actor, placed);
    counts.set(placed.actor, (count ?? 0) + 1);
  }
  return [...firsts]
    .map(
      ([
        key,
        {
          step: { actor, process, machine },
        },
      ]) => ({
        key,
        actor,
        process,
        machine,
        steps: counts.get(key) ?? 0,
      }),
    )
    .toSorted((a, b) => b.steps - a.steps);
}

export function ActorPicker({ known, chosen, isAutomatic, onChoose }: ActorPickerProps) {
  const [isOpen, setOpen] = useState<'open' | 'closed'>('closed');
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape closes the box from anywhere in it
    <div
      className="picker"
      role="group"
      aria-label="Whose steps are shown"
      ref={box}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || isOpen === 'closed') return;
        setOpen('closed');
        box.current?.querySelector('button')?.focus();
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen('closed');
      }}
    >
      <button
        type="button"
        aria-expanded={isOpen === 'open'}
        aria-controls={id}
        onClick={() => setOpen(isOpen === 'open' ? 'closed' : 'open')}
      >
        Actors: {isAutomatic ? 'the busiest' : chosen.length}
      </button>
      {isOpen === 'open' && (
        <Choices id={id} known={known} chosen={chosen} isAutomatic={isAutomatic} onChoose={onChoose} />
      )}
    </div>
  );
}

function Choices({ id, known, chosen, isAutomatic, onChoose }: ActorPickerProps & { readonly id: string }) {
  const [text, setText] = useState('');
  const found = useMemo(() => {
    const sought = text.toLowerCase();
    const names = ({ actor, process, machine }: KnownActor): string =>
      `${actor} ${process} ${machine}`.toLowerCase();
    const all = known.filter((one) => sought === '' || names(one).includes(sought));
    // The chosen come first, so that they are found again.
    return all.toSorted((a, b) => Number(chosen.includes(b.key)) - Number(chosen.includes(a.key)));
  }, [known, chosen, text]);
  const isFull = chosen.length >= MOST_LIFELINES;
  const toggle = (key: ActorKey): void =>
    onChoose(chosen.includes(key) ? chosen.filter((one) => one !== key) : [...chosen, key]);
  return (
    <div className="picker-box" id={id}>
      <input
        type="search"
        aria-label="Find an actor"
        placeholder="Find an actor, a process, a machine"
        value={text}
        autoFocus // oxlint-disable-line jsx-a11y/no-autofocus -- the box was opened to choose
        onChange={(event) => setText(event.target.value)}
      />
      <div className="picker-acts">
        <button type="button" aria-pressed={isAutomatic} onClick={() => onChoose(undefined)}>
          The busiest
        </button>
        <button type="button" onClick={() => onChoose([])}>
          None
        </button>
        <span className="soft">
          {chosen.length} of at most {MOST_LIFELINES}
        </span>
      </div>
      <ul className="picker-list">
        {found.slice(0, MOST_LISTED).map(({ key, actor, process, machine, steps }) => {
          const isChosen = chosen.includes(key);
          return (
            <li key={key}>
              <label>
                <input
                  type="checkbox"
                  checked={isChosen}
                  disabled={isFull && !isChosen}
                  onChange={() => toggle(key)}
                />
                <span className="picker-name">
                  {actor}
                  <span className="soft">
                    {process} · {machine}
                  </span>
                </span>
                <span className="soft">{steps}</span>
              </label>
            </li>
          );
        })}
      </ul>
      {found.length === 0 && <p className="soft">No actor with steps is called so.</p>}
      {found.length > MOST_LISTED && (
        <p className="soft">And {found.length - MOST_LISTED} more: type to find them.</p>
      )}
    </div>
  );
}
