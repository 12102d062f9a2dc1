// A load on a proxy in front of four upstreams, of which two come and go: what the clients saw, and what was wrong with it.
// Invariant: nothing is kept of a request that is over but numbers, so that what memory grows by is the proxy's.
import { Agent, request as requestOf } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EVENTS, startLoadUpstream, type LoadUpstream } from './flapping-upstreams.ts';

export interface LoadedFront extends AsyncDisposable {
  readonly url: string;
}

export interface FlappingOptions<F extends LoadedFront> {
  readonly clients: number;
  startFront(upstreams: readonly LoadUpstream[]): Promise<F>;
  /** Which of the two that come and go change now: after so many answers, or so much time. */
  readonly beat: { readonly answers: number } | { readonly ms: number };
  readonly beats: number;
  /** Called when the load is over and nothing is under way, with everything still up: complaints of its own. */
  inspect?(front: F, seen: Seen, upstreams: readonly LoadUpstream[]): string[];
  say?(line: string): void;
}

export interface Seen {
  asked: number;
  /** Whole answers. */
  answered: number;
  /** Answers that were seen to be cut. */
  cut: number;
  /** Errors of the proxy's own, and connections that ended without an answer. */
  failed: number;
}

export interface FlappingReport extends Seen {
  readonly wrong: readonly string[];
  readonly seconds: number;
  /** Answers that had begun when their upstream fell: no proxy can save these. */
  readonly lost: number;
  readonly falls: number;
  readonly heard: Readonly<Record<string, number>>;
  readonly heapMiBs: readonly number[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** By how much the heap may grow between the middle and the end. */
const ROOM_MIB = 4;

function heapMiB(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

interface Heard {
  readonly status: number;
  readonly text: string;
  readonly end: 'whole' | 'cut';
}

function post(url: string, agent: Agent, body: string): Promise<Heard> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const outgoing = requestOf(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.once('error', () => undefined);
      answer.once('close', () =>
        resolve({ status: answer.statusCode ?? 0, text, end: answer.complete ? 'whole' : 'cut' }),
      );
    });
    outgoing.once('error', () => resolve({ status: 0, text: '', end: 'cut' }));
    outgoing.end(body);
  });
}

type Part = { readonly request: number; readonly nonce: string; readonly event?: number };

/** What one client has to say of one answer. */
function judge(request: number, { status, text, end }: Heard): { how: keyof Seen; wrong?: string } {
  const parts = [...text.matchAll(/\{[^{}]*"nonce"[^{}]*\}/g)].map(([json]) => JSON.parse(json) as Part);
  const told = JSON.stringify(text.slice(0, 600));
  if (new Set(parts.map(({ nonce }) => nonce)).size > 1)
    return { how: 'failed', wrong: `answered twice: ${told}` };
  if (parts.some((part) => part.request !== request))
    return { how: 'failed', wrong: `request ${request} got the answer of another: ${told}` };
  if (parts.some(({ event = 0 }, index) => event !== index))
    return { how: 'failed', wrong: `out of order: ${told}` };
  if (status !== 200) return { how: 'failed' };
  if (end === 'cut') return { how: 'cut' };
  const isWhole =
    request % 2 === 0 ? parts.length === EVENTS && text.endsWith('data: [DONE]\n\n') : parts.length === 1;
  return isWhole ? { how: 'answered' } : { how: 'failed', wrong: `a truncated success: ${told}` };
}

export async function runFlapping<F extends LoadedFront>(
  options: FlappingOptions<F>,
): Promise<FlappingReport> {
  const { clients, beat, beats, say = () => {} } = options;
  const upstreams = await Promise.all(
    ['steady-1', 'steady-2', 'flapping-1', 'flapping-2'].map(startLoadUpstream),
  );
  const flapping = upstreams.slice(2);
  const front = await options.startFront(upstreams);
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const seen: Seen = { asked: 0, answered: 0, cut: 0, failed: 0 };
  const wrong: string[] = [];
  const heapMiBs: number[] = [];
  const latencies: number[] = [];
  const since = performance.now();
  let [done, changing] = [0, Promise.resolve()];

  const change = (): void => {
    done += 1;
    // One after the other goes down, and comes back: at any time none, one or both are away.
    const [first, second] = [Math.floor(done / 2) % 2 === 1, Math.floor((done + 1) / 2) % 3 === 1];
    changing = changing.then(async () => {
      for (const [index, one] of flapping.entries())
        await ([first, second][index] === true ? one.fall() : one.rise());
    });
    if (done === Math.floor(beats / 2) || done === beats) heapMiBs.push(heapMiB());
    say(
      `${done}/${beats} beats, ${seen.asked} asked, ${seen.answered} answered, ${seen.cut} cut, ${seen.failed} failed`,
    );
  };
  const timer = 'ms' in beat ? setInterval(change, beat.ms) : undefined;
  const client = async (): Promise<void> => {
    while (done < beats) {
      const request = (seen.asked += 1);
      const body = JSON.stringify({ request, stream: request % 2 === 0 });
      const from = performance.now();
      const verdict = judge(request, await post(front.url, agent, body));
      // A sample that does not grow without end.
      latencies[request % 65_536] = performance.now() - from;
      seen[verdict.how] += 1;
      if (verdict.wrong !== undefined && wrong.length < 20) wrong.push(verdict.wrong);
      if ('answers' in beat && (seen.answered + seen.cut + seen.failed) % beat.answers === 0) change();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  clearInterval(timer);
  await changing;
  const seconds = (performance.now() - since) / 1_000;
  const lost = upstreams.reduce((sum, { cut }) => sum + cut, 0);
  if (seen.cut + seen.failed > lost)
    wrong.push(`${seen.cut} cut and ${seen.failed} failed, though ${lost} were lost`);
  const [middle = 0, end = 0] = heapMiBs;
  if (end > middle + ROOM_MIB) wrong.push(`the heap grew from ${middle.toFixed(1)} to ${end.toFixed(1)} MiB`);
  wrong.push(...(options.inspect?.(front, seen, upstreams) ?? []));
  agent.destroy();
  await front[Symbol.asyncDispose]();
  for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  const sorted = latencies.filter((one) => one !== undefined).toSorted((x, y) => x - y);
  return {
    ...seen,
    ...{ wrong, seconds, lost, heapMiBs },
    falls: upstreams.reduce((sum, { falls }) => sum + falls, 0),
    heard: Object.fromEntries(upstreams.map(({ id, heard }) => [id, heard])),
    p50Ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
  };
}
