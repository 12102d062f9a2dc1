// Proxies that are wrong, under the questions that the real one must answer: each is found out.
import { describe, expect, it } from 'vitest';
import { askAll } from './ask-all.ts';
import { dripping, faults, ornate, zipped } from './faults.ts';
import { startNaiveProxy, type Wrong } from './naive-proxy.ts';

const front = (wrong: Wrong) => (urls: readonly string[]) => startNaiveProxy(urls, wrong);
const complaintsOf = async (wrong: Wrong, fault: string) =>
  (await askAll(front(wrong), faults[fault]!, 'second')).join('\n');

describe('a proxy', () => {
  it.for(['resets in the middle', 'ends in the middle', 'hangs in the middle'])(
    'that ends a broken answer as if it were whole is found out: %s',
    async (fault) => {
      expect(await complaintsOf('truncates', fault)).toMatch(
        /openai stream: a truncated success: "up\S+ begins one/,
      );
    },
  );

  it.for([
    'ends its stream as if it were whole, without the last events',
    'sends an empty event stream',
    'sends an event stream of garbage',
    'answers 200 with a page for people',
    'sends gzip that is cut short',
  ])('that passes on what looks like a success is found out: %s', async (fault) => {
    expect(await complaintsOf('truncates', fault)).toMatch(/ stream: a truncated success: "/);
  });

  it('that goes on with another upstream is found out', async () => {
    expect(await complaintsOf('restarts', 'resets in the middle')).toMatch(
      /openai stream: parts of 2 answers/,
    );
  });

  it('that is wrong in one way passes on what is as it should be', async () => {
    for (const behaviour of [dripping, ornate, zipped()])
      expect(
        await askAll(front('truncates'), { behaviour, stream: 'answer', json: 'answer' }, 'alone'),
      ).toEqual([]);
  });

  it('that makes one attempt is found out', async () => {
    expect(await complaintsOf('givesUp', 'answers 503')).toMatch(
      /openai json: an error instead of the answer/,
    );
    expect(await complaintsOf('restarts', 'answers 503')).toBe('');
  });
});
