// An answer that is cut at any byte: whoever asked sees all of it, or an error.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ask, complaints, questions, type Question } from './clients.ts';
import { startProxy } from './fronts.ts';
import { answersIn, say } from './raw-client.ts';
import { startNaiveProxy, type Front } from './naive-proxy.ts';
import { answerOf, startUpstream, type Behaviour, type Exchange, type Upstream } from './upstreams.ts';

/** As it goes over the wire. */
function wire({ mode, api, nonce }: Pick<Exchange, 'mode' | 'api' | 'nonce'>, words?: string[]): Buffer {
  const { json, events } = answerOf(api, nonce, words);
  const chunks = (mode === 'json' ? [json] : events).map(
    (part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`,
  );
  const type = mode === 'json' ? 'application/json' : 'text/event-stream';
  const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
  return Buffer.from(`${head}${chunks.join('')}0\r\n\r\n`);
}

/** Each request says in a header where its answer is cut, how, and in which pieces it is sent. */
const cutting: Behaviour = async (exchange) => {
  const { socket, headers } = exchange;
  const [at = 0, ...sizes] = String(headers['x-cut']).split(' ').map(Number);
  const words = headers['x-words'] === undefined ? undefined : [String(headers['x-words'])];
  const bytes = wire(exchange, words).subarray(0, at);
  let sent = 0;
  for (const size of [...sizes, bytes.length]) {
    await new Promise<void>((resolve) => socket.write(bytes.subarray(sent, sent + size), () => resolve()));
    sent += size;
    if (sent < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
  if (headers['x-ending'] === 'RST') socket.resetAndDestroy();
  else socket.end();
};

/** Endpoints that nobody gives up, however often they fail. */
const never = { consecutiveFailures: 1_000, minimumVolume: 1_000_000_000, minRetriesPerSecond: 100_000 };
const patient = (urls: readonly string[]) => startProxy(urls, { ...never, maxAttempts: urls.length });
/** Of a short answer every byte can be tried. */
const WORD = 'one';
const SHORT = wire({ ...questions[0]!, nonce: 'up.100-10000' }, [WORD]).length;
const LONGEST = Math.max(...questions.map((question) => wire({ ...question, nonce: 'up.100-10000' }).length));

interface Cut {
  readonly question: Question;
  readonly at: number;
  readonly ending: 'FIN' | 'RST';
  readonly sizes: readonly number[];
}

async function wrongWith(front: Front, upstreams: readonly Upstream[], cut: Cut): Promise<string[]> {
  const { question, at, ending, sizes } = cut;
  const headers = { 'x-cut': [at, ...sizes].join(' '), 'x-ending': ending };
  return complaints(await ask(front.url, { ...question, headers }), 'either', upstreams);
}

/** Bytes as they come, without a client's own notion of what is whole. */
async function wrongAt(at: number, front: Front, upstream: Upstream): Promise<string[]> {
  const body = '{"model":"m","messages":[],"stream":true}';
  const ending = at % 2 === 0 ? 'FIN' : 'RST';
  const text = await say(
    front.url,
    `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Cut: ${at}\r\nX-Ending: ${ending}\r\nX-Words: ${WORD}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const isCut = /\r\n\r\n[\s\S]*data: \{"type":"error"/.test(text) && !text.endsWith('\r\n0\r\n\r\n');
  if (text.startsWith('HTTP/1.1 502 ') || isCut) return [];
  const [answer] = answersIn(text);
  const nonce = /"id":"([^"]+)"/.exec(answer?.body ?? '')?.[1] ?? '';
  const isWhole = answer?.body === answerOf('openai', nonce, [WORD]).events.join('');
  return isWhole && upstream.requests.some((one) => one.nonce === nonce) ? [] : [`at byte ${at}: ${text}`];
}

describe('an answer', () => {
  it('that is cut at any byte is whole, or an error', async () => {
    await using upstream = await startUpstream(cutting);
    await using front = await patient([upstream.url]);
    const wrong: string[] = [];
    const cuts = Array.from({ length: SHORT }, (_, at) => at);
    // In eight rows, which wait for nobody else.
    const row = async () => {
      for (let at = cuts.pop(); at !== undefined; at = cuts.pop())
        wrong.push(...(await wrongAt(at, front, upstream)));
    };
    await Promise.all(Array.from({ length: 8 }, row));
    expect(wrong).toEqual([]);
  });

  it('that comes in any pieces and ends anywhere is whole, or an error; with another upstream, too', async () => {
    await using upstream = await startUpstream(cutting);
    await using second = await startUpstream();
    await using alone = await patient([upstream.url]);
    await using front = await patient([upstream.url, second.url]);
    const cut = fc.record({
      question: fc.constantFrom(...questions),
      at: fc.nat(LONGEST),
      ending: fc.constantFrom('FIN' as const, 'RST' as const),
      sizes: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(cut, async (one) => {
        expect(await wrongWith(alone, [upstream], one)).toEqual([]);
        expect(await wrongWith(front, [upstream, second], one)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('that is cut is seen to be a part, where a proxy ends it as if it were whole', async () => {
    await using upstream = await startUpstream(cutting);
    await using front = await startNaiveProxy([upstream.url], 'truncates');
    const cut: Cut = { question: questions[0]!, at: LONGEST / 2, ending: 'FIN', sizes: [] };
    expect((await wrongWith(front, [upstream], cut)).join()).toMatch(/a truncated success/);
  });
});
