// Many watches on one stream whose client is slow.
import { expect, it } from 'vitest';
import type { Replies } from '../../../src/store/etcd-api/call.ts';
import { Headers } from '../../../src/store/etcd-api/header.ts';
import { WatchStream } from '../../../src/store/etcd-api/watch.ts';
import { simulatedStore } from './store-under-simulation.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const int64 = (value: number): object => ({ toNumber: () => value, toString: () => String(value) });

/** A client that has enough after so many messages, until it has read them. */
class SlowClient implements Replies {
  readonly heard: { watch_id: string; created?: boolean; events?: { kv: { mod_revision: number } }[] }[] = [];
  readonly bufferedBytes = 0;
  unread = 0;
  capacity = 0;
  ended = 0;

  send(message: object): 'more' | 'wait' {
    this.heard.push(message as never);
    this.unread++;
    return this.unread >= this.capacity ? 'wait' : 'more';
  }

  end(): void {
    this.ended++;
  }
}

it('what a slow client of a hundred watches has not read is not prepared for it; then each watch tells all, in turn', async () => {
  const { simulation, store } = await simulatedStore(1);
  const client = new SlowClient();
  client.capacity = 1_000;
  const stream = new WatchStream(store, new Headers('test'), client);
  const watches = 100;
  for (let n = 1; n <= watches; n++) {
    stream.message({
      create_request: {
        key: bytes('k'),
        range_end: new Uint8Array(),
        start_revision: int64(0),
        watch_id: int64(n),
        filters: [],
      },
      cancel_request: null,
      progress_request: null,
    });
  }
  await simulation.run(1_000);
  expect(client.heard.filter(({ created }) => created === true)).toHaveLength(watches);

  client.unread = 0;
  client.capacity = 5;
  for (let n = 0; n < 3; n++) await simulation.settle(store.put({ key: bytes('k') }), 1_000);
  await simulation.run(1_000);
  expect(client.unread).toBe(5);

  for (let turn = 0; turn < 1_000 && client.unread > 0; turn++) {
    client.unread = 0;
    stream.drained();
    await simulation.run(100);
  }
  for (let n = 1; n <= watches; n++) {
    const told = client.heard.filter(({ watch_id }) => watch_id === String(n));
    expect(told.flatMap(({ events = [] }) => events.map(({ kv }) => kv.mod_revision))).toEqual([2, 3, 4]);
  }
  stream.closed();
  stream.closed();
  await simulation.run(1_000);
  expect(store.watches).toBe(0);
});
