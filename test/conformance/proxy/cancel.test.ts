// Clients that go away: their upstream hears of it at once, and nobody else is asked.
import { describe, expect, it } from 'vitest';
import { eventually, within } from '../../chaos/eventually.ts';
import { ask, questions, type Question } from './clients.ts';
import { startProxy } from './fronts.ts';
import { startNaiveProxy, type Front } from './naive-proxy.ts';
import { startUpstream, STREAM_HEADERS, type Behaviour, type Exchange } from './upstreams.ts';

/** Where a client is when it goes. */
const moments: Readonly<Record<string, Behaviour>> = {
  'before its answer begins': () => {},
  'when the head of its answer is there': ({ response, mode }) => {
    response.writeHead(200, mode === 'json' ? { 'content-type': 'application/json' } : STREAM_HEADERS);
    response.flushHeaders();
  },
  'in the middle of its answer': ({ response, mode, answer }) => {
    response.writeHead(200, mode === 'json' ? { 'content-type': 'application/json' } : STREAM_HEADERS);
    response.write(mode === 'json' ? answer.json.slice(0, 50) : answer.events.slice(0, 6).join(''));
  },
};

interface Gone {
  readonly exchange: Exchange;
  readonly asked: number;
}

/** A question whose client goes as soon as the upstream has done what it does, and, of a stream, when it saw some of it. */
async function leave(
  startFront: (urls: string[]) => Promise<Front>,
  question: Question,
  behaviour: Behaviour,
  check: (gone: Gone) => Promise<void>,
): Promise<void> {
  const leaving = new AbortController();
  await using first = await startUpstream(async (exchange) => {
    await behaviour(exchange);
    if (exchange.mode === 'json' || behaviour !== moments['in the middle of its answer']) leaving.abort();
  });
  await using second = await startUpstream();
  await using front = await startFront([first.url, second.url]);
  const { signal } = leaving;
  const outcome = await ask(front.url, { ...question, signal, maxRetries: 2, onText: () => leaving.abort() });
  expect(outcome.text).not.toMatch(/ends/);
  const [exchange] = first.requests;
  await check({ exchange: exchange!, asked: first.requests.length + second.requests.length });
}

describe.concurrent('a client that goes away', () => {
  const cases = Object.keys(moments).flatMap((moment) =>
    questions.map((question): [string, string, string, Question] => [
      moment,
      question.api,
      question.mode,
      question,
    ]),
  );

  it.for(cases)('%s ends its upstream’s request (%s, %s)', async ([moment, , , question]) => {
    await leave(
      (urls) => startProxy(urls),
      question,
      moments[moment]!,
      async ({ exchange, asked }) => {
        await within('the end of the request to the upstream', exchange.left, 5_000);
        expect(asked).toBe(1);
      },
    );
  });

  it('and is not heard of is found out', async () => {
    const behaviour = moments['before its answer begins']!;
    await leave(
      (urls) => startNaiveProxy(urls, 'waits'),
      questions[0]!,
      behaviour,
      async ({ exchange }) => {
        await expect(within('the end of the request', exchange.left, 200)).rejects.toThrow(/not within/);
      },
    );
  });
});

describe('a client that goes away while another attempt is awaited', () => {
  it('is not asked for again at the next upstream', async () => {
    await using first = await startUpstream(({ socket }) => void socket.resetAndDestroy());
    await using second = await startUpstream(() => {});
    await using third = await startUpstream();
    await using front = await startProxy([first.url, second.url, third.url], { maxAttempts: 3 });
    const leaving = new AbortController();
    const asking = ask(front.url, { ...questions[0]!, signal: leaving.signal });
    const exchange = await eventually('the second attempt', () => second.requests[0]);
    leaving.abort();
    await within('the end of the second attempt', exchange.left, 5_000);
    await asking;
    expect(third.requests).toEqual([]);
  });
});
