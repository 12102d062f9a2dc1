// A registered machine walked by hand, without a hub: the same machine as in production, stepped as a value.
// Invariant: the address holds the machine, its input and the path; everything that is shown is made from them again.
import { useMemo, useState } from 'react';
import type { AnyStateMachine, EventObject } from 'xstate';
import { registry } from '../../machines/index.ts';
import type { Effects } from '../../machines/types.ts';
import { statePath } from '../../src/engine/state-path.ts';
import { toDocument } from '../../src/inspect/index.ts';
import { CopyButton } from '../export/copy-button.tsx';
import { ExportButton } from '../export/export-button.tsx';
import { Chart } from '../machine/chart.tsx';
import { statechartOf } from '../machine/statechart.ts';
import { StateBadge } from '../parts/badge.tsx';
import type { ViewProps } from '../view.ts';
import { EventsPanel } from './events-panel.tsx';
import { InputEditor } from './input-editor.tsx';
import { LogPanel } from './log-panel.tsx';
import { fromLink, toLink, toSequence, toTest } from './path-text.ts';
import { shownOf } from './shown.ts';
import { Simulation, type Move, type Moment, type Simulated } from './simulation.ts';
import '../machine/beside.css';
import './simulate.css';

const subjects: Readonly<Record<string, Simulated>> = Object.fromEntries(
  Object.entries(registry).map(([name, { machine, effects, examples, input }]) => [
    name,
    {
      machine: machine as unknown as AnyStateMachine,
      effects: effects as unknown as Effects<never>,
      examples: examples as readonly EventObject[],
      input,
    },
  ]),
);

export function SimulateView(props: ViewProps) {
  const { place } = props;
  const [name = 'connection'] = place.path;
  const subject = Object.hasOwn(subjects, name) ? subjects[name] : undefined;
  return (
    <div className="simulate">
      <MachineChoice {...props} name={name} />
      {subject === undefined ? (
        <p role="alert" className="simulate-note">
          There is no registered machine {name}; choose another one.
        </p>
      ) : (
        <Walk key={name} {...props} name={name} subject={subject} />
      )}
    </div>
  );
}

function MachineChoice({ name, go }: ViewProps & { readonly name: string }) {
  return (
    <label className="simulate-choice">
      <span className="soft">Machine</span>
      <select
        value={name}
        onChange={(event) => go({ view: 'simulate', path: [event.target.value], query: {} })}
      >
        {Object.keys(subjects).map((it) => (
          <option key={it}>{it}</option>
        ))}
        {!Object.hasOwn(subjects, name) && <option>{name}</option>}
      </select>
    </label>
  );
}

const NO_MOMENTS: readonly Moment[] = [];

type Walked =
  | { readonly state: 'failed'; readonly message: string }
  | {
      readonly state: 'walked';
      readonly simulation: Simulation;
      readonly input: unknown;
      readonly moments: readonly Moment[];
      readonly fault: string | undefined;
    };

function walk(subject: Simulated, inputText: string | undefined, pathText: string | undefined): Walked {
  try {
    const input: unknown = inputText === undefined ? subject.input : JSON.parse(inputText);
    const simulation = new Simulation(subject);
    const { moments, fault } = simulation.replay(input, pathText === undefined ? [] : fromLink(pathText));
    return { state: 'walked', simulation, input, moments, fault };
  } catch (error) {
    return { state: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

function Walk({
  name,
  subject,
  place,
  go,
}: ViewProps & { readonly name: string; readonly subject: Simulated }) {
  const { query } = place;
  const { input: inputText, path: pathText } = query;
  const walked = useMemo(() => walk(subject, inputText, pathText), [subject, inputText, pathText]);
  const [undone, setUndone] = useState<readonly Move[]>([]);
  const [fault, setFault] = useState('');
  const document = useMemo(() => toDocument(subject.machine, { input: subject.input }).document, [subject]);
  const chart = useMemo(() => statechartOf(document), [document]);
  const moments = walked.state === 'walked' ? walked.moments : NO_MOMENTS;
  const shown = useMemo(() => shownOf(chart, moments), [chart, moments]);
  const setQuery = (next: Readonly<Record<string, string>>): void => go({ query: next }, 'replace');
  const keep = (moves: readonly Move[]): void => {
    const { path: _path, ...rest } = query;
    setQuery(moves.length === 0 ? rest : { ...rest, path: toLink(moves) });
  };
  const setInput = (text: string | undefined): void => {
    const { path: _path, input: _input, ...rest } = query;
    setUndone([]);
    setFault('');
    setQuery(text === undefined ? rest : { ...rest, input: text });
  };
  const inputEditor = <InputEditor given={inputText} standard={subject.input} onInput={setInput} />;
  if (walked.state === 'failed')
    return (
      <div className="simulate-note">
        <p role="alert">{walked.message}</p>
        {inputEditor}
        <button type="button" onClick={() => setInput(undefined)}>
          Start over
        </button>
      </div>
    );

  const { simulation, input } = walked;
  const moves = moments.flatMap(({ move }) => (move === undefined ? [] : [move]));
  const now = moments.at(-1) as Moment;
  const make = (move: Move): void => {
    try {
      simulation.advance(now, move);
      setFault('');
      setUndone([]);
      keep([...moves, move]);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  const undo = (): void => {
    const last = moves.at(-1);
    if (last === undefined) return;
    setUndone([last, ...undone]);
    keep(moves.slice(0, -1));
  };
  const redo = (): void => {
    const [next, ...rest] = undone;
    if (next === undefined) return;
    setUndone(rest);
    keep([...moves, next]);
  };
  return (
    <>
      <div className="simulate-tools" role="toolbar" aria-label="Path">
        <StateBadge state={statePath(now.snapshot.value as Parameters<typeof statePath>[0])} shown="path" />
        <span className="soft">
          step {moves.length} · {now.nowMs.toLocaleString('en')} ms
        </span>
        <span className="grow" />
        <button type="button" disabled={moves.length === 0} onClick={undo}>
          Undo
        </button>
        <button type="button" disabled={undone.length === 0} onClick={redo}>
          Redo
        </button>
        <button
          type="button"

          disabled={moves.length === 0}
          onClick={() => {
            setUndone([]);
            keep([]);
          }}
        >
          Reset
        </button>
        <CopyButton label="Copy as test" text={() => toTest(subject.machine.id, input, moments)} />
        <CopyButton label="Copy as Mermaid" text={() => toSequence(subject.machine.id, moments)} />
        <CopyButton label="Copy link" text={() => location.href} />
      </div>
      <div className="simulate-body">
        <EventsPanel key={moves.length} subject={subject} now={now} onMove={make} />
        <Chart document={document} shown={shown} query={query} onQuery={setQuery}>
          {(placed) => <ExportButton document={document} picture={placed} />}
        </Chart>
        <LogPanel
          name={name}
          moments={moments}
          fault={fault === '' ? walked.fault : fault}
          onGoTo={(steps) => {
            setUndone([...moves.slice(steps), ...undone]);
            keep(moves.slice(0, steps));
          }}
        >
          {inputEditor}
        </LogPanel>
      </div>
    </>
  );
}
