// A few lines of a terminal that are drawn again in place.
// Invariant: a line never wraps and a picture never scrolls, else moving up by its height would miss its beginning.
import type { WriteStream } from 'node:tty';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_BELOW = '\x1b[0J';

/** So much of it as fits. Colours take no room, and what ends them is kept. */
function clip(line: string, columns: number): string {
  let room = columns;
  let text = '';
  // oxlint-disable-next-line no-control-regex -- it is what colours begin with
  for (const [part] of line.matchAll(/\x1b\[[0-9;]*m|./gsu)) {
    if (part.startsWith('\x1b[')) text += part;
    else if (room-- > 0) text += part;
  }
  return text;
}

export class Screen {
  readonly #stream: WriteStream;
  #height = 0;
  readonly #restore = () => this.#stream.write(SHOW_CURSOR);

  constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#stream.write(HIDE_CURSOR);
    process.once('exit', this.#restore);
  }

  /** Shows these lines instead of those of the last call. */
  draw(lines: readonly string[]): void {
    // A pseudo terminal may say that it has no size.
    const columns = this.#stream.columns || 80;
    const rows = this.#stream.rows || 24;
    const room = Math.max(1, rows - 1);
    const hidden = lines.length - room;
    const shown = hidden > 0 ? [...lines.slice(0, room - 1), `… and ${hidden + 1} more lines`] : lines;
    const text = shown.map((line) => `${clip(line, columns - 1)}\n`).join('');
    this.#stream.write(`${this.#up()}${CLEAR_BELOW}${text}`);
    this.#height = shown.length;
  }

  /** Writes a line that stays, above what is drawn next. */
  print(line: string): void {
    this.#stream.write(`${this.#up()}${CLEAR_BELOW}${line}\n`);
    this.#height = 0;
  }

  /** What was drawn last stays. */
  close(): void {
    process.off('exit', this.#restore);
    this.#restore();
    this.#height = 0;
  }

  #up(): string {
    return this.#height === 0 ? '' : `\x1b[${this.#height}A\r`;
  }
}
