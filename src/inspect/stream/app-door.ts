// Where apps dial that use `@statelyai/inspect` with a WebSocket: what they say is watched and told.
// Invariant: an app that says nothing sensible is closed, told why, and costs the others nothing.
import type { Incoming, Log, TextSockets } from '../../ports.ts';
import { CloseCode } from '../../protocol/frames.ts';
import { decodeText } from '../../protocol/text.ts';
import type { WatchedApps } from '../watched-apps.ts';

/** The package dials `ws://localhost:8080` unless told otherwise: no path, no subprotocol. */
const PATH = '/';
/** A snapshot with its context, or a machine's definition. */
const MAX_MESSAGE_BYTES = 4_194_304;
const MAX_APPS = 256;

export function appDoor(apps: WatchedApps, log: Log): TextSockets {
  let count = 0;
  const accept = ({ socket, remoteAddress, handle }: Incoming): void => {
    count += 1;
    const app = apps.connect();
    let refusals = 0;
    handle({
      message: (bytes) => {
        const taken = app.take(textOf(bytes));
        if (typeof taken === 'string') return;
        refusals += 1;
        // The first says what is wrong; a hundred more would only fill the log.
        if (refusals === 1)
          log.warn({ from: remoteAddress }, `an app's message is passed over: ${taken.refused}`);
        if (taken.then === 'end') socket.close(CloseCode.MALFORMED, `nothing but mistakes: ${taken.refused}`);
      },
      drained: () => {},
      closed: () => {
        count -= 1;
        app.close();
      },
    });
    if (count > MAX_APPS) socket.close(CloseCode.UNAVAILABLE, `${MAX_APPS} apps are watched already`);
    else log.info({ from: remoteAddress }, 'an app dialled in');
  };
  return {
    path: PATH,
    subprotocol: undefined,
    origins: 'loopback',
    maxMessageBytes: MAX_MESSAGE_BYTES,
    accept,
  };
}

function textOf(bytes: Uint8Array): string {
  try {
    return decodeText(bytes, 0, bytes.length);
  } catch {
    return '';
  }
}
