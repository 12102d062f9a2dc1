// Lines that are drawn again in place, on a terminal that is too small for them.
import type { WriteStream } from 'node:tty';
import { expect, test } from 'vitest';
import { Screen } from '../../../src/demo/screen.ts';

/** What is written to a terminal of this size, and how it looks in the end: colours and moves taken away. */
function terminal(columns: number, rows: number): { stream: WriteStream; written: string[] } {
  const written: string[] = [];
  const stream = { columns, rows, write: (text: string) => written.push(text) };
  return { stream: stream as unknown as WriteStream, written };
}

test('a line never wraps, and colours take no room and are always ended', () => {
  const { stream, written } = terminal(11, 24);
  const screen = new Screen(stream);
  screen.draw([
    '0123456789abc',
    '\x1b[31m01234\x1b[39m56789abc',
    '\x1b[31m0123456789abc\x1b[39m',
    '●●●●●●●●●●●●●',
  ]);
  screen.close();
  expect(written[1]).toBe(
    '\x1b[0J0123456789\n\x1b[31m01234\x1b[39m56789\n\x1b[31m0123456789\x1b[39m\n●●●●●●●●●●\n',
  );
});

test('a picture never scrolls, and the next one takes its place', () => {
  const { stream, written } = terminal(80, 4);
  const screen = new Screen(stream);
  screen.draw(['a', 'b', 'c', 'd', 'e']);
  screen.draw(['f']);
  screen.close();
  expect(written.slice(1, 3)).toEqual(['\x1b[0Ja\nb\n… and 3 more lines\n', '\x1b[3A\r\x1b[0Jf\n']);
});
