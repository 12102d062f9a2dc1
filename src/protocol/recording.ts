// A recording of an inspection stream: NDJSON, one message a line, the first a hello.
// Invariant: a line that cannot be read costs that line only, and is counted; an unfinished last line is none.
import { HoldfastError } from './errors.ts';
import { toTold, type Told } from './inspection.ts';

export interface Recording {
  readonly messages: readonly Told[];
  /** Lines that could not be read, and what was wrong with the first of them. */
  readonly unread: number;
  readonly why: string | undefined;
}

/** A message as a line of a recording, with its newline. */
export function recordingLine(message: Told): string {
  return `${JSON.stringify(message)}\n`;
}

/** @throws HoldfastError `invalid_argument` when the text is not a recording at all */
export function readRecording(text: string): Recording {
  const messages: Told[] = [];
  let unread = 0;
  let why: string | undefined;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    try {
      messages.push(toTold(JSON.parse(line)));
    } catch (error) {
      // Its writer was cut off in the middle of a line.
      if (index === lines.length - 1 && messages.length > 0) break;
      unread += 1;
      why ??= `line ${index + 1}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  if (messages[0]?.kind !== 'hello')
    throw new HoldfastError(
      `this is no recording of an inspection stream: ${why ?? 'its first line is no hello'}`,
      {
        code: 'invalid_argument',
      },
    );
  return { messages, unread, why };
}
