// Messages between actors, in causal order.
// Invariant: what is shown is what the address says: actors, filters, the selected step, the moment.
import { useCallback, useMemo, useState } from 'react';
import { Empty } from '../parts/empty.tsx';
import { momentText } from '../parts/words.ts';
import type { Placed } from '../stream/causal-order.ts';
import { busiest, isFound, shownSteps } from '../stream/lifelines.ts';
import type { ActorKey } from '../stream/model.ts';
import { placeOf, type ViewProps } from '../view.ts';
import { ActorPicker, actorsOf, MOST_LIFELINES } from './actor-picker.tsx';
import { Filters, spanOf, type FilterQuery } from './filters.tsx';
import { SequenceChart } from './sequence-chart.tsx';
import { StepDetail } from './step-detail.tsx';
import { useFollowed } from './use-followed.ts';
import { useSteps } from './use-steps.ts';
import './sequence.css';

/** Lifelines that are chosen by themselves. */
const AUTOMATIC = 6;

export function SequenceView({ model, at, place, watch, go }: ViewProps) {
  const { query } = place;
  const { steps, state, isCut } = useSteps(watch, at);
  const known = useMemo(() => actorsOf(steps), [steps]);
  const chosen = useChosen(steps, query['actors'], query['process'] ?? '', known);
  const filters: FilterQuery = {
    event: query['event'] ?? '',
    process: query['process'] ?? '',
    span: query['span'] ?? '',
    q: query['q'] ?? '',
  };
  const rows = useMemo(() => {
    const span = spanOf(filters.span);
    const end = at === 'live' ? (steps.at(-1)?.step.at ?? 0) : at;
    const from = span === undefined ? undefined : end - span;
    return shownSteps(steps, { actors: new Set(chosen), event: filters.event, from });
  }, [steps, chosen, filters.event, filters.span, at]);
  const [step, setStep] = useFollowed(query['step'] ?? '');
  const selected = useMemo(
    () => (step === '' ? -1 : rows.findIndex(({ key }) => key === step)),
    [rows, step],
  );
  const [follows, setFollows] = useState<'yes' | 'no'>('yes');

  const put = useCallback(
    // What the address says now: two changes may come between two renderings.
    (change: Readonly<Record<string, string>>) =>
      go({ query: { ...placeOf(location.hash).query, ...change } }, 'replace'),
    [go],
  );
  const select = useCallback(
    (index: number) => {
      const key = rows[index]?.key ?? '';
      setFollows('no');
      setStep(key);
      put({ step: key });
    },
    [rows, put, setStep],
  );
  const open = useCallback(
    ({ step }: Placed) =>
      go({ view: 'machine', path: [step.process, step.actor], at: Math.ceil(step.at), query: {} }),
    [go],
  );
  const timeOf = (placed: Placed): string => momentText(placed.step.at, model.hello);
  const find = (side: 1 | -1, text: string): void => {
    // Beyond the end it goes on at the beginning.
    const start = selected < 0 && side === -1 ? 0 : selected;
    for (let n = 1; n <= rows.length; n += 1) {
      const index = (start + side * n + rows.length) % rows.length;
      const placed = rows[index];
      if (placed !== undefined && isFound(placed, text)) return select(index);
    }
  };

  if (model.hello === undefined && steps.length === 0)
    return <Empty title="Waiting for the stream">{heard}</Empty>;
  const lifelines = chosen.flatMap((key) => known.find((one) => one.key === key) ?? []);
  const shown = rows[selected];
  return (
    <div className="sequence">
      <div className="sequence-tools" role="toolbar" aria-label="What is shown">
        <ActorPicker
          known={known}
          chosen={chosen}
          isAutomatic={query['actors'] === undefined}
          onChoose={(keys) =>
            put({ actors: keys === undefined ? '' : keys.length === 0 ? NOBODY : keys.join('\n') })
          }
        />
        <Filters
          filters={filters}
          processes={processesOf(model.processes.keys(), known)}
          onChange={put}
          onFind={find}
        />
        <span className="grow" />
        <output className="soft">
          {state === 'loading' ? 'Loading… ' : ''}
          {rows.length} {rows.length === 1 ? 'step' : 'steps'}
          {isCut ? ' of the latest ' + String(steps.length) : ''}
        </output>
      </div>
      <div className="sequence-main">
        {rows.length === 0 ? (
          <Nothing
            steps={steps.length}
            chosen={chosen.length}
            isLoading={state === 'loading'}
            onClear={() => put(CLEARED)}
          />
        ) : (
          <SequenceChart
            rows={rows}
            lifelines={lifelines}
            selected={selected}
            cursor={at === 'live' ? rows.length : cursorAt(rows, at)}
            follows={follows === 'yes' && at === 'live'}
            timeOf={timeOf}
            isFound={(placed) => isFound(placed, filters.q)}
            onSelect={select}
            onOpen={open}
            onFollow={(is) => setFollows(is ? 'yes' : 'no')}
          />
        )}
        {shown !== undefined && (
          <StepDetail
            placed={shown}
            time={timeOf(shown)}
            onCause={(cause) => {
              // Whose lifeline is not drawn gets one.
              const actors = chosen.includes(cause.actor)
                ? {}
                : { actors: [...chosen, cause.actor].slice(-MOST_LIFELINES).join('\n') };
              setFollows('no');
              put({ step: cause.key, ...actors });
            }}
            onMoment={({ step }) => go({ at: Math.ceil(step.at) })}
            onOpen={open}
            onClose={() => put({ step: '' })}
          />
        )}
      </div>
    </div>
  );
}

