// What could happen next: events with what they lead to, delays that run, and what is impossible, with the reason.
// Invariant: a button says what it does; what cannot happen is greyed and says why.
import { useMemo, useState } from 'react';
import { inSeconds } from '../machine/timer-row.tsx';
import { isPossible, judge, offersIn, type Choice, type Offer, type Payload } from './choices.ts';
import { delayInWords, dueMs, nextDelay, type Moment, type Move, type Simulated } from './simulation.ts';

export interface EventsPanelProps {
  readonly subject: Simulated;
  readonly now: Moment;
  readonly onMove: (move: Move) => void;
}

export function EventsPanel({ subject, now, onMove }: EventsPanelProps) {
  const offers = useMemo(() => offersIn(subject, now.snapshot, now.nowMs), [subject, now]);
  const send = (event: Payload): void => onMove({ kind: 'event', event });
  const list = (title: string, group: (choice: Choice) => boolean) => {
    const some = offers.filter(({ choices }) => group(choices[0]));
    if (some.length === 0) return null;
    return (
      <>
        <h2>{title}</h2>
        <ul className="plain">
          {some.map((offer) => (
            <EventRow key={offer.type} offer={offer} subject={subject} now={now} onSend={send} />
          ))}
        </ul>
      </>
    );
  };
  return (
    <section className="beside events" aria-label="What could happen next">
      {list('Events that change the state', ({ verdict }) => verdict === 'moves')}
      <Delays now={now} onMove={onMove} />
      {list('Events that are taken note of', ({ verdict }) => verdict === 'stays')}
      {list('Impossible now', (choice) => !isPossible(choice))}
    </section>
  );
}

interface EventRowProps {
  readonly offer: Offer;
  readonly subject: Simulated;
  readonly now: Moment;
  readonly onSend: (event: Payload) => void;
}

function EventRow({ offer, subject, now, onSend }: EventRowProps) {
  const [editing, setEditing] = useState<'open' | 'closed'>('closed');
  const { type, choices } = offer;
  return (
    <li className="event">
      <div className="event-head">
        <span className="event-type">{type}</span>
        <button
          type="button"
          className="event-edit"
          aria-expanded={editing === 'open'}
          aria-label={`Edit the payload of ${type}`}
          onClick={() => setEditing(editing === 'open' ? 'closed' : 'open')}
        >
          edit
        </button>
      </div>
      {choices.map((choice) => (
        <ChoiceButton key={choice.words} choice={choice} onSend={onSend} />
      ))}
      {editing === 'open' && (
        <PayloadEditor event={choices[0].event} subject={subject} now={now} onSend={onSend} />
      )}
    </li>
  );
}

function ChoiceButton({
  choice,
  onSend,
}: {
  readonly choice: Choice;
  readonly onSend: (event: Payload) => void;
}) {
  const { event, verdict, words } = choice;
  if (!isPossible(choice))
    return (
      <button type="button" className="choice" disabled aria-label={`${event.type}: ${words}`}>
        {words}
      </button>
    );
  return (
    <button
      type="button"
      className={`choice ${verdict}`}
      aria-label={`${event.type} ${words}`}
      title={JSON.stringify(event)}
      onClick={() => onSend(event)}
    >
      {words}
    </button>
  );
}

interface PayloadEditorProps {
  readonly event: Payload;
  readonly subject: Simulated;
  readonly now: Moment;
  readonly onSend: (event: Payload) => void;
}

function PayloadEditor({ event, subject, now, onSend }: PayloadEditorProps) {
  const [text, setText] = useState(() => JSON.stringify(event, undefined, 2));
  const read = readPayload(text, event.type);
  const outcome = typeof read === 'string' ? read : judge(subject, now.snapshot, read).words;
  return (
    <form
      className="payload"
      onSubmit={(submit) => {
        submit.preventDefault();
        if (typeof read !== 'string') onSend(read);
      }}
    >
      <textarea
        value={text}
        rows={Math.min(10, text.split('\n').length)}
        spellCheck={false}
        aria-label={`Payload of ${event.type}`}
        onChange={(change) => setText(change.target.value)}
      />
      <output className="soft">{outcome}</output>
      <button type="submit" disabled={typeof read === 'string'}>
        Send
      </button>
    </form>
  );
}

/** The event; or what is wrong with the text. */
function readPayload(text: string, type: string): Payload | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is no JSON: ${(error as Error).message}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'An event is an object.';
  return { ...value, type };
}

function Delays({ now, onMove }: { readonly now: Moment; readonly onMove: (move: Move) => void }) {
  const next = nextDelay(now);
  const [first] = now.running;
  if (first === undefined || next === undefined) return null;
  const halfMs = Math.floor((dueMs(first) - now.nowMs) / 2);
  return (
    <>
      <h2>Delays</h2>
      <ul className="plain">
        {now.running.map((timer) => {
          const isNext = dueMs(timer) === dueMs(first);
          const name = delayInWords(timer.name);
          return (
            <li key={timer.id} className="event">
              <div className="event-head">
                <span className="event-type">{name}</span>
                <span className="soft">
                  {inSeconds(dueMs(timer) - now.nowMs)} of {inSeconds(timer.delayMs)}
                </span>
              </div>
              <button
                type="button"
                className={isNext ? 'choice moves' : 'choice'}
                disabled={!isNext}
                onClick={() => onMove({ kind: 'wait', delay: next })}
              >
                Let {name} end
              </button>
              {!isNext && <span className="soft">{next} ends before</span>}
            </li>
          );
        })}
      </ul>
      {halfMs > 0 && (
        <button type="button" className="choice" onClick={() => onMove({ kind: 'pass', delayMs: halfMs })}>
          Let {halfMs.toLocaleString('en')} ms pass
        </button>
      )}
    </>
  );
}
