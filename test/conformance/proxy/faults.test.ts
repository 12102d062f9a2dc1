// The official clients in front of the proxy, and behind it an upstream that fails in every way that there is.
// Invariant: a client has the right answer or a clear error: never a part of an answer that looks whole, never two.
import { describe, expect, it } from 'vitest';
import { askAll } from './ask-all.ts';
import { dripping, faults, ornate, zipped, type Fault } from './faults.ts';
import { startProxy } from './fronts.ts';
import { healthy } from './upstreams.ts';

/** What never ends is waited for in vain; whatever else is slow has all the time that a busy machine takes. */
const IN_VAIN = { timeouts: { firstByteMs: 2_500, idleMs: 2_500 } };
const proxy = (urls: readonly string[], { ends }: Fault) => startProxy(urls, ends === 'never' ? IN_VAIN : {});

describe.concurrent('behind the proxy, an upstream that', () => {
  it.for(Object.entries(faults))('%s, before one that is healthy', async ([, fault]) => {
    expect(await askAll(proxy, fault, 'second')).toEqual([]);
  });

  it.for(Object.entries(faults))('%s, alone', async ([, fault]) => {
    expect(await askAll(proxy, fault, 'alone')).toEqual([]);
  });

  it.for([
    'refuses connections',
    'resets the connection before its answer',
    'answers 503',
    'answers 429 with seconds in Retry-After',
    'ends in the middle',
    'sends an error as its first event',
  ])('%s, asked by clients that ask again', async (name) => {
    expect(await askAll(proxy, faults[name]!, 'second', 2)).toEqual([]);
    expect(await askAll(proxy, faults[name]!, 'alone', 2)).toEqual([]);
  });
});

describe.concurrent('the proxy passes on', () => {
  const answers = { healthy, dripping, ornate, zipped: zipped() };

  it.for(Object.entries(answers))('what is as it should be, and %s', async ([, behaviour]) => {
    const fault: Fault = { behaviour, stream: 'answer', json: 'answer' };
    expect(await askAll(proxy, fault, 'alone')).toEqual([]);
  });
});
