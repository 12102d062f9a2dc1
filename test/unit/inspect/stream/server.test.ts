// What viewers hear of a server that has nothing to tell.
import { expect, it } from 'vitest';
import { StreamServer } from '../../../../src/inspect/stream/server.ts';
import { noLog } from '../../../../src/index.ts';
import type { Incoming, Socket, SocketHandlers } from '../../../../src/ports.ts';
import { createSimulation } from '../../../../src/testing/index.ts';
import { resolveTimes } from '../../../../src/links/options.ts';

class FakeViewer implements Incoming {
  readonly remoteAddress = '127.0.0.1';
  readonly heard: { readonly at: number; readonly text: string }[] = [];
  handlers: Omit<SocketHandlers, 'opened'> | undefined;
  readonly socket: Socket;

  constructor(now: () => number) {
    this.socket = {
      bufferedBytes: 0,
      send: (bytes) => {
        this.heard.push({ at: now(), text: new TextDecoder().decode(bytes) });
        return 'taken';
      },
      close: () => this.handlers?.closed(1000, ''),
      terminate: () => this.handlers?.closed(1006, ''),
      pause: () => undefined,
      resume: () => undefined,
    };
  }

  handle(handlers: Omit<SocketHandlers, 'opened'>): void {
    this.handlers = handlers;
  }
}

it('is heard every few seconds, so that no viewer gives up its link; and is silent when all have gone', async () => {
  const sim = createSimulation({ seed: 7 });
  const { clock } = sim;
  const server = new StreamServer({
    clock,
    log: noLog(),
    hello: { process: 'app/1', role: 'app', name: 'app' },
    admit: () => Promise.resolve([]),
    act: () => Promise.resolve({ ok: false, message: 'nothing can be done here' }),
    begin: () => undefined,
    end: () => undefined,
  });
  const viewer = new FakeViewer(() => clock.now());
  server.accept(viewer);
  viewer.handlers?.message(new TextEncoder().encode(JSON.stringify({ kind: 'open' })));
  await sim.run(60_000);
  expect(viewer.heard[0]?.text).toContain('"hello"');
  expect(new Set(viewer.heard.slice(1).map(({ text }) => text))).toEqual(new Set(['[]']));
  const gaps = viewer.heard.slice(1).map(({ at }, index) => at - (viewer.heard[index]?.at ?? 0));
  expect(gaps.length).toBeGreaterThan(5);
  expect(Math.max(...gaps)).toBeLessThan(resolveTimes({}).heartbeatTimeoutMs);

  viewer.handlers?.closed(1000, '');
  const before = viewer.heard.length;
  await sim.run(60_000);
  expect(viewer.heard.length).toBe(before);
  expect(server.viewers).toBe(0);
});
