// `holdfast proxy` on a terminal: the live table, and what happens when the terminal is closed.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../chaos/eventually.ts';
import { named } from '../../conformance/proxy-upstreams.ts';
import { endAll, startProxy } from './command.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
afterEach(endAll);

interface OnTerminal {
  readonly terminal: ChildProcessWithoutNullStreams;
  /** All that was written to the terminal. */
  shown(): string;
  readonly ended: Promise<number | null>;
}

/** Under `script` (of util-linux), whose pseudo terminal is as wide as it is told. */
function onTerminal(args: readonly string[]): OnTerminal {
  const command = [process.execPath, '--no-warnings', MAIN, ...args].map((part) => `'${part}'`).join(' ');
  const terminal = spawn('script', ['-qfec', `stty cols 120 rows 20; exec ${command}`, '/dev/null'], {
    env: { ...process.env, HOLDFAST_STORE: 'memory:', TERM: 'xterm', FORCE_COLOR: '1' },
  });
  let text = '';
  terminal.stdout.on('data', (part: Buffer) => (text += part.toString()));
  const ended = new Promise<number | null>((resolve) => terminal.once('close', resolve));
  onTestFinished(async () => {
    terminal.kill('SIGKILL');
    await ended;
  });
  return { terminal, shown: () => text, ended };
}

test('the table is drawn again in place, in colours, until Ctrl-C', async () => {
  const well = await named('well');
  const { url, admin, proxy } = await startProxy(['--endpoint', `${well.url},id=well`]);
  const { terminal, shown, ended } = onTerminal(['proxy', '--watch', '--interval', '50ms', '--admin', admin]);
  await eventually('the first table', () => shown().includes('● healthy'));
  await (await fetch(url)).text();
  // Up by the height of the table, then over it.
  // oxlint-disable-next-line no-control-regex -- it is what a terminal is told
  const again = /\x1b\[8A\r\x1b\[0J[^\n]*holdfast proxy[^\n]*\n[^\n]* 1 answered /;
  await eventually('a later table', () => again.test(shown()));
  expect(shown()).toContain('\x1b[32m● serving\x1b[39m');
  proxy.kill('SIGKILL');
  await eventually('the outage', () => /not reached: connect ECONNREFUSED/.test(shown()));
  expect(shown()).toMatch(/what follows is of \d\d:\d\d:\d\d/);
  terminal.stdin.write('\x03');
  expect(await ended).toBe(0);
  // The cursor was hidden, and is there again.
  expect(shown().lastIndexOf('\x1b[?25h')).toBeGreaterThan(shown().lastIndexOf('\x1b[?25l'));
});

test('a proxy whose terminal is closed ends, and is not left behind unseen', async () => {
  const well = await named('well');
  const { terminal, shown, ended } = onTerminal([
    ...['proxy', '--endpoint', well.url, '--port', '0', '--admin-port', '0'],
  ]);
  const [, url = ''] = await eventually('it listens', () => /proxy at (http:\/\/[\d.:]+)/.exec(shown()));
  expect((await fetch(url)).status).toBe(200);
  terminal.kill('SIGKILL');
  await ended;
  await eventually('nobody answers there', () =>
    fetch(url).then(
      () => false,
      () => true,
    ),
  );
});
