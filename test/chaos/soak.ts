// Long loads, which are no part of the suite: `npm run soak -- proxy [--seconds N] [--clients N] [--json]`.
// Invariant: whatever is wrong is told, and the status is 1.
import { parseArgs } from 'node:util';
import { proxyUnderLoad } from './proxy/flapping-proxy.ts';
import { runFlapping } from './proxy/flapping.ts';

const USAGE =
  'usage: npm run soak -- proxy [--seconds N] [--clients N] [--json]\n' +
  '  two of four upstreams come and go each second, in front of them the proxy, in front of that clients that do not pause\n' +
  '  --seconds N   how long (default 60)\n' +
  '  --clients N   requests at a time (default 32)\n' +
  '  --json        the report as JSON\n';

interface Settings {
  readonly seconds: number;
  readonly clients: number;
  readonly json: boolean;
}

function settings(): Settings {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '60' },
        clients: { type: 'string', default: '32' },
        json: { type: 'boolean', default: false },
      },
    });
    if (positionals.join() !== 'proxy')
      throw new Error(`there is a soak of: proxy; not of: ${positionals.join(' ')}`);
    const whole = (name: 'seconds' | 'clients', least: number): number => {
      const value = Number(values[name]);
      if (!(Number.isSafeInteger(value) && value >= least))
        throw new Error(`--${name} is ${values[name]}; give a whole number from ${least} on`);
      return value;
    };
    return { seconds: whole('seconds', 4), clients: whole('clients', 1), json: values.json };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

const { seconds, clients, json } = settings();
const report = await runFlapping({
  ...proxyUnderLoad,
  clients,
  beats: seconds,
  beat: { ms: 1_000 },
  say: (line) => void process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${line}` : ''),
});
if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
const { wrong, asked, answered, cut, failed, lost, falls, heard, heapMiBs, p50Ms, p99Ms } = report;
const lines = [
  `${asked} requests in ${report.seconds.toFixed(1)} s (${Math.round(asked / report.seconds)}/s), ${falls} falls of two of four upstreams`,
  `${answered} answered (${((100 * answered) / asked).toFixed(3)} %), ${cut} cut, ${failed} failed; ${lost} answers had begun when their upstream fell`,
  `latency p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; heap ${heapMiBs.map((one) => one.toFixed(1)).join(' → ')} MiB`,
  `upstreams heard ${Object.entries(heard)
    .map(([id, count]) => `${id} ${count}`)
    .join(', ')}`,
  wrong.length === 0 ? 'nothing is wrong' : `wrong:\n${wrong.join('\n')}`,
];
process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${lines.join('\n')}\n`);
process.exitCode = wrong.length > 0 ? 1 : 0;
