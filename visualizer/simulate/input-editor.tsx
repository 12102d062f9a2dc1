// What the machine starts with, to change.
// Invariant: a text that is no JSON changes nothing.
import { useState } from 'react';

export interface InputEditorProps {
  /** As the address has it. */
  readonly given: string | undefined;
  /** The registry's. */
  readonly standard: unknown;
  readonly onInput: (text: string | undefined) => void;
}

export function InputEditor({ given, standard, onInput }: InputEditorProps) {
  const [text, setText] = useState(() => pretty(given) ?? JSON.stringify(standard, undefined, 2));
  const fault = faultIn(text);
  return (
    <details className="input">
      <summary>Input{given === undefined ? '' : ' (changed)'}</summary>
      <form
        className="payload"
        onSubmit={(event) => {
          event.preventDefault();
          if (fault === '') onInput(JSON.stringify(JSON.parse(text)));
        }}
      >
        <textarea
          value={text}
          rows={Math.min(14, text.split('\n').length)}
          spellCheck={false}
          aria-label="Input of the machine"
          onChange={(event) => setText(event.target.value)}
        />
        {fault !== '' && <output className="soft">{fault}</output>}
        <div className="row">
          <button type="submit" disabled={fault !== ''}>
            Start with this
          </button>
          {given !== undefined && (
            <button
              type="button"

              onClick={() => {
                setText(JSON.stringify(standard, undefined, 2));
                onInput(undefined);
              }}
            >
              Back to the example
            </button>
          )}
        </div>
      </form>
    </details>
  );
}

function pretty(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function faultIn(text: string): string {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return `This is no JSON: ${(error as Error).message}`;
  }
}
