// The main job: the demo as a person starts it, without a terminal, with all its kills, stops and restarts.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Demo {
  readonly pid: number;
  /** Where it puts its ledgers, and nobody else anything. */
  readonly temporary: string;
  output(): string;
  readonly ended: Promise<number | null>;
}

/** In a process group of its own, so that whoever is left of it can be seen. */
function startDemo(): Demo {
  const temporary = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  const child = spawn(process.execPath, ['--no-warnings', MAIN, 'demo', 'words'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, TMPDIR: temporary },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { pid: child.pid!, temporary, output: () => output, ended };
}

function expectNothingLeft({ pid, temporary }: Demo): void {
  expect(() => process.kill(-pid, 0)).toThrow('ESRCH');
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
}

// Both at a time: most of it is waiting.
test.concurrent(
  'the demo of words ends all its processes when it is interrupted',
  { timeout: 40_000 },
  async () => {
    const demo = startDemo();
    await expect.poll(demo.output, { timeout: 30_000 }).toMatch(/node-5 connected; client connected/);
    process.kill(demo.pid, 'SIGINT');
    expect(await demo.ended).toBe(130);
    expect(demo.output()).toContain('interrupted: the processes of the demo are ended');
    expectNothingLeft(demo);
  },
);

test.concurrent(
  'the demo of words survives kills of hub and node and a stopped node, and is right',
  { timeout: 90_000 },
  async () => {
    const demo = startDemo();
    const status = await demo.ended;
    const output = demo.output();

    expect(status, output).toBe(0);
    expect(output).not.toContain('\x1b');
    const faults = Array.from(
      output.matchAll(/FAULT: (\S+) .*?gets (SIG\w+)|(\S+) gets (SIGCONT)/g),
      (found) => found.slice(1).filter((part) => part !== undefined),
    );
    expect(faults.map((words) => words.join(' '))).toEqual([
      'hub SIGKILL',
      'node-3 SIGKILL',
      'node-5 SIGSTOP',
      'node-5 SIGCONT',
      'hub SIGKILL',
    ]);

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
    expectNothingLeft(demo);
  },
);
