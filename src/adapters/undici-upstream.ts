// Sends HTTP/1.1 requests to upstreams with undici's dispatchers, one pool of connections for each origin.
// Invariant: an origin is dialled only when a call names it; redirects are not followed; no time-out here ends a call.
import { Readable } from 'node:stream';

import { Pool, type Dispatcher } from 'undici';

import type { CallBlame, CallHandlers, HeaderList, OpenCall, Upstream } from '../ports.ts';

export interface UndiciUpstreamOptions {
  /** Longest headers of an answer, in bytes. */
  readonly maxHeaderBytes: number;
  /** After which a dial is given up, in milliseconds. Whoever calls gives up sooner; this frees the socket. */
  readonly connectTimeoutMs: number;
}

/** What the machine lacks (file descriptors, ports, memory) says nothing of the upstream. */
const OF_MACHINE = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);
const OF_REQUEST = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_NOT_SUPPORTED',
]);

export function createUndiciUpstream(options: UndiciUpstreamOptions): Upstream {
  const pools = new Map<string, Pool>();

  const poolOf = (origin: string): Pool => {
    const known = pools.get(origin);
    if (known !== undefined) return known;
    const made = new Pool(origin, {
      // Multiplexed streams share one connection, and so one fate.
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: options.maxHeaderBytes,
      connectTimeout: options.connectTimeoutMs,
    });
    pools.set(origin, made);
    return made;
  };

  return {
    call(call, handlers) {
      const opened = new UndiciCall(handlers);
      const { body } = call;
      const isWhole = body === undefined || body instanceof Uint8Array;
      try {
        poolOf(call.origin).dispatch(
          {
            path: call.path,
            method: call.method,
            headers: call.headers as string[],
            body: isWhole ? (body ?? null) : readable(body),
          },
          opened,
        );
      } catch (error) {
        opened.onResponseError(null, error as Error);
      }
      return opened;
    },
    keepOnly(origins) {
      for (const [origin, pool] of pools) {
        if (origins.has(origin)) continue;
        pools.delete(origin);
        pool.close().catch(() => {});
      }
    },
    async close() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
}

class UndiciCall implements OpenCall, Dispatcher.DispatchHandler {
  readonly #handlers: CallHandlers;
  #controller: Dispatcher.DispatchController | undefined;
  #phase: 'open' | 'over' = 'open';

  constructor(handlers: CallHandlers) {
    this.#handlers = handlers;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    if (this.#phase === 'open') this.#controller?.resume();
  }

  abort(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    // Without a controller it waits for a connection: it is not sent when there is one.
    this.#controller?.abort(new Error('nobody waits for the answer'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#phase === 'over') controller.abort(new Error('nobody waits for the answer'));
    else this.#handlers.sent();
  }

  onResponseStart(
    _controller: unknown,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    reason = '',
  ): void {
    if (this.#phase === 'over') return;
    if (status < 200) this.#handlers.informed(status, listOf(headers));
    else this.#handlers.answered(status, reason, listOf(headers));
  }

  onResponseData(_controller: unknown, chunk: Uint8Array): void {
    if (this.#phase === 'open') this.#handlers.data(chunk);
  }

  onResponseEnd(
    _controller: unknown,
    trailers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#handlers.ended(listOf(trailers));
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#handlers.failed(error, blameOf(error));
  }
}

/** What goes wrong with it is told by the call, or nobody's business any more. */
function readable(body: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(body, { objectMode: false }).on('error', () => {});
}

function blameOf(error: Error): CallBlame {
  const { code = '' } = error as { code?: string };
  if (OF_MACHINE.has(code)) return 'machine';
  return OF_REQUEST.has(code) ? 'request' : 'upstream';
}

function listOf(headers: Readonly<Record<string, string | string[] | undefined>>): HeaderList {
  const list: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') list.push(name, value);
    else if (value !== undefined) for (const one of value) list.push(name, one);
  }
  return list;
}
