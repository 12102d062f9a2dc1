// The main job: the demo as a person starts it, without a terminal, with all its kills, stops and restarts.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

test(
  'the demo survives two kills of the hub, one of a node and a stopped node, and its result is right',
  { timeout: 90_000 },
  async () => {
    const leftBefore = leftovers();
    const child = spawn(process.execPath, ['--no-warnings', MAIN, 'demo'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));

    expect(status, output).toBe(0);
    expect(output).not.toContain('\x1b');
    expect(output).toMatch(
      /hub gets SIGKILL[^]*node-3 .* gets SIGKILL[^]*node-5 gets SIGSTOP[^]*node-5 gets SIGCONT[^]*hub gets SIGKILL/,
    );

    const summary = output.slice(output.indexOf('\nSummary\n'));
    const numberAfter = (label: string): number => {
      const [, digits] = new RegExp(`^  ${label} +([\\d,.]+)`, 'm').exec(summary) ?? [];
      expect(digits, `${label} in ${summary}`).toBeDefined();
      return Number(digits!.replaceAll(',', ''));
    };
    const files = numberAfter('files');
    expect(files).toBe(3_000);
    expect(numberAfter('calls')).toBe(2 * files);
    expect(numberAfter('reconnects')).toBeGreaterThanOrEqual(13);
    expect(numberAfter('idempotent calls lost')).toBe(0);
    expect(numberAfter('executed twice')).toBe(0);
    const [, succeeded = '', lost = ''] =
      /^ {2}non-idempotent calls +([\d,]+) succeeded, ([\d,]+) lost \(unknown\)$/m.exec(summary) ?? [];
    expect(Number(succeeded.replaceAll(',', '')) + Number(lost)).toBe(files);
    expect(numberAfter('executed')).toBeGreaterThanOrEqual(Number(succeeded.replaceAll(',', '')));
    expect(numberAfter('time')).toBeLessThan(60);
    expect(summary).toMatch(/^ {2}plain run +equal: 3,000 files/m);
    expect(summary).toContain('All of it holds');
    expect(leftovers()).toEqual(leftBefore);
  },
);

/** Folders that the demo makes, and removes. */
function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-demo-'));
}
