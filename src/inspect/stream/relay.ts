// Shows viewers what another server tells: each of them has a connection of its own to that server, through this one.
// Invariant: messages pass as they are, but for the token; when one side ends, so does the other, with the same code.
import type { Clock, Dialer, Incoming, Socket } from '../../ports.ts';
import { CloseCode } from '../../protocol/frames.ts';
import { readViewerSaid, type Open } from '../../protocol/inspection.ts';
import { ProtocolViolation } from '../../protocol/errors.ts';
import { decodeText, utf8Encoder } from '../../protocol/text.ts';

export interface RelayOptions {
  readonly clock: Clock;
  /** Of text messages and the subprotocol of inspection. */
  readonly dialer: Dialer;
  /** Of the other server's `/inspect`. */
  readonly url: string;
  /** Shown for viewers that show none themselves. */
  readonly token: string | undefined;
}

const OPEN_TIMEOUT_MS = 10_000;
/** What may wait for a viewer that does not read; then the other server has to wait, too. */
const MAX_WAITING_BYTES = 4_194_304;

export class Relay {
  readonly #options: RelayOptions;
  readonly #viewers = new Set<Socket>();

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  accept({ socket, handle }: Incoming): void {
    const { clock } = this.#options;
    let server: Socket | undefined;
    const timer = clock.setTimer(
      () => socket.close(CloseCode.REGISTRATION_TIMEOUT, `no open within ${OPEN_TIMEOUT_MS} ms`),
      OPEN_TIMEOUT_MS,
    );
    this.#viewers.add(socket);
    handle({
      message: (bytes) => {
        if (server !== undefined) return void server.send(bytes);
        clock.clearTimer(timer);
        const open = openOf(bytes);
        if (typeof open === 'string') socket.close(CloseCode.MALFORMED, open);
        else server = this.#dial(socket, open);
      },
      drained: () => server?.resume(),
      closed: (code, reason) => {
        clock.clearTimer(timer);
        this.#viewers.delete(socket);
        server?.close(...sayable(code, reason));
      },
    });
  }

  close(code: number, reason: string): void {
    for (const socket of this.#viewers) socket.close(code, reason);
  }

  #dial(viewer: Socket, open: Open): Socket {
    const { dialer, url, token } = this.#options;
    const asked = open.token === undefined && token !== undefined ? { ...open, token } : open;
    const server = dialer.dial(url, {
      opened: () => void server.send(utf8Encoder.encode(JSON.stringify(asked))),
      message: (bytes) => {
        viewer.send(bytes);
        if (viewer.bufferedBytes > MAX_WAITING_BYTES) server.pause();
      },
      drained: () => {},
      closed: (code, reason) => viewer.close(...sayable(code, reason)),
    });
    return server;
  }
}

/** What a viewer says first, or what is wrong with it. */
function openOf(bytes: Uint8Array): Open | string {
  try {
    const said = readViewerSaid(decodeText(bytes, 0, bytes.length));
    return said.kind === 'open' ? said : 'a viewer opens first';
  } catch (error) {
    return error instanceof ProtocolViolation ? error.message : 'viewer: its message is no UTF-8';
  }
}

/** Some codes are no codes of a close frame: they say that there was none. */
function sayable(code: number, reason: string): [code: number, reason: string] {
  const isSayable = code >= 3_000 || code === CloseCode.NORMAL || code === CloseCode.TOO_BIG;
  return isSayable
    ? [code, reason]
    : [CloseCode.UNAVAILABLE, reason === '' ? 'the connection was lost' : reason];
}