const heard = <p>Nothing has been heard from the server of this page yet.</p>;
/** In the address: no actor is chosen, which is not the same as none was asked for. */
const NOBODY = '-';
const CLEARED = { actors: '', event: '', process: '', span: '' };

/** Those that the address names; else the busiest: they stay once chosen, so that columns do not jump about. */
function useChosen(
  steps: readonly Placed[],
  asked: string | undefined,
  process: string,
  known: readonly { readonly key: ActorKey }[],
): readonly ActorKey[] {
  const [kept, setKept] = useState<{ process: string; actors: readonly ActorKey[] }>({ process, actors: [] });
  const actors = useMemo(() => {
    if (asked !== undefined) return asked === NOBODY ? [] : asked.split('\n').slice(0, MOST_LIFELINES);
    const there = new Set(known.map(({ key }) => key));
    const before = kept.process === process ? kept.actors.filter((key) => there.has(key)) : [];
    const concerned =
      process === ''
        ? steps
        : steps.filter(({ step, cause }) => step.process === process || cause?.step.process === process);
    return busiest(concerned, AUTOMATIC, before);
  }, [steps, asked, process, known, kept]);
  const isSame = kept.process === process && kept.actors.join('\n') === actors.join('\n');
  if (asked === undefined && !isSame) setKept({ process, actors });
  return isSame ? kept.actors : actors;
}

function processesOf(
  named: Iterable<string>,
  known: readonly { readonly process: string }[],
): readonly string[] {
  return [...new Set([...named, ...known.map(({ process }) => process)])].toSorted();
}

/** How many rows had happened at that moment. */
function cursorAt(rows: readonly Placed[], at: number): number {
  return rows.findLastIndex(({ step }) => step.at <= at) + 1;
}

interface NothingProps {
  readonly steps: number;
  readonly chosen: number;
  readonly isLoading: boolean;
  onClear(): void;
}

function Nothing({ steps, chosen, isLoading, onClear }: NothingProps) {
  if (isLoading) return <Empty title="Loading…" />;
  if (steps === 0)
    return (
      <Empty title="No steps yet">
        <p>An actor takes a step when an event reaches it: then it is shown here, with who sent the event.</p>
      </Empty>
    );
  return (
    <Empty title={chosen === 0 ? 'No actor is chosen' : 'No step is like that'}>
      <p>{steps} steps of others are there.</p>
      <button type="button" onClick={onClear}>
        Clear all filters
      </button>
    </Empty>
  );
}
