// Runs one benchmark: `npm run bench -- NAME [--json] [--rounds N] [--quick] [--only SUBJECT,…]`.
// Invariant: standard output holds the result and nothing else.

import { existsSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { machine, round } from './rows.ts';
import type { Bench, Row } from './rows.ts';

const DEFAULT_ROUNDS = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
  },
});

function names(): string[] {
  const support = new Set(['index', 'rows', 'roles', 'load', 'memory']);
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => entry.name.slice(0, -'.ts'.length))
    .filter((name) => !support.has(name));
}

function usage(problem: string): never {
  process.stderr.write(
    `${problem}\nusage: npm run bench -- ${names().join('|')} [--json] [--rounds N] [--quick] [--only SUBJECT,…]\n`,
  );
  process.exit(2);
}

function table(rows: readonly Row[]): string {
  const number = (value: number): string =>
    round(value).toLocaleString('en-US', { maximumFractionDigits: 6 });
  const cells = [
    ['name', 'value', 'unit', 'ratio'],
    ...rows.map((row) => [
      row.name,
      number(row.value),
      row.unit,
      row.ratio === null ? '' : `${row.ratio.toFixed(2)} x`,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, column) =>
          column % 2 === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const name = positionals[0] ?? usage('which benchmark?');
if (!names().includes(name) || !existsSync(new URL(`./${name}.ts`, import.meta.url))) {
  usage(`there is no benchmark "${name}"`);
}
const rounds = values.rounds === undefined ? (values.quick ? 1 : DEFAULT_ROUNDS) : Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  usage(`--rounds must be a whole number above 0, not "${values.rounds}"`);

const { run } = (await import(`./${name}.ts`)) as { run: Bench };
const rows = await run({
  rounds,
  quick: values.quick,
  only: values.only?.split(','),
  say: (line) => void process.stderr.write(`${line}\n`),
});
if (values.json) {
  const result = rows.map((row) => ({
    ...row,
    value: round(row.value),
    ratio: row.ratio === null ? null : round(row.ratio),
  }));
  process.stdout.write(`${JSON.stringify({ bench: name, rows: result, machine: machine() }, null, 2)}\n`);
} else {
  process.stdout.write(`${table(rows)}\n`);
}
// Whatever a peer library left open must not hold the result back.
process.exit(0);
