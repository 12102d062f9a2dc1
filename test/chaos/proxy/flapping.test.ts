// Two of four upstreams come and go under load: what cannot be saved is an answer that had begun, and nothing else is lost.
import { expect, it } from 'vitest';
import { startNaiveProxy, type Wrong } from '../../conformance/proxy/naive-proxy.ts';
import { proxyUnderLoad } from './flapping-proxy.ts';
import { runFlapping } from './flapping.ts';

const SHORT = { clients: 16, beat: { answers: 60 }, beats: 12 } as const;
const TWIN = { ...SHORT, beats: 2 } as const;

it('loses no answer but those that had begun, gives none twice, counts exactly, and keeps its memory', async () => {
  const { wrong, falls, answered, heapMiBs } = await runFlapping({ ...SHORT, ...proxyUnderLoad });
  expect(wrong).toEqual([]);
  expect(falls).toBeGreaterThan(4);
  expect(answered).toBeGreaterThan(600);
  expect(heapMiBs).toHaveLength(2);
});

const twin = (wrong: Wrong) =>
  runFlapping({
    ...TWIN,
    startFront: (upstreams) => startNaiveProxy(upstreams.map(({ url }) => url).toReversed(), wrong),
  });

it('is found out where a proxy goes on with another upstream', async () => {
  expect((await twin('restarts')).wrong.join('\n')).toMatch(/answered twice/);
});

it('is found out where a proxy ends what broke as if it were whole', async () => {
  expect((await twin('truncates')).wrong.join('\n')).toMatch(/a truncated success/);
});

it('is found out where a proxy makes one attempt', async () => {
  expect((await twin('givesUp')).wrong.join('\n')).toMatch(/failed, though \d+ were lost/);
});

it('is found out where a proxy keeps what is over', async () => {
  const kept: number[][] = [];
  const leaking = await runFlapping({
    ...TWIN,
    startFront: (upstreams) =>
      proxyUnderLoad.startFront(upstreams, () => kept.push(Array.from({ length: 65_536 }, () => 1))),
  });
  expect(kept).toHaveLength(leaking.asked);
  expect(leaking.wrong.join('\n')).toMatch(/the heap grew/);
});
