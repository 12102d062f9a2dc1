// Two requests that look like one: the proxy refuses them, or reads them in the one way that the standard allows.
import { describe, expect, it } from 'vitest';
import type { Front } from './naive-proxy.ts';
import { startNaiveProxy } from './naive-proxy.ts';
import { startProxy } from './fronts.ts';
import { answersIn, say } from './raw-client.ts';
import { shapes, type Shape } from './smuggling.ts';
import { startUpstream } from './upstreams.ts';

/** Comes after each shape on its connection: whoever reads the shape otherwise than it is, reads this as a part of it. */
const LAST = 'GET /last HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n';

/** What is wrong with what an upstream heard of a shape, in words; empty when nothing is. */
async function heardOf(
  { bytes, expected, body = '' }: Shape,
  startFront: (urls: string[]) => Promise<Front>,
): Promise<string[]> {
  await using upstream = await startUpstream();
  await using front = await startFront([upstream.url]);
  const answers = answersIn(await say(front.url, bytes + LAST));
  const heard = upstream.requests.filter(({ target }) => target !== '/last');
  const wrong = heard
    .filter((one) => one.target !== '/v1/first' || one.body !== body)
    .map((one) => `it heard ${one.method} ${one.target} with ${JSON.stringify(one.body)}`);
  const [first] = answers;
  const isRefused = heard.length === 0 && first !== undefined && first.status >= 400 && first.status < 502;
  if (upstream.malformed > 0) wrong.push('it heard what is no request');
  if (heard.length > 1) wrong.push(`it heard ${heard.length} requests`);
  if (!isRefused && expected === 'refused') wrong.push(`it was not refused: ${first?.status}`);
  if (!isRefused && first?.status !== 200) wrong.push(`it was answered with ${first?.status}`);
  if (isRefused && expected === 'passes') wrong.push(`it was refused with ${first.status}`);
  return wrong;
}

describe('a request that hides another', () => {
  it.for(Object.entries(shapes))('in %s', async ([, shape]) => {
    expect(await heardOf(shape, (urls) => startProxy(urls))).toEqual([]);
  });

  it('is found where a proxy reads what it should refuse', async () => {
    const wrong = await heardOf(shapes['a length, and chunks']!, (urls) => startNaiveProxy(urls, 'lenient'));
    expect(wrong.join()).toMatch(/it heard GET \/smuggled/);
  });
});

describe('requests of one connection', () => {
  it('that come at once are answered in their order, each once', async () => {
    await using upstream = await startUpstream(async ({ response, target }) => {
      // The first one takes longer than the last one.
      for (let left = 10 - Number(target.slice(1)); left > 0; left--)
        await new Promise((resolve) => setImmediate(resolve));
      response.end(target);
    });
    await using front = await startProxy([upstream.url]);
    const many = Array.from({ length: 10 }, (_, index) => {
      const close = index === 9 ? 'Connection: close\r\n' : '';
      return `GET /${index} HTTP/1.1\r\nHost: proxy.example\r\n${close}\r\n`;
    });
    const answers = answersIn(await say(front.url, many.join('')));
    expect(answers.map(({ body }) => body)).toEqual(many.map((_, index) => `/${index}`));
    expect(upstream.requests).toHaveLength(10);
  });
});
