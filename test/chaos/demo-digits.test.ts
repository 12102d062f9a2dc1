// The demo of training, shortened: real processes and digits, nodes killed until training pauses, the hub in mid-round.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const ROUNDS = 5;

/** Where the demo puts its store, and nobody else anything. */
const temporary = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
afterAll(() => rmSync(temporary, { recursive: true }));

test(
  'a fleet that loses nodes and its hub trains the model that a replay without faults has',
  { timeout: 240_000 },
  async () => {
    const child = spawn(process.execPath, ['--no-warnings', MAIN, 'demo', '--rounds', String(ROUNDS)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: temporary },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));

    expect(status, output).toBe(0);
    expect(output).not.toContain('\x1b');
    const faults = Array.from(
      output.matchAll(/FAULT: (\S+) \(process \d+\) gets SIGKILL/g),
      ([, who]) => who,
    );
    expect(faults).toEqual(['node-2', 'node-5', 'node-8', 'hub']);
    expect(output).toMatch(/gate paused, 5 nodes\n(.*\n)*.*gate open, 7 nodes/);
    const [, killedIn] = /in the middle of round (\d+)/.exec(output) ?? [];
    const summary = output.slice(output.indexOf('\nSummary\n'));
    expect(summary).toContain(`after ${ROUNDS} of ${ROUNDS} rounds`);
    expect(summary).toMatch(new RegExp(`^ {2}rounds redone .*\\b${killedIn} \\(the hub was killed\\)`, 'm'));
    expect(summary).toMatch(/^ {2}updates lost +0$/m);
    expect(summary).toMatch(/^ {2}replay +equal, bit for bit/m);
    expect(summary).toContain('All of it holds');
    expect(() => process.kill(-child.pid!, 0)).toThrow('ESRCH');
    expect(readdirSync(temporary)).toEqual([]);
  },
);
