// Fleets that are broken on purpose: the production roles, with one port or one option swapped.
// Invariant: each breaks one promise that the transport or the process makes to Holdfast, or that Holdfast makes.
import type { HubOptions } from '../../src/hub/options.ts';
import type { Dialer, Random } from '../../src/ports.ts';
import { FrameType, HEADER_BYTES } from '../../src/protocol/frames.ts';
import { Prng } from '../../src/testing/index.ts';
import type { Host, Simulation } from '../../src/testing/index.ts';
import { Dice } from './dice.ts';

export interface Twin {
  readonly hub?: HubOptions;
  /** Of the records of durable calls that the store confirms, this share is not kept. */
  readonly storeForgets?: number;
  /** The ports of a host, where they are not its own. */
  host?(host: Host, sim: Simulation): { readonly random: Random; readonly dialer: Dialer };
}

const MEDDLING = 0.01;

/** What arrives at one who dialled goes through `meddle`. */
function meddled(
  host: Host,
  meddle: (bytes: Uint8Array, deliver: (bytes: Uint8Array) => void) => void,
): Dialer {
  return {
    dial: (url, handlers) =>
      host.dialer.dial(url, {
        ...handlers,
        opened: () => handlers.opened(),
        message: (bytes) => meddle(bytes, (given) => handlers.message(given)),
      }),
  };
}

/** REGISTER, as an older version says it; other messages stay. */
function withoutOrdinals(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== FrameType.REGISTER) return bytes;
  const message = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES))) as object;
  const payload = new TextEncoder().encode(JSON.stringify({ ...message, ordinals: undefined }));
  const older = new Uint8Array(HEADER_BYTES + payload.length);
  older.set(bytes.subarray(0, HEADER_BYTES));
  new DataView(older.buffer).setUint32(8, payload.length, true);
  older.set(payload, HEADER_BYTES);
  return older;
}

/** What it dials with is older. */
function older(host: Host) {
  const dialer: Dialer = {
    dial(url, handlers) {
      const socket = host.dialer.dial(url, handlers);
      return {
        send: (bytes) => socket.send(withoutOrdinals(bytes)),
        get bufferedBytes() {
          return socket.bufferedBytes;
        },
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate(),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      };
    },
  };
  return { random: host.random, dialer };
}

export const twins = {
  none: {},
  /** Peers that know of no rosters: a node that comes late is not missed. */
  peersWithoutRosters: { host: older },
  /** The same, and a young hub does not ask the nodes about attempts that it does not know. */
  hubThatDoesNotSearch: { hub: { failoverAfterMs: 0 }, host: older },
  /** A node that is killed and comes back under the same instance, without the memory of what it ran. */
  nodeWithoutAName: {
    host(host, sim) {
      const [id = ''] = host.name.split('#');
      const random = host.name.startsWith('n') ? new Prng(sim.seed, id) : host.random;
      return { random, dialer: host.dialer };
    },
  },
  /** A store that confirms what it does not keep. */
  storeThatForgets: { storeForgets: 0.4 },
  /** A link that brings a message twice. */
  linkThatRepeats: {
    host(host, sim) {
      const dice = new Dice(sim.seed, `repeats ${host.name}`);
      const dialer = meddled(host, (bytes, deliver) => {
        const copy = bytes.slice();
        deliver(bytes);
        if (dice.chance(MEDDLING)) deliver(copy);
      });
      return { random: host.random, dialer };
    },
  },
  /** A link that loses a message and goes on. */
  linkThatSkips: {
    host(host, sim) {
      const dice = new Dice(sim.seed, `skips ${host.name}`);
      const dialer = meddled(host, (bytes, deliver) => {
        if (!dice.chance(MEDDLING)) deliver(bytes);
      });
      return { random: host.random, dialer };
    },
  },
} as const satisfies Record<string, Twin>;

export type TwinName = keyof typeof twins;
