// The parts of README.md that are made from the code: the picture of the connection and the table of options.
// Invariant: `npm run docs` writes them; a test fails when they are stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { defaults, limits, presets, type Preset } from '../../src/index.ts';
import { toMermaid } from '../../src/inspect/mermaid.ts';
import { connectionMachine } from '../../machines/index.ts';

export const README = new URL('../../README.md', import.meta.url);

const rows: readonly (readonly [name: keyof typeof defaults, meaning: string])[] = [
  ['reconnectIntervalMs', 'upper end of the first wait before a reconnect; doubles with each failure'],
  ['reconnectMaxMs', 'no wait is longer, unless the hub asks for more'],
  ['maxRetryAttempts', 'reconnects in a row before the link is `failed`; 0 = for ever'],
  ['heartbeatIntervalMs', 'silence after which the hub is asked for a sign of life'],
  ['heartbeatTimeoutMs', 'silence after which the link is given up'],
  ['healthCheckIntervalMs', 'between two confirmations of session and functions'],
  ['connectionTimeoutMs', 'for dial, handshake and registration together'],
  ['executionTimeoutMs', 'a call without a deadline of its own may take this long'],
  ['maxQueueSize', 'calls that may wait for one node'],
  ['stableAfterMs', 'connected for this long, attempts start over'],
  ['sessionGraceMs', 'a peer that lost its link may take this long to come back to its calls'],
  ['drainTimeoutMs', 'a stop waits this long for what is in flight'],
  ['failoverAfterMs', 'an idempotent call leaves a node that is away for this long'],
  ['noNodeAfterMs', 'a call waits this long for a node that offers its function'],
  ['maxConcurrentExecutions', 'functions that a node runs at once (`maxConcurrent`)'],
  ['maxCallAttempts', 'attempts of one call, the first included'],
];

const number = (value: number): string => value.toLocaleString('en-US').replaceAll(',', ' ');

function optionsTable(): string {
  const names = Object.keys(presets) as Preset[];
  const lines = rows.map(([name, meaning]) => {
    const ofPresets = names.map((preset) => {
      const value = (presets[preset] as Readonly<Record<string, number>>)[name];
      return value === undefined ? '' : number(value);
    });
    return `| \`${name}\` | ${meaning} | ${[number(defaults[name]), ...ofPresets].join(' | ')} |`;
  });
  return [
    `| option | meaning | default | ${names.join(' | ')} |`,
    `|---|---|${'---:|'.repeat(names.length + 1)}`,
    ...lines,
    '',
    `A node keeps at most ${number(limits.maxRetainedResults)} outcomes, or ${limits.maxRetainedBytes / 2 ** 20} MiB of them, until they are acknowledged.`,
  ].join('\n');
}

function section(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!pattern.test(text)) throw new Error(`README.md has no section ${name}`);
  return text.replace(pattern, (_, open: string, close: string) => `${open}${content}\n${close}`);
}

/** README.md as it should be. */
export function freshReadme(text: string): string {
  const diagram = `\`\`\`mermaid\n${toMermaid(connectionMachine, { actions: 'hidden' })}\`\`\``;
  return section(section(text, 'diagram: connection', diagram), 'options', optionsTable());
}

if (import.meta.main) writeFileSync(README, freshReadme(readFileSync(README, 'utf8')));
